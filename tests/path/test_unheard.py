"""A reserve that was written though nobody heard of it: nothing was sent, so nothing of it is charged or stays held."""

from __future__ import annotations

from typing import Any

import pytest

from penstock.errors import Unavailable, Unheard
from tests.path.test_idempotency import KEY, NO_STORE, calls, code
from tests.path.world import World

BUDGET = """
[[budgets]]
per = "user"
period = "month"
money = "1.00"
"""


def deaf(world: World, monkeypatch: pytest.MonkeyPatch, away: int) -> None:
    """The first reserve's reply is lost, and the books are out of reach for so many batches after it."""
    batch, left = world.platform.tables.batch, [away]
    heard = [False]

    async def once(*statements: Any) -> Any:
        if not heard[0] and any("'reserve'" in sql for sql, _ in statements):
            heard[0] = True
            await batch(*statements)
            raise Unheard
        if heard[0] and left[0]:
            left[0] -= 1
            raise Unavailable
        return await batch(*statements)

    monkeypatch.setattr(world.platform.tables, "batch", once)


@pytest.mark.parametrize("away", [0, 2])
async def test_it_is_released_once_the_books_are_back(
    away: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(more=BUDGET)
    deaf(world, monkeypatch, away)
    assert await code(await world.chat()) == (503, "service_unavailable")
    assert (await world.stages()).get("released", 0) == 0
    await world.platform.clock.run(30)
    assert (await world.stages())["released"] == 1
    assert await world.platform.tables.rows("select reserved, spent from budgets") == [(0, 0)]
    assert calls(world) == 0


async def test_its_key_may_be_used_again_and_is_charged_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World(more=BUDGET)
    deaf(world, monkeypatch, 0)
    assert (await world.chat(headers=[*KEY, NO_STORE])).status == 503
    assert (await world.chat(headers=[*KEY, NO_STORE])).status == 200
    await world.platform.clock.run(30)
    stages = await world.stages()
    assert (stages["released"], stages["settled"], stages.get("estimated", 0)) == (1, 1, 0)
    [(reserved, spent)] = await world.platform.tables.rows("select reserved, spent from budgets")
    [(charged,)] = await world.platform.tables.rows(
        "select sum(amount_nanos) from ledger where stage = 'final'"
    )
    assert (reserved, spent) == (0, charged)
    assert calls(world) == 1
