"""The doomed gateway's configuration and the fake provider's prices: the same figures, written down twice."""

from __future__ import annotations

from tests.crash.callers import SECRET

KEY = "sk-fake"
PRICES = {
    "alpha": {
        "input": 150_000_000,
        "cached_input": 75_000_000,
        "cache_write": 187_500_000,
        "output": 600_000_000,
    },
    "delta": {
        "input": 333_333_333,
        "cached_input": 33_333_333,
        "cache_write": 333_333_333,
        "output": 1_234_567_891,
    },
    "omega": {"input": 1, "cached_input": 1, "cache_write": 1, "output": 7},
    "vector": {"input": 20_000_001, "cached_input": 0, "cache_write": 0, "output": 0},
}
"""The provider's: nano-dollars a million tokens."""

_CONFIG = """
[server]
port = 0
access_log = false
[auth]
issuers = [{ mode = "hs256", secret = "SECRET" }]
[tiers.crowd]
requests_per_hour = 1_000_000
scale = 10_000
parallel = 100
tokens_per_minute = 100_000_000

[providers.steady]
kind = "openai"
base_url = "FAKE/steady/v1"
api_key = "KEY"
usage_lookup = "LOOKUP"
[providers.drained]
kind = "openai"
base_url = "FAKE/drained/v1"
api_key = "KEY"
usage_lookup = "LOOKUP"
on_disconnect = "drain"
[providers.flaky]
kind = "openai"
base_url = "FAKE/flaky/v1"
api_key = "KEY"
usage_lookup = "LOOKUP"

[[targets]]
provider = "steady"
model = "alpha"
[[targets]]
provider = "drained"
model = "delta"
[[targets]]
provider = "flaky"
model = "omega"
[[targets]]
provider = "steady"
model = "vector"
verb = "embed"
[[targets]]
provider = "flaky"
model = "vector"
verb = "embed"
[routes.shaky]
targets = ["flaky/omega", "steady/alpha"]
[routes.shaky-vectors]
verb = "embed"
targets = ["flaky/vector", "steady/vector"]

[[prices]]
provider = "steady"
model = "alpha"
input = "0.15"
cached_input = "0.075"
cache_write = "0.1875"
output = "0.60"
[[prices]]
provider = "drained"
model = "delta"
input = "0.333333333"
cached_input = "0.033333333"
output = "1.234567891"
[[prices]]
provider = "flaky"
model = "omega"
input = "0.000000001"
output = "0.000000007"
[[prices]]
provider = "steady"
model = "vector"
input = "0.020000001"
[[prices]]
provider = "flaky"
model = "vector"
input = "0.020000001"

[[budgets]]
per = "user"
period = "day"
money = "100.00"
tokens = 1_000_000_000
[[budgets]]
per = "user"
period = "day"
name = "poor"
money = "0.00006"
[[budgets]]
per = "tenant"
period = "month"
money = "1000.00"
[[budgets]]
per = "route"
period = "day"
tokens = 1_000_000_000
"""


def configuration(fake: str, *, looked_up: bool) -> str:
    """Behind the lines of a home; `looked_up`: whether the provider tells what a call took."""
    lookup = f"{fake}/_usage/{{id}}" if looked_up else ""
    values = {"FAKE": fake, "KEY": KEY, "LOOKUP": lookup, "SECRET": SECRET}
    text = _CONFIG
    for name, value in values.items():
        text = text.replace(name, value)
    return text
