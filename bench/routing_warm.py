"""What it saves to stay where a conversation's prompt is warm: made-up conversations through a whole gateway, billed by a made-up provider.

The conversations are drawn, not anybody's: the figures say how much hangs on prices, lengths and pauses, and promise nothing.
`bench/routing.py --json` has these keys too.
"""

from __future__ import annotations

import asyncio
import heapq
import json
import random
import sys
from collections.abc import Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any

# It runs as a script, from anywhere.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from penstock.auth.mint import mint
from penstock.config import decode, defaults
from penstock.gateway import Gateway, build
from penstock.platforms import memory
from penstock.platforms.memory import MemoryPlatform
from penstock.wire.http import JSON, Request, Response

SEED = 53
NOW = 1_795_737_600.0
"""2026-11-27: the day's prices hold for all of it."""
CONVERSATIONS = 80
TURNS = 6
"""A conversation's, on the average."""
PAUSE_SECONDS = 90.0
"""Between two turns, on the average: one in 28 is longer than five minutes."""
KEPT_SECONDS = 300.0
HARD = 0.3
"""Turns that the heuristic takes for complex."""
LENGTHS = {"short": (6.9, 0.6), "long": (10.3, 0.8)}
"""Tokens that a conversation begins with, log-normal: about 1,000 and about 30,000 in the middle."""
BYTES_A_TOKEN = 4
NANOS = 1_000_000_000
SECRET = "a bench's secret of more than 32 bytes"
HOME = f"""
[auth]
issuers = [{{ mode = "hs256", secret = "{SECRET}" }}]
[limits]
chat = {{ requests = 100000, window = 3600 }}
[tiers.free]
requests_per_hour = 100000
[providers.openai]
kind = "openai"
base_url = "http://one.test/v1"
api_key = "sk-nobody"
[providers.three]
kind = "openai"
deployments = [
  {{ name = "a", url = "http://a.test/v1", key = "sk-a" }}, {{ name = "b", url = "http://b.test/v1", key = "sk-b" }},
  {{ name = "c", url = "http://c.test/v1", key = "sk-c" }},
]
[[targets]]
provider = "three"
model = "gpt-5"
"""
WAYS = {
    "heuristic_5": ("gpt-5-mini", "gpt-5"),
    "heuristic_54": ("gpt-5.4-mini", "gpt-5.1"),
    "weighted": ("gpt-5", "gpt-5.1"),
    "deployments": (),
}
Record = dict[str, float]
Message = dict[str, str]


class Provider:
    """Keeps each prompt it has answered for five minutes, by account and model, and bills the longest beginning it knows as cached."""

    def __init__(self) -> None:
        self.now = 0.0
        self._until: dict[bytes, float] = {}

    def __call__(self, request: Request) -> Response:
        assert isinstance(request.body, bytes)
        body = json.loads(request.body)
        held = blake2b(request.target + body["model"].encode(), digest_size=16)
        tokens = cached = 0
        for message in body["messages"]:
            held.update(json.dumps(message).encode())
            tokens += len(message["content"]) // BYTES_A_TOKEN
            if self._until.get(held.digest(), 0.0) > self.now:
                cached = tokens - tokens % 128 if tokens >= 1_024 else 0
        self._until[held.digest()] = self.now + KEPT_SECONDS
        said = int(body["user"])  # how long the answer is, so that nobody knows beforehand
        usage = {
            "prompt_tokens": tokens,
            "completion_tokens": said,
            "total_tokens": tokens + said,
            "prompt_tokens_details": {"cached_tokens": cached},
        }
        message = {"role": "assistant", "content": "w " * (said * BYTES_A_TOKEN // 2)}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        told = {"id": "c", "object": "chat.completion", "created": 1, "model": "m"}
        return Response(
            200, [JSON], json.dumps({**told, "choices": [choice], "usage": usage}).encode()
        )


class Turn:
    """One turn of a conversation: when it comes, what its user says and how long the answer is."""

    __slots__ = ("at", "output", "said")

    def __init__(self, at: float, said: str, output: int) -> None:
        self.at = at
        self.said = said
        self.output = output


def conversations(kind: str) -> list[list[Turn]]:
    """The same ones each time."""
    draw = random.Random(f"{SEED} {kind}")
    found = []
    for number in range(CONVERSATIONS):
        at, turns = draw.uniform(0, 3_600), []
        beginning = min(int(draw.lognormvariate(*LENGTHS[kind])), 100_000)
        while not turns or draw.random() < 1 - 1 / TURNS:
            tokens = int(draw.lognormvariate(4.0, 0.8)) + (0 if turns else beginning)
            hard = "explain " if draw.random() < HARD else ""
            words = f"{number} " + "so " * (tokens * BYTES_A_TOKEN // 3)
            # The heuristic reads the last message: a long beginning is one before it.
            turns.append(Turn(at, hard + words, min(int(draw.lognormvariate(5.5, 0.7)), 4_000)))
            at += draw.expovariate(1 / PAUSE_SECONDS)
        found.append(turns)
    return found


def home(way: str) -> str:
    """A configuration with the route `route`, or one target that is reached in three places."""
    models = WAYS[way]
    if not models:
        return HOME
    names = [f"openai/{model}" for model in models]
    targets = "".join(f'[[targets]]\nprovider = "openai"\nmodel = "{model}"\n' for model in models)
    if way == "weighted":
        return f'{HOME}{targets}[routes.route]\npolicy = "weighted"\ntargets = {json.dumps(names)}\nweights = [1, 1]\n'
    parts = f'simple = "{names[0]}"\nmedium = "{names[0]}"\nstrong = "{names[1]}"\n'
    return f'{HOME}{targets}[routes.route]\npolicy = "heuristic"\n{parts}'


async def spent(way: str, kind: str, *, stays: bool) -> tuple[float, float]:
    """Dollars, and the share of requests that the dearer or first target answered; without marks unless it `stays`."""
    provider = Provider()
    platform = memory.platform(provider, now=NOW)
    config, _ = defaults(decode(home(way), {}), {})
    gateway = build(config, platform, lambda _, error: sys.exit(repr(error)))
    talks: dict[int, list[Message]] = {}
    drawn = conversations(kind)
    waiting = [(turns[0].at, number, 0) for number, turns in enumerate(drawn)]
    heapq.heapify(waiting)
    while waiting:
        at, number, place = heapq.heappop(waiting)
        platform.clock.advance(at - provider.now)
        provider.now = at
        turn, talk = drawn[number][place], talks.setdefault(number, [])
        if place == 0:  # a document, and a question to it
            talk += [{"role": "user", "content": turn.said}, {"role": "user", "content": "what is this?"}]  # fmt: skip
        else:
            talk.append({"role": "user", "content": turn.said})
        talk.append(await _answered(gateway, platform, way, talk, turn.output, stays=stays))
        if place + 1 < len(drawn[number]):
            heapq.heappush(waiting, (drawn[number][place + 1].at, number, place + 1))
    await gateway.journal.flush()
    rows = await platform.tables.rows(
        "select target, amount_nanos from ledger where stage = 'final'"
    )
    strong = f"openai/{WAYS[way][1]}" if WAYS[way] else ""
    return sum(row[1] for row in rows) / NANOS, sum(row[0] == strong for row in rows) / len(rows)


async def _answered(
    gateway: Gateway, platform: MemoryPlatform, way: str, talk: Sequence[Message], output: int, *, stays: bool
) -> Message:  # fmt: skip
    model = "route" if WAYS[way] else "three/gpt-5"
    body: dict[str, Any] = {"model": model, "messages": list(talk), "user": str(output)}
    token = mint({"sub": "somebody"}, SECRET, now=platform.clock.now())
    control = "no-cache" if stays else "no-store"
    headers = [("authorization", f"Bearer {token}"), ("cache-control", control)]
    path = "/v1/chat/completions"
    request = Request("POST", path.encode(), path, "", headers, "192.0.2.1", json.dumps(body).encode())  # fmt: skip
    response = await gateway(request)
    assert response.status == 200, response.body
    assert isinstance(response.body, bytes)
    message: Message = json.loads(response.body)["choices"][0]["message"]
    return message


def measured() -> Record:
    """Dollars without and with it, what it saves, and the share of the strong (of a split: of its second) target."""
    record: Record = {}
    for way in WAYS:
        for kind in LENGTHS:
            name = f"{way}_{kind}"
            cold, share = asyncio.run(spent(way, kind, stays=False))
            warm, then = asyncio.run(spent(way, kind, stays=True))
            record |= {f"warm_{name}_usd": warm, f"warm_{name}_without_usd": cold, f"warm_{name}_saved": 1 - warm / cold}  # fmt: skip
            if WAYS[way]:
                record |= {f"warm_{name}_share": then, f"warm_{name}_without_share": share}
    return record


def main() -> int:
    """0, with all figures as one object."""
    print(json.dumps({key: round(value, 4) for key, value in measured().items()}, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
