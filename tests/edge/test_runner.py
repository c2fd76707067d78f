"""Workers AI's models bound to the Worker: a whole gateway asks them, through the edge's runner, on a binding of their shape."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from penstock.config import decode, defaults
from penstock.errors import Broken
from penstock.gateway import build
from penstock.providers import workers_ai
from penstock.wire.http import Request
from tests.edge.exchanges import EdgeRunner
from tests.edge.home import EdgeHome
from tests.path.world import SECRET, World, read

GRANITE = "@cf/ibm-granite/granite-4.0-h-micro"
BGE = "@cf/baai/bge-base-en-v1.5"
BOUND = f"""
platform = "cloudflare"
[auth]
issuers = [{{ mode = "hs256", secret = "{SECRET}" }}]
"""


@pytest.fixture
def runner(edge_home: EdgeHome) -> EdgeRunner:
    return EdgeRunner(edge_home)


@pytest.fixture
def world(runner: EdgeRunner) -> World:
    made = World(more=BOUND, env={})
    made.platform = replace(made.platform, runner=runner)
    config, _ = defaults(decode(BOUND, {}), {})
    made.gateway = build(config, made.platform, lambda _, error: made.reports.append(error))
    return made


def asked(text: str, **more: Any) -> Request:
    fields = {name: more.pop(name) for name in ("timeouts", "max_reply") if name in more}
    body = {"messages": [{"role": "user", "content": text}], "max_tokens": 50, **more}
    return Request("POST", b"", body=json.dumps(body).encode(), **fields)


async def test_a_chat_needs_no_key_and_no_account(world: World) -> None:
    response = await world.chat("hello there")
    told = json.loads(await read(response))
    assert response.header("x-penstock-target") == f"cloudflare/{GRANITE}"
    assert told["choices"][0]["message"]["content"] == "echo hello there"
    assert told["usage"]["completion_tokens"] == 3
    assert world.platform.fetch.requests == []
    assert await world.stages() == {"reserve": 1, "dispatched": 1, "settled": 1}


async def test_a_stream_is_told_as_it_comes_and_settled_by_its_usage(world: World) -> None:
    response = await world.chat("grüße 漢字", stream=True)
    lines = (await read(response)).decode().split("\n")
    said = [json.loads(line[6:]) for line in lines if line.startswith("data: {")]
    text = "".join(c["choices"][0]["delta"].get("content") or "" for c in said if c["choices"])
    assert text == "echo grüße 漢字 "
    assert lines[-3] == "data: [DONE]"
    assert await world.stages() == {"reserve": 1, "dispatched": 1, "settled": 1}


async def test_texts_are_embedded(world: World) -> None:
    response = await world.ask("/v1/embeddings", {"model": "embed", "input": ["one", "two"]})
    told = json.loads(await read(response))
    assert [len(item["embedding"]) for item in told["data"]] == [768, 768]
    assert response.header("x-penstock-target") == f"cloudflare/{BGE}"


@pytest.mark.parametrize(
    ("text", "code", "processed"),
    [
        ("!capacity", "upstream_rate_limited", "no"),
        ("!allotment", "upstream_rate_limited", "no"),
        ("!context", "context_length_exceeded", "no"),
        ("!internal", "upstream_failed", "unknown"),
    ],
)
async def test_what_goes_wrong_is_told_by_its_status_alone(
    runner: EdgeRunner, text: str, code: str, processed: str
) -> None:
    response = await runner.run(GRANITE, asked(text))
    failure = workers_ai.failure(response.status, response.headers, await read(response))
    assert (failure.code, failure.processed) == (code, processed)
    assert "secret" not in failure.message


async def test_it_embeds_by_the_default_model(runner: EdgeRunner) -> None:
    found = await runner.embed(["one"])
    assert (found.model, found.dimension) == (BGE, 768)
    assert await runner.embed([]) == type(found)(BGE, 0, [], 0)


async def test_a_binding_that_fails_may_have_run_the_model(runner: EdgeRunner) -> None:
    with pytest.raises(Broken) as failed:
        await runner.run(GRANITE, asked("!lost"))
    assert failed.value.processed == "unknown"
