"""The product face over plain HTTP, as the first design's front end and scripts call it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from load.fake_provider import FakeProvider
from penstock.prices import Price
from tests.clients.conftest import Served
from tests.clients.process import token, until

CHAT = "/api/ai/chat/completions"
ORIGIN = "http://localhost:3000"
HELLO = {"messages": [{"role": "user", "content": "hello there"}]}


@pytest.fixture
def http(gateway: Served, fake: FakeProvider, sub: str) -> Iterator[httpx.Client]:
    """A browser's page on the listed origin, signed in."""
    headers = {"authorization": f"Bearer {token(sub)}", "origin": ORIGIN}
    with httpx.Client(base_url=gateway.url, headers=headers, trust_env=False) as client:
        yield client


def cost_of(price: Price, tokens: tuple[int, int]) -> float:
    return -(-(tokens[0] * price.input + tokens[1] * price.output) // 10**6) / 10**9


def events(response: httpx.Response) -> list[Any]:
    lines = [line[6:] for line in response.text.split("\n\n") if line.startswith("data: ")]
    return [line if line == "[DONE]" else json.loads(line) for line in lines]


def test_a_chat(http: httpx.Client, prices: dict[str, Price]) -> None:
    response = http.post(CHAT, json=HELLO)
    assert response.status_code == 200
    told = response.json()
    assert told == {
        "message": {"role": "assistant", "content": "echo hello there #8ae6e5b8"},
        "model": "gpt-4o-mini",
        "provider": "openai",
        "tokens": 6,
        "cost": cost_of(prices["gpt-4o-mini"], (2, 4)),
    }
    assert response.headers["x-ratelimit-limit"] == "100"
    assert response.headers["x-ratelimit-remaining"] == "99"
    reset = int(response.headers["x-ratelimit-reset"]) / 1000
    assert time.time() + 3_590 < reset < time.time() + 3_610
    again = http.post(CHAT, json=HELLO).json()
    assert again == told | {"cost": 0, "cached": True}


def test_a_stream(http: httpx.Client) -> None:
    paced = [{"role": "user", "content": "hello there [[fault:pace=10]]"}]
    with http.stream("POST", CHAT, json={"messages": paced, "stream": True}) as response:
        response.read()
    assert response.headers["content-type"].startswith("text/event-stream")
    assert response.headers["cache-control"] == "no-cache"
    assert response.headers["x-accel-buffering"] == "no"
    assert "content-length" not in response.headers
    *deltas, whole, done = events(response)
    assert len(deltas) >= 2  # as it comes; on a busy machine some come together
    assert "".join(one["delta"] for one in deltas) == whole["message"]["content"]
    assert whole.keys() == {"message", "model", "provider", "tokens", "cost"}
    assert done == "[DONE]"


def test_the_one_message_form(http: httpx.Client) -> None:
    told = http.post("/api/ai/chat", json={"message": "hello there"}).json()
    assert told["message"]["content"] == "echo hello there #8ae6e5b8"


def test_embeddings(http: httpx.Client, prices: dict[str, Price]) -> None:
    one = http.post("/api/ai/embeddings", json={"text": "two words"}).json()
    assert one.keys() == {"embedding", "tokens", "cost", "provider", "model"}
    assert len(one["embedding"]) == 1536
    assert one["cost"] == cost_of(prices["text-embedding-3-small"], (2, 0))
    many = http.post("/api/ai/embeddings", json={"texts": ["two words", "three"]}).json()
    assert many.keys() == {"embeddings", "totalTokens", "totalCost", "provider", "cached"}
    assert many["cached"] == 1
    assert many["embeddings"][0] == one | {"cost": 0, "cached": True}


@pytest.mark.parametrize(
    ("path", "given", "status", "error"),
    [
        (CHAT, {"messages": []}, 400, "Invalid messages"),
        (CHAT, HELLO | {"forceProvider": "openai"}, 403, "Forbidden"),
        (CHAT, HELLO | {"model": "no-such"}, 404, "Not Found"),
        ("/api/ai/chat", {}, 400, "Missing required fields"),
        ("/api/ai/embeddings", {}, 400, "Missing text or texts"),
        ("/api/ai/nothing", {}, 404, "Not Found"),
        (CHAT, {"messages": [{"role": "user", "content": "[[fault:500]]"}]}, 502,
         "Chat completion failed"),
        ("/api/ai/embeddings", {"text": "[[fault:500]]"}, 502, "Embedding generation failed"),
    ],
)  # fmt: skip
def test_errors(http: httpx.Client, path: str, given: Any, status: int, error: str) -> None:
    response = http.post(path, json=given)
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["x-request-id"].startswith("req_")
    assert response.headers["access-control-allow-origin"] == ORIGIN
    told = response.json()
    assert (told["error"], told["status"]) == (error, status)


def test_who_may_ask(http: httpx.Client) -> None:
    for value, error in ((None, "Unauthorized"), ("Bearer nonsense", "Invalid token")):
        headers = {} if value is None else {"authorization": value}
        response = httpx.post(
            f"{http.base_url}{CHAT}", json=HELLO, headers=headers, trust_env=False
        )
        assert (response.status_code, response.json()["error"]) == (401, error)
    in_query = http.get("/api/usage", params={"access_token": "eyJ"})
    assert in_query.status_code == 400


def test_cors(http: httpx.Client) -> None:
    asked = {
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization",
    }
    del http.headers["authorization"]
    allowed = http.options(CHAT, headers=asked)
    assert allowed.status_code == 204
    assert allowed.headers["access-control-allow-origin"] == ORIGIN
    assert allowed.headers["access-control-allow-credentials"] == "true"
    refused = http.options(CHAT, headers=asked | {"origin": "https://evil.example"})
    assert not [name for name in refused.headers if name.startswith("access-control")]


def test_the_hundred_and_first(http: httpx.Client, fake: FakeProvider) -> None:
    for number in range(100):
        path, given = [
            (CHAT, HELLO),
            ("/api/ai/chat", {"message": "hello there"}),
            ("/v1/chat/completions", HELLO | {"model": "auto"}),
        ][number % 3]
        assert http.post(path, json=given).status_code == 200
    response = http.post(CHAT, json=HELLO)
    assert response.status_code == 429
    told = response.json()
    assert told["error"] == "Rate limit exceeded"
    assert 3_500 < told["retryAfter"] == int(response.headers["retry-after"]) <= 3_600
    assert (told["limit"], told["window"]) == (100, 3_600)
    assert response.headers["x-ratelimit-remaining"] == "0"
    assert response.headers["x-ratelimit-remaining-requests"] == "0"
    assert fake.meter()["calls"] == 1


def test_usage_and_health(http: httpx.Client) -> None:
    http.post(CHAT, json=HELLO)
    http.post(CHAT, json=HELLO)
    # What is only counted may take a second to be written.
    told = until(
        lambda: found if (found := http.get("/api/usage").json())["totals"]["cached"] else None
    )
    (row,) = told["rows"]
    assert row.keys() >= {
        "period", "service", "provider", "model", "requests", "tokens", "cost", "cached",
    }  # fmt: skip
    assert (row["provider"], row["model"]) == ("openai", "gpt-4o-mini")
    assert (row["requests"], row["cached"], row["tokens"]) == (2, 1, 6)
    assert told["totals"]["requests"] == 2
    health = http.get("/health").json()
    assert (health["status"], health["edge"] in ("unknown", "TST")) == ("healthy", True)
    head = http.head("/health")
    assert (head.status_code, head.content) == (200, b"")
    assert [http.get(path).status_code for path in ("/", "/livez", "/readyz", "/docs")] == [200] * 4
    assert http.get("/openapi.json").json()["openapi"].startswith("3.")


def test_an_oversized_body(http: httpx.Client, fake: FakeProvider) -> None:
    big = json.dumps({"messages": [{"role": "user", "content": "x" * 10_000_001}]})
    response = http.post(CHAT, content=big)
    assert response.status_code == 413
    assert response.json()["code"] == "body_too_large"
    assert fake.meter()["calls"] == 0
