"""One fake provider for a module of tests, forgotten between two of them."""

from __future__ import annotations

import json
from collections.abc import Iterator

import httpx
import openai
import pytest

from load.fake_provider import FakeProvider
from tests.fake.calls import KEY

PRICES = {"gpt-4o": {"input": 7, "output": 11, "cached_input": 3, "cache_write": 5}}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakeProvider]:
    prices = tmp_path_factory.mktemp("fake") / "prices.json"
    prices.write_text(json.dumps(PRICES))
    with FakeProvider("--key", KEY, "--prices", str(prices), "--idempotent") as provider:
        yield provider


@pytest.fixture
def fake(running: FakeProvider) -> FakeProvider:
    running.reset()
    return running


@pytest.fixture
def sdk(fake: FakeProvider) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=fake.url + "/v1", api_key=KEY, max_retries=0) as client:
        yield client


@pytest.fixture
def http(fake: FakeProvider) -> Iterator[httpx.Client]:
    headers = {"authorization": f"Bearer {KEY}", "x-api-key": KEY}
    headers["anthropic-version"] = "2023-06-01"
    with httpx.Client(base_url=fake.url, headers=headers, trust_env=False, timeout=5) as client:
        yield client
