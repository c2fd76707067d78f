"""The fake provider and a gateway before it, as processes: once a session."""

from __future__ import annotations

import json
import tomllib
from collections.abc import AsyncIterator, Callable, Iterator
from itertools import count
from pathlib import Path

import pytest
from openai import AsyncOpenAI, OpenAI

from load.fake_provider import FakeProvider
from penstock.prices import Price, find
from tests.clients.process import SECRET, Penstock, token
from tests.edge.worker import Worker

KINDS = ("openai", "anthropic", "workers_ai")
MODELS = {
    "gpt-4o-mini": "openai",
    "gpt-4o": "openai",
    "text-embedding-3-small": "openai",
    "claude-haiku-4-5": "anthropic",
}
Served = Penstock | Worker
CONFIG = """
[auth]
issuers = [{ mode = "hs256", secret = "${JWT_SECRET}" }]
[providers.openai]
kind = "openai"
base_url = "${OPENAI_BASE_URL}"
api_key = "${OPENAI_API_KEY}"
any_model = true
[providers.anthropic]
kind = "anthropic"
base_url = "${ANTHROPIC_BASE_URL}"
api_key = "${ANTHROPIC_API_KEY}"
[[targets]]
provider = "openai"
model = "gpt-4o-mini"
[[targets]]
provider = "openai"
model = "gpt-4o"
[[targets]]
provider = "openai"
model = "text-embedding-3-small"
verb = "embed"
[[targets]]
provider = "anthropic"
model = "claude-haiku-4-5"
[routes.auto]
policy = "heuristic"
simple = "openai/gpt-4o-mini"
medium = "openai/gpt-4o-mini"
strong = "openai/gpt-4o"
[routes.impatient]
targets = ["openai/gpt-4o-mini"]
attempts = 1
timeouts = { first_byte = 1.0 }
[tiers.once]
requests_per_hour = 1
"""


def fake_prices() -> dict[str, dict[str, int]]:
    """The price table's figures of the models used, in the form the fake provider reads."""
    found = {}
    for name, kind in MODELS.items():
        model = find(kind, name)
        assert model is not None
        price = max(model.prices, key=lambda one: one.since)
        found[name] = {
            field: getattr(price, field)
            for field in ("input", "cached_input", "cache_write", "output")
        }
    return found


@pytest.fixture(scope="session")
def prices() -> dict[str, Price]:
    """What a model costs, by name."""
    return {
        name: Price(one["input"], one["cached_input"], one["cache_write"], one["output"])
        for name, one in fake_prices().items()
    }


@pytest.fixture(scope="session")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakeProvider]:
    """The fake provider; tests share it, so they look at calls of their own only, and set faults for those."""
    file = tmp_path_factory.mktemp("fake") / "prices.json"
    file.write_text(json.dumps(fake_prices()))
    with FakeProvider("--key", "sk-fake", "--prices", str(file)) as fake:
        yield fake


def environment(fake: FakeProvider) -> dict[str, str]:
    """What the configuration reads."""
    return {
        "JWT_SECRET": SECRET,
        "OPENAI_BASE_URL": f"{fake.url}/v1",
        "OPENAI_API_KEY": "sk-fake",
        "ANTHROPIC_BASE_URL": fake.url,
        "ANTHROPIC_API_KEY": "sk-fake",
    }


@pytest.fixture(scope="session")
def penstock(
    provider: FakeProvider, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Penstock]:
    """A process before the fake provider."""
    with Penstock(tmp_path_factory.mktemp("gateway"), CONFIG, environment(provider)) as served:
        yield served


@pytest.fixture(scope="session")
def cloudflare(provider: FakeProvider) -> Iterator[Worker]:
    """A Worker before the fake provider."""
    with Worker(tomllib.loads(CONFIG), environment(provider)) as served:
        yield served


@pytest.fixture(scope="session", params=["penstock", "cloudflare"])
def gateway(request: pytest.FixtureRequest) -> Served:
    """Each of them: whoever asks over HTTP cannot tell which."""
    served: Served = request.getfixturevalue(request.param)
    return served


@pytest.fixture
def fake(provider: FakeProvider) -> Iterator[FakeProvider]:
    """The fake provider without faults and with an empty meter."""
    provider.reset()
    yield provider
    provider.clear_faults()


_numbers = count()


@pytest.fixture
def sub() -> str:
    """A caller of this test's own: with a fresh cache and fresh rates."""
    return f"caller-{next(_numbers)}"


@pytest.fixture
def client(gateway: Served, fake: FakeProvider, sub: str) -> Iterator[OpenAI]:
    """The official SDK, as a program uses it but for retries, which tests turn on where they mean them."""
    with OpenAI(base_url=f"{gateway.url}/v1", api_key=token(sub), max_retries=0) as made:
        yield made


@pytest.fixture
async def async_client(gateway: Served, fake: FakeProvider, sub: str) -> AsyncIterator[AsyncOpenAI]:
    """The asynchronous one."""
    async with AsyncOpenAI(base_url=f"{gateway.url}/v1", api_key=token(sub), max_retries=0) as made:
        yield made


@pytest.fixture(scope="session")
def fresh_home(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """New directories for gateways of a test's own."""
    return lambda name: tmp_path_factory.mktemp(name)
