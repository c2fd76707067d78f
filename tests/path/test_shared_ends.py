"""What several wait for together, and its end: a leader who leaves while it pays, a failure that is told to each."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from penstock.errors import Broken, Error
from penstock.gateway import Gateway
from penstock.wire.http import Request, Response
from tests.path.test_embeddings_shared import Shared, caches
from tests.path.world import World


async def test_a_leader_who_leaves_while_it_pays_leaves_what_it_paid_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = Shared()
    tables = world.platform.tables
    works, settling = tables.batch, asyncio.Event()

    async def slowly(*statements: Any) -> Any:
        written = await works(*statements)
        if any("'final'" in sql for sql, _ in statements) and not settling.is_set():
            settling.set()
            await asyncio.Event().wait()
        return written

    monkeypatch.setattr(tables, "batch", slowly)
    leader, *followers = await world.begin("a", 3)
    world.slow.go.set()
    await settling.wait()
    leader.cancel()
    await asyncio.wait([leader])
    assert leader.cancelled()
    told = await world.end(*followers)
    assert caches(told) == {"hit": 2}
    assert world.inputs == [["a"]]
    assert (await world.embed("a")).header("x-penstock-cache") == "hit"


def heard(monkeypatch: pytest.MonkeyPatch, gateway: Gateway) -> list[Error]:
    """The errors that the gateway is about to tell."""
    found: list[Error] = []
    refusal = gateway.names.refusal

    def told(exchange: Any, error: Error) -> Error:
        found.append(error)
        return refusal(exchange, error)

    monkeypatch.setattr(gateway.names, "refusal", told)
    return found


def of_its_own(errors: list[Error]) -> bool:
    """Whether each is an object of its own that says the same."""
    same = {(type(error), str(vars(error))) for error in errors}
    return len({id(error) for error in errors}) == len(errors) and len(same) == 1


async def test_each_who_waited_for_a_text_has_the_failure_for_itself(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = Shared(Broken("gone"))
    errors = heard(monkeypatch, world.gateway)
    await world.end(*await world.begin("a", 3))
    assert len(errors) == 3
    assert of_its_own(errors)


async def test_each_who_waited_for_an_answer_has_the_failure_for_itself(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    go = asyncio.Event()

    async def fails(request: Request) -> Response:
        await go.wait()
        raise Broken("gone")

    world = World(fails)
    errors = heard(monkeypatch, world.gateway)
    asked = [asyncio.create_task(world.chat()) for _ in range(3)]
    await world.platform.clock.run(0)
    go.set()
    await asyncio.wait(asked)
    assert len(world.platform.fetch.requests) == 1
    assert len(errors) == 3
    assert of_its_own(errors)
