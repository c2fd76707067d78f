"""What no target can be told is refused before its hold: nothing is written for it and nothing sent."""

from __future__ import annotations

import json
from typing import Any

import pytest

from penstock.config import Kind, Provider, Target
from penstock.errors import BadRequest
from penstock.prices import Price
from penstock.providers import Call
from penstock.routing.offers import make
from penstock.routing.policies import fitting
from penstock.wire.chat import Ask, decode_chat
from penstock.wire.http import Response
from tests.path.test_openapi import bodies
from tests.path.world import SECRET, World, body, whole

CONFIG = f"""
[auth]
issuers = [{{ mode = "hs256", secret = "{SECRET}" }}]
[providers.anthropic]
kind = "anthropic"
base_url = "http://anthropic.test"
api_key = "sk-ant"
[providers.openai]
kind = "openai"
base_url = "http://openai.test/v1"
api_key = "sk-key"
[[targets]]
provider = "anthropic"
model = "claude-haiku-4-5"
[[targets]]
provider = "openai"
model = "gpt-4o"
[routes.auto]
targets = ["anthropic/claude-haiku-4-5"]
[routes.both]
targets = ["anthropic/claude-haiku-4-5", "openai/gpt-4o"]
"""
HELLO = {"role": "user", "content": "hello"}
CALL = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{"}}
IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png,raw"}}
SEEN = {"type": "image_url", "image_url": "http://h.test/i.png"}
UNTRANSLATABLE: list[tuple[dict[str, Any], str]] = [
    ({"messages": [HELLO, {"role": "tool", "content": "42"}]}, "messages[1].tool_call_id"),
    (
        {"messages": [{"role": "assistant", "content": None, "tool_calls": [CALL]}]},
        "messages[0].tool_calls[0].function.arguments",
    ),
    ({"messages": [{"role": "user", "content": [IMAGE]}]}, "messages[0].content[0]"),
    ({"messages": [HELLO], "tools": [{"type": "function"}]}, "tools[0]"),
    ({"messages": [{"role": "system", "content": [SEEN]}, HELLO]}, "messages[0].content"),
]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("given", "param"), UNTRANSLATABLE)
async def test_it_is_refused_with_the_providers_own_words(
    given: dict[str, Any], param: str, stream: bool
) -> None:
    world = World(more=CONFIG, env={})
    response = await world.ask("/v1/chat/completions", {"model": "auto", "stream": stream, **given})
    assert response.status == 400
    told = (await body(response))["error"]
    assert told["code"] in ("invalid_field", "unsupported_field")
    assert told["param"].startswith(param)
    assert response.header("x-should-retry") is None
    assert world.platform.fetch.requests == []
    assert await world.ledger() == []
    assert world.reports == []


@pytest.mark.parametrize(("given", "param"), UNTRANSLATABLE)
async def test_another_target_that_can_be_told_takes_it(given: dict[str, Any], param: str) -> None:
    world = World(lambda request: whole("from the other"), more=CONFIG, env={})
    response: Response = await world.ask("/v1/chat/completions", {"model": "both", **given})
    assert response.status == 200
    assert response.header("x-penstock-target") == "openai/gpt-4o"
    assert await world.stages() == {"reserve": 1, "dispatched": 1, "settled": 1}


async def test_what_it_can_be_told_it_is_told() -> None:
    world = World(more=CONFIG, env={})
    result = {"role": "tool", "tool_call_id": "c", "content": "42"}
    call = CALL | {"function": {"name": "f", "arguments": "{}"}}
    said = [HELLO, {"role": "assistant", "content": None, "tool_calls": [call]}, result]
    await world.ask("/v1/chat/completions", {"model": "auto", "messages": said})
    (sent,) = world.platform.fetch.requests
    assert b'"tool_use_id":"c"' in await sent.read(10_000)


def taken(body: dict[str, Any]) -> Ask | None:
    try:
        return decode_chat(json.dumps(body).encode())
    except BadRequest:
        return None


@pytest.mark.parametrize("kind", ["openai", "anthropic", "workers_ai", "sandbox"])
def test_whatever_is_taken_is_refused_early_or_can_be_told(kind: Kind) -> None:
    offer = make(Target("p", "m"), Provider(kind=kind, account="a"), Price())
    assert offer.chat is not None
    told = 0
    for given in bodies("ChatRequest"):
        ask = taken(given)
        if ask is None:
            continue
        try:
            fitting(ask, [offer])
        except BadRequest:
            continue
        assert offer.chat.chat(Call(ask, offer.target, offer.at)).body
        told += 1
    assert told > 100
