"""Feedback: on one's own requests only, bounded, the last word counts; dropped when it is old."""

from __future__ import annotations

from typing import Any

import pytest

from penstock.gateway.upkeep import upkeep
from penstock.ledger import days, feedback
from penstock.wire.http import Response
from tests.path.world import World, body


async def asked(world: World, **more: Any) -> str:
    """The id of a request that was answered."""
    response = await world.chat(**more)
    assert response.status == 200
    return str(next(value for name, value in response.headers if name == "x-request-id"))


async def say(world: World, request_id: str, token: str = "", **told: Any) -> Response:
    return await world.ask("/v1/feedback", {"request_id": request_id, **told}, token=token)


async def kept(world: World, request_id: str) -> dict[str, float]:
    return await feedback.of(world.platform.tables, request_id)


async def test_the_last_word_under_each_name_counts() -> None:
    world = World()
    request = await asked(world)
    assert await body(await say(world, request, score=-1)) == {
        "request_id": request,
        "name": "score",
        "value": -1.0,
    }
    assert (await say(world, request, score=0.5)).status == 200
    assert (await say(world, request, name="resolved", value=True)).status == 200
    assert (await say(world, request, name="seconds", value=12.5)).status == 200
    assert await kept(world, request) == {"score": 0.5, "resolved": 1.0, "seconds": 12.5}


async def test_an_answer_from_the_cache_is_known_at_once() -> None:
    world = World()
    await asked(world)
    hit = await asked(world)
    assert (await say(world, hit, score=1)).status == 200
    assert await kept(world, hit) == {"score": 1.0}


async def test_what_is_not_ones_own_looks_like_what_does_not_exist() -> None:
    world = World()
    request = await asked(world)
    others = [world.token("bob"), world.token("alice", tenant="acme")]
    refused = [await say(world, request, token, score=1) for token in others]
    refused.append(await say(world, "req_nobody", score=1))
    found = [(one.status, await body(one)) for one in refused]
    assert found[0][0] == 404
    assert found[1:] == found[:1] * 2
    assert await kept(world, request) == {}


@pytest.mark.parametrize(
    ("told", "param"),
    [
        ({}, "name"),
        ({"score": 1.1}, "score"),
        ({"score": "1"}, "score"),
        ({"score": True}, "score"),
        ({"score": 1, "name": "a"}, "score"),
        ({"name": "a"}, "value"),
        ({"value": 1}, "name"),
        ({"name": "a b", "value": 1}, "name"),
        ({"name": "a\n", "value": 1}, "name"),
        ({"name": "score", "value": 2}, "value"),
        ({"name": "a", "value": 1e10}, "value"),
        ({"name": "a", "value": "text"}, "value"),
        ({"score": 1, "more": 1}, None),
        ({"score": 1, "request_id": "req_1.1"}, "request_id"),
    ],
)
async def test_what_it_may_be(told: dict[str, Any], param: str | None) -> None:
    world = World()
    request = await asked(world)
    response = await world.ask("/v1/feedback", {"request_id": request, **told})
    error = (await body(response))["error"]
    assert (response.status, error["code"], error["param"]) == (400, "invalid_field", param)
    assert await kept(world, request) == {}


async def test_a_request_has_so_many_names_and_no_more() -> None:
    world = World()
    request = await asked(world)
    for number in range(feedback.MOST_NAMES):
        assert (await say(world, request, name=f"n{number}", value=number)).status == 200
    refused = await say(world, request, name="more", value=1)
    assert (refused.status, (await body(refused))["error"]["param"]) == (400, "name")
    assert (await say(world, request, name="n0", value=7)).status == 200
    found = await kept(world, request)
    assert (len(found), found["n0"]) == (feedback.MOST_NAMES, 7.0)


async def test_it_needs_the_scope_and_counts_to_the_rate_of_other_paths() -> None:
    world = World(more="[limits]\nother = { requests = 2, window = 3600 }\n")
    request = await asked(world)
    assert (await say(world, request, world.token(scope="embed"), score=1)).status == 403
    assert (await say(world, request, score=1)).status == 200
    assert (await say(world, request, score=1)).status == 429
    assert (await world.ask("/v1/feedback", {}, token=None)).status == 401


async def test_it_is_dropped_when_it_is_old() -> None:
    world = World(more="[labels]\nretention_days = 2\n")
    request = await asked(world)
    await say(world, request, score=1)
    world.platform.clock.advance(days.DAY_MS / 1000)
    await say(world, request, name="later", value=1, token=world.token())
    world.platform.clock.advance(days.DAY_MS / 1000 + 1)
    await upkeep(world.gateway)
    assert await kept(world, request) == {"later": 1.0}
