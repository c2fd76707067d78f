"""A conversation's next turn: who has its prompt warm goes first where that costs no more, and else nothing changes."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from penstock.entry.routers import text_of
from penstock.routing import affinity
from penstock.wire.http import JSON, Request, Response
from tests.path.world import DONE, World, chunk, completion, read, streamed

PRICES = """
[[prices]]
provider = "cheap"
model = "gpt-4o-mini"
input = "1"
output = "2"
[[prices]]
provider = "dear"
model = "gpt-4o"
input = "2"
cached_input = "0.1"
output = "2"
"""
BOTH_CACHE = PRICES.replace('input = "1"\n', 'input = "1"\ncached_input = "0.5"\n')
BOTH = 'targets = ["cheap/gpt-4o-mini", "dear/gpt-4o"]\n'
ROUTES = {
    "heuristic": "",
    "cheapest": f'[routes.cheapest]\npolicy = "cheapest-that-fits"\n{BOTH}',
    "weighted": f'[routes.weighted]\npolicy = "weighted"\nweights = [1, 1]\n{BOTH}',
    "fixed": f"[routes.fixed]\n{BOTH}",
    "learned": '[routes.learned]\npolicy = "learned"\nsimple = "cheap/gpt-4o-mini"\nstrong = "dear/gpt-4o"\n'
    f"strong_share = 0.0\nartefact = '''\n{text_of('')}'''\n",
}
CHEAP, DEAR = "cheap/gpt-4o-mini", "dear/gpt-4o"
LONG = "word " * 8_000
TOKENS = {"prompt_tokens": 10_000, "completion_tokens": 20, "total_tokens": 10_020}
DOWN = Response(503, [JSON], b"{}")
TOOL = {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}
CALL = {"id": "call_1", "type": "function", "function": {"name": "look", "arguments": "{}"}}


def answer(request: Request, tokens: dict[str, int] = TOKENS) -> Response:
    """A good answer in the form that was asked for."""
    assert isinstance(request.body, bytes)
    if json.loads(request.body).get("stream"):
        said = [chunk({"role": "assistant", "content": "Yes."}), chunk({}, "stop")]
        return streamed(
            [*said, b"data: " + json.dumps(usage_chunk(tokens)).encode() + b"\n\n", DONE]
        )
    return Response(200, [JSON], json.dumps(completion("Yes.") | {"usage": tokens}).encode())


def usage_chunk(tokens: dict[str, int]) -> dict[str, Any]:
    return {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [], "usage": tokens}  # fmt: skip


class Net:
    """The two targets, each of which may be down."""

    def __init__(self) -> None:
        self.down: set[str] = set()
        self.tokens = TOKENS

    def __call__(self, request: Request) -> Response:
        host = request.target.decode().split("/")[2].partition(".")[0]
        return DOWN if host in self.down else answer(request, self.tokens)


def made(route: str, net: Callable[[Request], Response] | None = None, more: str = "") -> World:
    return World(net or Net(), more=PRICES + ROUTES[route] + more)


def user(text: str) -> dict[str, Any]:
    return {"role": "user", "content": text}


TURN = [user(LONG)]
NEXT = [*TURN, {"role": "assistant", "content": "Yes."}, user("thanks")]


async def ask(world: World, messages: Sequence[dict[str, Any]], model: str = "auto", **more: Any) -> str:  # fmt: skip
    """The target that answered."""
    how = {name: more.pop(name) for name in ("token", "headers") if name in more}
    given = {"model": model, "messages": list(messages), **more}
    response = await world.ask("/v1/chat/completions", given, **how)
    await read(response)
    assert response.status == 200
    return response.header("x-penstock-target") or ""


async def decided(world: World) -> dict[str, Any]:
    """The last decision's record."""
    await world.gateway.journal.flush()
    rows = await world.platform.tables.rows("select record from decisions order by request_id")
    found: dict[str, Any] = json.loads(rows[-1][0])
    return found


@pytest.mark.parametrize("stream", [False, True])
async def test_a_simple_turn_stays_where_the_conversation_is_warm(stream: bool) -> None:
    world = made("heuristic")
    assert await ask(world, TURN, stream=stream) == DEAR
    assert "warm" not in await decided(world)
    assert await ask(world, NEXT, stream=stream) == DEAR
    record = await decided(world)
    assert (record["reason"], record["ranks"]) == ("simple", [DEAR, CHEAP])
    told = record["warm"]
    assert (told["target"], told["instead_of"], told["tokens"]) == (DEAR, CHEAP, 9_984)
    assert told["saves_nanos"] > 0
    assert world.reports == []


async def test_a_turn_that_needs_the_stronger_one_gets_it() -> None:
    world = World(Net(), more=BOTH_CACHE)
    assert await ask(world, [user("hello"), user("ok " * 100), *NEXT[1:]]) == CHEAP
    hard = [user("hello"), user("ok " * 100), *NEXT[1:], *NEXT[1:2], user("explain this")]
    assert await ask(world, hard) == DEAR
    assert "warm" not in await decided(world)


@pytest.mark.parametrize("route", ["cheapest", "learned"])
async def test_a_fall_back_that_became_warm_stays_first_while_it_is_cheaper(route: str) -> None:
    net = Net()
    world = made(route, net)
    net.down = {"cheap"}
    assert await ask(world, TURN, route) == DEAR
    net.down = set()
    assert await ask(world, NEXT, route) == DEAR
    assert (await decided(world))["warm"]["instead_of"] == CHEAP
    assert await ask(world, [user("another " + LONG), *NEXT[1:]], route) == CHEAP


async def test_an_order_that_the_operator_fixed_stands() -> None:
    net = Net()
    world = made("fixed", net)
    net.down = {"cheap"}
    assert await ask(world, TURN, "fixed") == DEAR
    net.down = set()
    assert await ask(world, NEXT, "fixed") == CHEAP
    assert "warm" not in await decided(world)


async def _two_turns_each(world: World) -> tuple[list[str], list[str], int]:
    """Who answered first and second in twelve conversations of a split, and how many were kept from going elsewhere."""
    turns = [[user(f"{at} {LONG}")] for at in range(12)]
    first = [await ask(world, turn, "weighted") for turn in turns]
    then, kept = [], 0
    for turn in turns:
        then.append(await ask(world, [*turn, *NEXT[1:]], "weighted"))
        kept += "instead_of" in (await decided(world)).get("warm", {})
    return first, then, kept


async def test_the_log_of_requests_says_that_it_was_warm() -> None:
    world = made("heuristic")
    told = []
    for messages in (TURN, NEXT):
        await ask(world, messages)
        listed = await read_json(world, "/admin/requests")
        id = listed["requests"][0]["id"]
        told.append((await read_json(world, f"/admin/requests/{id}"))["decision"]["warm"])
    cold, warm = told
    assert cold is None
    saves = int(warm.pop("savesNanos"))
    assert saves > 0
    assert warm == {"target": DEAR, "deployment": None, "tokens": 9_984, "insteadOf": CHEAP}


async def read_json(world: World, path: str) -> dict[str, Any]:
    response = await world.get(path, token=world.token(role="admin"))
    assert response.status == 200
    found: dict[str, Any] = json.loads(await read(response))
    return found


async def test_a_split_is_by_conversations_once_they_are_long() -> None:
    world = World(Net(), more=BOTH_CACHE + ROUTES["weighted"])
    first, then, kept = await _two_turns_each(world)
    assert set(first) == {CHEAP, DEAR}
    assert then == first
    assert 0 < kept < 12


async def test_a_split_that_cannot_keep_all_its_conversations_keeps_none() -> None:
    first, then, kept = await _two_turns_each(made("weighted"))
    assert (set(first), set(then), kept) == ({CHEAP, DEAR}, {CHEAP, DEAR}, 0)


async def test_a_mark_is_over_after_five_minutes() -> None:
    world = made("heuristic")
    await ask(world, TURN)
    world.platform.clock.advance(affinity.SECONDS + 1)
    assert await ask(world, NEXT) == CHEAP
    assert "warm" not in await decided(world)


async def test_nobody_elses_conversation_and_no_other_routes_counts() -> None:
    more = '[routes.other]\npolicy = "heuristic"\nsimple = "cheap/gpt-4o-mini"\nmedium = "cheap/gpt-4o-mini"\nstrong = "dear/gpt-4o"\n'
    world = made("heuristic", more=more)
    assert await ask(world, TURN) == DEAR
    assert await ask(world, NEXT, token=world.token("bob")) == CHEAP
    assert await ask(world, NEXT, "other") == CHEAP
    assert await ask(world, NEXT) == DEAR


async def test_another_beginning_or_other_tools_are_cold() -> None:
    world = made("heuristic")
    await ask(world, TURN, tools=[TOOL])
    assert await ask(world, NEXT) == CHEAP
    assert await ask(world, [user("And " + LONG), *NEXT[1:]], tools=[TOOL]) == CHEAP
    assert await ask(world, NEXT, tools=[TOOL], temperature=0.5) == DEAR


async def test_a_tools_results_are_a_next_turn_too() -> None:
    world = made("heuristic")
    await ask(world, TURN, tools=[TOOL])
    called = {"role": "assistant", "content": None, "tool_calls": [CALL]}
    result = {"role": "tool", "tool_call_id": "call_1", "content": "found"}
    assert await ask(world, [*TURN, called, result], tools=[TOOL]) == DEAR
    told = [*TURN, called, result, NEXT[1], user("thanks")]
    assert await ask(world, told, tools=[TOOL]) == DEAR


async def test_a_warm_target_that_keeps_failing_is_not_put_first() -> None:
    net = Net()
    world = made("heuristic", net)
    await ask(world, TURN)
    net.down = {"dear"}
    for at in range(5):
        assert await ask(world, [user(f"{at} explain")]) == CHEAP
    before = len(world.platform.fetch.requests)
    assert await ask(world, NEXT) == CHEAP
    assert len(world.platform.fetch.requests) == before + 1
    net.down = set()
    world.platform.clock.advance(31)
    assert await ask(world, [*TURN, NEXT[1], user("thank you")]) == DEAR


async def test_a_warm_target_that_fails_now_is_followed_by_the_policys_own() -> None:
    net = Net()
    world = made("heuristic", net)
    await ask(world, TURN)
    net.down = {"dear"}
    assert await ask(world, NEXT) == CHEAP
    assert await world.stages() == {"reserve": 2, "dispatched": 3, "settled": 2}


async def test_what_is_reserved_is_the_dearest_that_may_be_tried() -> None:
    world = made("heuristic", more="[[budgets]]\nper = 'user'\nperiod = 'day'\nmoney = '10'\n")
    await ask(world, TURN)
    cold = (await decided(world))["reserved_nanos"]
    await ask(world, NEXT)
    assert (await decided(world))["reserved_nanos"] >= cold


@pytest.mark.parametrize(("tokens", "then"), [(1_023, CHEAP), (1_100, DEAR)])
async def test_a_prompt_that_no_provider_caches_is_cold(tokens: int, then: str) -> None:
    net = Net()
    net.tokens = {"prompt_tokens": tokens, "completion_tokens": 9, "total_tokens": tokens + 9}
    world = made("heuristic", net)
    assert await ask(world, TURN) == DEAR
    assert await ask(world, NEXT) == then


async def test_no_more_is_reserved_than_without() -> None:
    once = (
        '[routes.x]\npolicy = "heuristic"\nsimple = "cheap/gpt-4o-mini"\nmedium = "cheap/gpt-4o-mini"\n'
        'strong = "dear/gpt-4o"\nattempts = 1\n'
    )
    world = made("heuristic", more=once)
    assert await ask(world, TURN, "x") == DEAR
    assert await ask(world, NEXT, "x") == CHEAP


MANY = """
[providers.many]
kind = "openai"
deployments = [
  { name = "a", url = "http://a.test/v1", key = "sk-a" }, { name = "b", url = "http://b.test/v1", key = "sk-b" },
]
[[targets]]
provider = "many"
model = "gpt-4o"
"""


def asked(world: World) -> list[str]:
    return [one.target.decode().split("/")[2][0] for one in world.platform.fetch.requests]


async def test_a_conversation_stays_with_its_deployment() -> None:
    world = made("heuristic", more=MANY)
    for text in ("one ", "two "):
        turn = [user(text + LONG)]
        await ask(world, turn, "many/gpt-4o")
        for _ in range(3):
            turn += NEXT[1:]
            await ask(world, turn, "many/gpt-4o")
    assert asked(world) == ["a"] * 4 + ["b"] * 4
    told = (await decided(world))["warm"]
    assert told == {"target": "many/gpt-4o", "tokens": 9_984, "deployment": "b"}


async def test_a_deployment_that_is_cooling_is_left_for_the_other() -> None:
    net = Net()
    world = made("heuristic", net, more=MANY)
    await ask(world, TURN, "many/gpt-4o")
    busy = Response(429, [JSON, ("retry-after", "30")], b"{}")
    world.platform.fetch.handler = lambda request: busy if b"//a." in request.target else net(request)  # fmt: skip
    for text in ("thanks", "thank you"):
        await ask(world, [*TURN, NEXT[1], user(text)], "many/gpt-4o")
    assert asked(world) == ["a", "a", "b", "b"]
