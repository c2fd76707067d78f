"""A budget of $1.00 under 500 calls at once whose reserve is a cent and whose charge is .95 to 1 of it."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from bench.admissions import Say
from bench.crowd import Call, call, crowd
from bench.process import LOAD_CORE, BenchFailed
from bench.replicas import Gateway, Stores, token
from load.fake_provider import FakeProvider

CALLS = 500
CAP = 1_000_000_000
WORDS = 1_000
WORD_NANOS = 10_000
LATE_MS = 4_000
RUNS = 3
WORKERS = 4
FAKE = """
[providers.fake]
kind = "openai"
base_url = "{url}/v1"
api_key = "sk-fake"
[[targets]]
provider = "fake"
model = "m"
[[prices]]
provider = "fake"
model = "m"
input = "0"
output = "10"
[[budgets]]
per = "user"
period = "month"
money = "1.00"
"""


def measured(home: Path, stores: Stores, say: Say) -> dict[str, float]:
    """Worst of both homes and all runs."""
    over, used, denied, most = 0, 1.0, 0, 0
    prices = home / "prices.json"
    prices.write_text(
        json.dumps(
            {
                "default": dict.fromkeys(("input", "cached_input", "cache_write"), 0)
                | {"output": 10**10}
            }
        )
    )
    pinned = ("taskset", "-c", str(LOAD_CORE), sys.executable)
    with FakeProvider("--key", "sk-fake", "--prices", str(prices), python=pinned) as fake:
        more = FAKE.format(url=fake.url)
        for name, head, workers in (("embedded", "", 1), ("server", stores.fresh(), WORKERS)):
            gateway = Gateway(home / f"spending-{name}", head, more, workers=workers)
            try:
                for run in range(RUNS):
                    one = _run(gateway, fake, f"{name}-{run}")
                    say(f"budget on {name}, run {run + 1}: {one}")
                    over = max(over, one["over"])
                    used = min(used, one["spent"] / CAP)
                    denied += one["false_denials"]
                    most = max(most, one["ran"])
            finally:
                gateway.process.end()
    return {
        "overspend_nanos": over,
        "budget_used_share": used,
        "false_denials": denied,
        "budget_most_run": most,
    }  # fmt: skip


def _run(gateway: Gateway, fake: FakeProvider, sub: str) -> dict[str, int]:
    fake.reset()
    # 950 to 1,000 words: .95 to 1 of what is reserved. None ends before all have asked.
    found = crowd([_call(gateway, sub, 950 + number % 51, late=LATE_MS) for number in range(CALLS)])
    if found.keys() - {200, 429}:
        raise BenchFailed(f"replies were not 200 and 429 alone: {dict(found)}")
    standing = _standing(gateway, sub)
    if standing["reserved"]:
        raise BenchFailed(
            f"{standing['reserved']} nano-dollars stay reserved after all calls ended"
        )
    denied = _denials(gateway, sub, CAP - standing["spent"])
    charged = fake.meter(finished=found[200])["charged_nanos"]
    over = max(0, charged - CAP, _standing(gateway, sub)["spent"] - CAP)
    return {"ran": found[200], "spent": standing["spent"], "over": over, "false_denials": denied}


def _denials(gateway: Gateway, sub: str, left: int) -> int:
    """What is left serves calls that fit into it, down to the last one of a word; how many did not find it so."""
    denials = 0
    for words in (1, left // WORD_NANOS // 2, left // WORD_NANOS):
        words = min(words, left // WORD_NANOS, WORDS)
        if words:
            denials += crowd([_call(gateway, sub, words, most=words)])[200] != 1
            left -= words * WORD_NANOS
    return denials


def _call(gateway: Gateway, sub: str, words: int, *, most: int = WORDS, late: int = 0) -> Call:
    text = f"[[words:{words}]]" + (f" [[fault:latency={late}]]" if late else "")
    body = {"model": "fake/m", "max_tokens": most, "messages": [{"role": "user", "content": text}]}
    return call(gateway.port, token(sub), json.dumps(body).encode())


def _standing(gateway: Gateway, sub: str) -> dict[str, Any]:
    listed = json.loads(gateway.run("usage", "--budgets", "--json"))["budgets"]
    found: dict[str, Any] = next(one for one in listed if one["name"].endswith(sub))
    return found
