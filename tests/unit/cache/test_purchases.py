"""A purchase is found while it is open, and leaves nobody waiting when it ends."""

from __future__ import annotations

import asyncio

from penstock.cache.purchases import Purchases
from penstock.wire.embeddings import Embedded


async def test_who_comes_after_finds_it_until_it_ends() -> None:
    purchases = Purchases()
    assert purchases.find("a") is None
    one = purchases.begin("a")
    assert purchases.find("a") is one
    assert purchases.find("b") is None
    purchases.end("a", one)
    assert purchases.find("a") is None
    assert one.result() is None


async def test_what_it_brought_stays_its_result() -> None:
    purchases, item = Purchases(), Embedded([1.0], 1)
    one = purchases.begin("a")
    one.set_result(item)
    purchases.end("a", one)
    assert one.result() is item


async def test_one_that_took_its_place_stays() -> None:
    purchases = Purchases()
    hung, other = purchases.begin("a"), purchases.begin("a")
    purchases.end("a", hung)
    assert purchases.find("a") is other


async def test_who_waits_and_is_cancelled_leaves_it_alone() -> None:
    purchases = Purchases()
    one = purchases.begin("a")
    waiting = asyncio.create_task(asyncio.wait([one]))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait([waiting])
    assert not one.done()
    purchases.end("a", one)
