"""What a seed's gateways are configured with, and who asks them."""

from __future__ import annotations

import random
from functools import lru_cache
from typing import Any

from penstock.auth.mint import mint
from penstock.config import Config, decode, defaults

SECRET = "simulation-secret-of-more-than-32-bytes!"
CALLERS = (("alice", "default"), ("bob", "default"), ("carol", "acme"))
"""Subjects and tenants with tokens; one more comes with an API key."""
SETTINGS: dict[str, dict[str, Any]] = {
    "plain": {},
    "drained": {"on_disconnect": "drain", "drain_seconds": 20},
    "unbilled": {"on_disconnect": "none"},
    "same": {"idempotent": True},
    "told": {"usage_lookup": "/usage/{id}"},
    "both": {"usage_lookup": "/usage/{id}", "idempotent": True, "on_disconnect": "drain"},
}
"""The providers by name, as configured and as they then behave."""

BASE = """
prices = [
%s
]
[auth]
issuers = [{ mode = "hs256", secret = "simulation-secret-of-more-than-32-bytes!" }]
[limits]
chat = "1000/h"
[tiers.free]
requests_per_hour = 1000
[routes.embed]
verb = "embed"
targets = ["%s/e"]
timeouts = { total = 60 }
[routes.auto]
targets = [%s]
timeouts = { total = %d }
"""
BUDGETS = (
    ("user", "hour", "0.0002", 0),
    ("user", "day", "0.0004", 0),
    ("user", "day", "", 1500),
    ("key", "month", "0.0003", 0),
    ("tenant", "month", "0.0008", 4000),
    ("tenant", "hour", "0.0005", 0),
    ("route", "day", "0.0006", 0),
    ("route", "hour", "", 2000),
)
MODELS = """
[[targets]]
provider = "{0}"
model = "m"
max_output = 200
default_max_output = 100
context = 2000
[[targets]]
provider = "{0}"
model = "e"
verb = "embed"
"""
PRICED = """
  {{ provider = "{0}", model = "m", input = "0.15", cached_input = "0.075", output = "0.60" }},
  {{ provider = "{0}", model = "e", input = "0.02" }},
"""


def drawn(rng: random.Random) -> str:
    """A configuration of few variants, so that decoding them costs little."""
    shuffle = random.Random(rng.randrange(24))
    names = list(SETTINGS)
    shuffle.shuffle(names)
    targets = ", ".join(f'"{name}/m"' for name in names[:3])
    priced = "".join(PRICED.format(name) for name in names)
    parts = [BASE % (priced, names[0], targets, shuffle.choice((30, 120)))]
    if shuffle.random() < 0.5:
        parts.append(
            f"[tiers.free]\nparallel = {shuffle.randint(1, 3)}\ntokens_per_minute = 1200\n"
        )
        parts[0] = parts[0].replace("[tiers.free]\nrequests_per_hour = 1000\n", "")
    for name in names:
        parts.append(
            f'[providers.{name}]\nkind = "openai"\nbase_url = "http://{name}.test/v1"\n'
            "max_batch = 2\n"
        )
        parts += [f"{key} = {_toml(value)}\n" for key, value in SETTINGS[name].items()]
        parts.append(MODELS.format(name))
    for per, period, money, tokens in shuffle.sample(BUDGETS, shuffle.choice((0, 2, 4))):
        parts.append(f'[[budgets]]\nper = "{per}"\nperiod = "{period}"\n')
        parts.append(f'money = "{money}"\n' if money else "")
        parts.append(f"tokens = {tokens}\n" if tokens else "")
    return "".join(parts)


@lru_cache(maxsize=64)
def config(text: str) -> Config:
    return defaults(decode(text, {}), {})[0]


@lru_cache(maxsize=64)
def token(sub: str, tenant: str) -> str:
    """A token that outlives every seed."""
    claims = {"sub": sub, "tenant": tenant}
    return mint(claims, SECRET, now=1_700_000_000, lifetime=400_000_000)


def _toml(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else repr(value).replace("'", '"')
