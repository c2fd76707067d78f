"""Shadows: what they leave alone that is not a plain chat, and their money while the books are out of reach."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from penstock.errors import Unavailable, Unheard
from tests.path.asking import MODEL, Asking
from tests.path.documents import WALRUS
from tests.path.shadows import EASY, SHADOW, hosts, made, outcomes, settled


async def test_questions_to_documents_get_none_and_their_passages_are_not_kept() -> None:
    shadow = SHADOW.replace("judge/gpt-4o-mini", "two/gpt-4o")
    more = f'{MODEL}{shadow}\n[tenants.default]\ntexts = "all"\n'
    world = Asking(more)
    assert (await world.put(WALRUS, "walrus.md")).status == 201
    assert (await world.query()).status == 200
    assert await settled(world) == []
    await world.gateway.journal.flush()
    assert len(world.chats) == 1
    assert await world.platform.tables.rows("select messages from prompts") == []


async def test_what_was_used_is_settled_when_the_books_are_back() -> None:
    world = made()
    tables, put = world.platform.tables, world.platform.tables.batch
    out = True

    async def batch(*statements: Any) -> Any:
        if out and any({"settled", "/shadow"} <= {*values} for _, values in statements):
            raise Unavailable
        return await put(*statements)

    tables.batch = batch  # type: ignore[method-assign]  # the books of this world fail
    await world.chat(EASY)
    for _ in range(1_000):
        await asyncio.sleep(0)
    out = False
    world.platform.clock.advance(120)
    assert len(await settled(world)) == 1
    assert "estimated" not in await world.stages()


async def test_a_label_whose_write_was_not_heard_of_is_written_once() -> None:
    world = made()
    tables, put = world.platform.tables, world.platform.tables.batch
    lost: list[bool] = []

    async def batch(*statements: Any) -> Any:
        found = await put(*statements)
        if not lost and "insert into labels" in statements[0][0]:
            lost.append(True)
            raise Unheard
        return found

    tables.batch = batch  # type: ignore[method-assign]  # the books of this world fail
    await world.chat(EASY)
    for _ in range(1_000):
        await asyncio.sleep(0)
    world.platform.clock.advance(120)
    assert len(await settled(world)) == 1
    assert outcomes(world) == {"labelled": 1}


@pytest.mark.parametrize("side", ["judge/gpt-4o-mini", "judge/nobody-priced-it"])
async def test_what_has_no_price_is_asked_nothing_for_no_money_could_be_held(side: str) -> None:
    more = '[[targets]]\nprovider = "judge"\nmodel = "nobody-priced-it"\n'
    shadow = SHADOW.replace("judge/gpt-4o-mini", side)
    if side == "judge/gpt-4o-mini":  # the judge has a price, and the other side none
        shadow = shadow.replace(" }", ', strong = "judge/nobody-priced-it" }')
    world = made(shadow=shadow, more=more)
    assert (await world.chat(EASY)).status == 200
    assert await settled(world) == []
    assert hosts(world) == ["cheap"]
    assert outcomes(world) == {"unpriced": 1}
