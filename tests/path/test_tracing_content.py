"""What no span may hold: prompts, answers, credentials, addresses' secrets; and a prompt where it was agreed to."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from penstock.errors import Broken
from penstock.wire.http import Request, Response
from tests.path.asking import Asking
from tests.path.documents import WALRUS
from tests.path.services import Served
from tests.path.traced import GIVEN, Traced
from tests.path.world import World, completion, pieces, read, streamed, whole

CANARY = "canary-7f3a"
AGREED = '[tenants.acme]\ntexts = "all"\n'
MESSAGES = "gen_ai.input.messages"
KEYED = """
[providers.odd]
kind = "openai"
base_url = "http://canary-7f3a-user:canary-7f3a-word@odd.test/canary-7f3a-path/v1?key=canary-7f3a"
api_key = "sk-canary-7f3a"
[[targets]]
provider = "odd"
model = "m"
"""


def said(traced: Traced) -> str:
    return repr(traced.spans)


def bodies() -> Iterator[dict[str, Any]]:
    """A caller's words wherever a chat takes some."""
    yield {"content": CANARY}
    yield {"content": [{"type": "text", "text": CANARY}]}
    yield {"content": "hi", "stop": [CANARY]}
    yield {"content": "hi", "user": CANARY}
    yield {"content": "hi", "metadata": {CANARY: CANARY}}
    yield {"content": "hi", "reasoning_effort": CANARY}
    yield {"content": "hi", "unheard_of": CANARY}
    yield {"content": "hi", "tools": [{"type": "function", "function": {"name": CANARY}}]}
    yield {"content": "hi", "response_format": {"type": CANARY}}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("asked", list(bodies()))
async def test_no_span_has_what_a_caller_or_a_target_wrote(
    asked: dict[str, Any], stream: bool
) -> None:
    world = World(lambda _: streamed(pieces(CANARY)) if stream else whole(CANARY))
    traced = Traced(world)
    more = {name: value for name, value in asked.items() if name != "content"}
    await read(await world.chat(asked["content"], stream=stream, **more))
    assert len(traced.spans) >= 1
    assert CANARY not in said(traced)


async def test_no_span_has_a_credential_or_what_an_address_hides() -> None:
    world = World(more=KEYED)
    traced = Traced(world)
    headers = [("x-other-key", CANARY), ("cookie", CANARY), ("baggage", CANARY), GIVEN]
    assert (await world.chat(model="odd/m", headers=headers)).status == 200
    await read(await world.ask(f"/v1/{CANARY}", {}, query=f"key={CANARY}"))
    await read(await world.ask(f"/v1/models/{CANARY}", method="GET"))
    await world.ask("/v1/chat/completions", {}, token=CANARY)
    await world.ask("/v1/chat/completions", {}, method=CANARY)
    assert traced.one("chat ").attributes["server.address"] == "odd.test"
    assert CANARY not in said(traced)
    assert world.token().rpartition(".")[2] not in said(traced)


async def test_no_span_has_a_services_path_or_query() -> None:
    world = Served()
    traced = Traced(world)
    await read(await world.ask(f"/api/orders/{CANARY}", {"a": CANARY}, query=CANARY))
    assert len(traced.spans) == 2
    assert CANARY not in said(traced)


@pytest.mark.parametrize("stream", [False, True])
async def test_no_span_has_an_errors_text(stream: bool) -> None:
    def answer(request: Request) -> Response:
        if stream:
            return streamed([pieces("a")[0], ValueError(CANARY)])
        raise Broken(CANARY)

    world = World(answer)
    traced = Traced(world)
    await read(await world.chat(CANARY, stream=stream))
    assert traced.one("POST").error
    assert CANARY not in said(traced)


async def test_no_span_has_a_question_or_a_passage() -> None:
    world = Asking(dense=True)
    await world.put(WALRUS)
    traced = Traced(world, content=True)
    await world.query("What does the canary-7f3a walrus eat?")
    assert len(traced.spans) > 3
    assert CANARY not in said(traced)
    assert "clams" not in said(traced)


async def test_what_a_provider_calls_itself_is_cut() -> None:
    reply = completion("Hi") | {"id": "i" * 5_000, "model": "m" * 5_000}
    world = World(lambda _: Response(200, [], json.dumps(reply).encode()))
    traced = Traced(world)
    await world.chat()
    named = traced.one("chat ").attributes
    assert (named["gen_ai.response.id"], named["gen_ai.response.model"]) == ("i" * 200, "m" * 200)


ASKED: list[Any] = [
    {"content": CANARY},
    {"content": [{"type": "text", "text": CANARY}, {"type": "image_url", "image_url": "x:hush"}]},
]


@pytest.mark.parametrize("asked", ASKED)
async def test_a_prompt_is_told_where_its_tenant_agreed(asked: dict[str, Any]) -> None:
    world = World(lambda _: whole("the answer"), AGREED)
    traced = Traced(world, content=True)
    await world.chat(asked["content"], token=world.token(tenant="acme"))
    call = traced.one("chat ")
    told = call.attributes[MESSAGES]
    assert isinstance(told, str)
    [message] = json.loads(told)
    assert message["role"] == "user"
    assert message["parts"][0] == {"type": "text", "content": CANARY}
    assert message["parts"][1:] in ([], [{"type": "image_url"}])
    assert "the answer" not in said(traced)
    assert said(traced).count(CANARY) == 1


async def test_it_is_not_where_anyone_of_them_did_not() -> None:
    cases: list[tuple[str, bool, str, dict[str, Any]]] = [
        ("acme", False, "all", {}),
        ("other", True, "all", {}),
        ("acme", True, "labels", {}),
        ("acme", True, "none", {}),
        ("acme", True, "all", {"headers": [("cache-control", "no-store")]}),
        ("acme", True, "all", {"headers": [("traceparent", GIVEN[1][:-1] + "0")]}),
    ]
    for tenant, content, agreed, how in cases:
        world = World(more=AGREED.replace("all", agreed))
        traced = Traced(world, content=content)
        await world.chat(CANARY, token=world.token(tenant=tenant), **how)
        assert traced.one("chat ").attributes["gen_ai.operation.name"] == "chat"
        assert CANARY not in said(traced)


async def test_a_long_prompt_is_left_out() -> None:
    world = World(more=AGREED)
    traced = Traced(world, content=True)
    await world.chat(CANARY * 8_000, token=world.token(tenant="acme"))
    assert MESSAGES not in traced.one("chat ").attributes
