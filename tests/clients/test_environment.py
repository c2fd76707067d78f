"""No configuration file: the environment names the provider, and the README's lines reach it in its own dialect."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from openai import OpenAI

from load.fake_provider import FakeProvider
from tests.clients.process import Penstock

Served = tuple[str, Penstock, OpenAI]
ACCOUNT = "0123456789abcdef"
ENVIRONMENTS: dict[str, dict[str, str]] = {
    "openai": {"OPENAI_API_KEY": "sk-fake", "OPENAI_BASE_URL": "{url}/v1"},
    "ollama": {"OLLAMA_HOST": "{host}"},
    "anthropic": {"ANTHROPIC_API_KEY": "sk-fake", "ANTHROPIC_BASE_URL": "{url}"},
    "cloudflare": {
        "CLOUDFLARE_ACCOUNT_ID": ACCOUNT,
        "CLOUDFLARE_API_TOKEN": "sk-fake",
        "CLOUDFLARE_BASE_URL": "{url}/client/v4",
    },
    "sandbox": {},
}
CHAT_PATHS = {
    "openai": "/v1/chat/completions",
    "ollama": "/v1/chat/completions",
    "anthropic": "/v1/messages",
    "cloudflare": f"/client/v4/accounts/{ACCOUNT}/ai/run/@cf/",
}
EMBED_PATHS = {
    "openai": "/v1/embeddings",
    "ollama": "/v1/embeddings",
    "cloudflare": f"/client/v4/accounts/{ACCOUNT}/ai/run/@cf/baai/bge-base-en-v1.5",
}


@pytest.fixture(scope="module")
def keyless() -> Iterator[FakeProvider]:
    """Ollama wants no key: a fake provider that takes any, or none."""
    with FakeProvider() as fake:
        yield fake


@pytest.fixture(scope="module", params=ENVIRONMENTS)
def served(
    request: pytest.FixtureRequest, keyless: FakeProvider, fresh_home: Callable[[str], Path]
) -> Iterator[Served]:
    name: str = request.param
    places = {"url": keyless.url, "host": keyless.url.removeprefix("http://")}
    env = {key: value.format(**places) for key, value in ENVIRONMENTS[name].items()}
    with Penstock(fresh_home(name), env=env) as gateway:
        key = gateway.run("token", "--sub", "demo", "--tier", "pro")
        with OpenAI(base_url=f"{gateway.url}/v1", api_key=key, max_retries=0) as client:
            yield name, gateway, client


def last(fake: FakeProvider) -> dict[str, Any]:
    found: dict[str, Any] = fake.requests(last=1)[0]
    return found


def said(client: OpenAI, text: str, **more: Any) -> tuple[str, str]:
    """(what was answered, by which target)."""
    raw = client.chat.completions.with_raw_response.create(
        model="auto", messages=[{"role": "user", "content": text}], **more
    )
    answer = raw.parse()
    if more.get("stream"):
        pieces = [c.choices[0].delta.content or "" for c in answer if c.choices]
        assert len(pieces) > 3
        return "".join(pieces), raw.headers["x-penstock-target"]
    return answer.choices[0].message.content or "", raw.headers["x-penstock-target"]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("text", ["hello there", "compare two things"])
def test_auto_reaches_what_is_named(
    served: Served, keyless: FakeProvider, text: str, stream: bool
) -> None:
    name, _, client = served
    answer, target = said(client, f"{text} {stream}", stream=stream)
    assert target.startswith(f"{name}/")
    if name == "sandbox":
        assert answer.startswith("[sandbox] No model provider is configured")
        return
    assert answer.startswith(f"echo {text} {stream} #")
    assert last(keyless)["target"].startswith(CHAT_PATHS[name])
    body = json.loads(last(keyless)["body"])
    assert target in (f"{name}/{body.get('model')}", target.partition("ai/run/")[2] or target)


def test_embeddings_reach_what_is_named(served: Served, keyless: FakeProvider) -> None:
    name, _, client = served
    before = keyless.meter()["calls"]
    raw = client.embeddings.with_raw_response.create(model="embed", input=["a text", "another"])
    vectors = raw.parse().data
    assert len(vectors) == 2
    assert vectors[0].embedding != vectors[1].embedding
    if name in EMBED_PATHS:
        assert last(keyless)["target"] == EMBED_PATHS[name]
    else:
        # Anthropic has no embeddings: the lexical ones say what they are by name.
        assert raw.headers["x-penstock-target"] == "hashed/hashed-lexical-384"
        assert raw.parse().model == "hashed-lexical-384"
        assert keyless.meter()["calls"] == before


def test_start_up_says_what_it_is_made_of(served: Served) -> None:
    name, gateway, _ = served
    notes = "\n".join(gateway.said)
    assert f"provider {name}:" in notes
    assert f"auto: simple {name}/" in notes
    assert ("warning: no provider is configured: the sandbox" in notes) == (name == "sandbox")
    assert "sk-fake" not in notes


def test_it_says_so_in_the_product_face_too(served: Served) -> None:
    name, _, client = served
    found = client.post("/../api/ai/chat", body={"message": "who are you"}, cast_to=dict[str, Any])
    assert found["provider"] == name
    assert found["message"]["role"] == "assistant"
    assert found["tokens"] > 0
    assert found["cost"] == 0 if name in ("ollama", "cloudflare") else found["cost"] > 0
