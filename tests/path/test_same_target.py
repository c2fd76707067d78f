"""What the same target would only refuse again is not asked of it again; another target may do better."""

from __future__ import annotations

import asyncio

import pytest

from penstock.wire.http import Request, Response
from tests.path.world import World, body, whole


async def asked(world: World, model: str) -> Response:
    """A chat while time passes, for tries that wait."""
    task = asyncio.create_task(world.chat("hello", model=model))
    while not task.done():
        await world.platform.clock.run(1)
    return task.result()


@pytest.mark.parametrize("status", [301, 401, 403, 404])
async def test_a_lasting_refusal_is_asked_for_once(status: int) -> None:
    world = World(lambda request: Response(status, [("location", "http://other.test")], b"{}"))
    response = await asked(world, "gpt-4o-mini")
    assert response.status == 502
    assert (await body(response))["error"]["type"] == "server_error"
    assert len(world.platform.fetch.requests) == 1
    assert await world.stages() == {"reserve": 1, "dispatched": 1, "released": 1}


@pytest.mark.parametrize("status", [401, 403, 404])
async def test_another_target_is_asked_all_the_same(status: int) -> None:
    def upstream(request: Request) -> Response:
        if b"cheap.test" in request.target:
            return Response(status, [("content-type", "application/json")], b"{}")
        return whole("from the other")

    world = World(upstream)
    response = await asked(world, "auto")
    assert response.status == 200
    assert response.header("x-penstock-target") == "dear/gpt-4o"
    assert len(world.platform.fetch.requests) == 2


@pytest.mark.parametrize("status", [429, 503])
async def test_what_passes_by_itself_is_tried_again(status: int) -> None:
    replies = [Response(status, [("retry-after", "1")], b"{}"), whole("at last")]
    world = World(lambda request: replies.pop(0))
    response = await asked(world, "gpt-4o-mini")
    assert response.status == 200
    assert (await world.stages())["settled"] == 1
