"""Stripe's webhook while the billing service fails: what waits, what is delivered again, what is given up."""

from __future__ import annotations

import asyncio
import json

from penstock.auth.signatures import verified
from penstock.gateway.webhook import MOST_AT_ONCE
from penstock.ledger.webhooks import LEASE_MS
from penstock.wire.http import Request, Response
from tests.path.test_webhook import EVENT, HOUR, MINUTE, NEW, Hooked
from tests.path.world import body


async def test_a_delivery_that_hangs_is_cut_and_made_again():
    world = Hooked()
    never = asyncio.Event()

    async def hang(request: Request) -> Response:
        await never.wait()
        return Response(200)

    world.answer = hang
    await world.hook()
    await world.reached(1)
    await world.platform.clock.run(20)
    await world.done()
    assert await world.rows() == [("evt_1", EVENT.decode(), 1, 0, "")]
    world.answer = lambda request: Response(200)
    await world.passes(10)
    assert [row[4] for row in await world.rows()] == ["delivered"]


async def test_while_deliveries_hang_what_comes_waits_in_the_table():
    world = Hooked()
    never = asyncio.Event()

    async def hang(request: Request) -> Response:
        await never.wait()
        return Response(200)

    world.answer = hang
    for number in range(MOST_AT_ONCE + 3):
        assert (await world.hook(json.dumps({"id": f"evt_{number}"}).encode())).status == 200
        await world.reached(min(number + 1, MOST_AT_ONCE))
    assert len(world.seen) == MOST_AT_ONCE
    world.answer = lambda request: Response(200)
    await world.platform.clock.run(20)
    await world.done()
    await world.passes(LEASE_MS / 1000)
    await world.passes(1)
    assert {row[4] for row in await world.rows()} == {"delivered"}
    assert world.counts["billing.test"] == 2 * MOST_AT_ONCE + 3
    # There is room again.
    await world.hook(b'{"id": "evt_last"}')
    await world.done()
    assert world.last.body == b'{"id": "evt_last"}'


async def test_after_three_days_it_is_given_up_and_kept_for_a_while(caplog):
    world = Hooked()
    world.answer = lambda request: Response(500)
    await world.hook()
    await world.done()
    for _ in range(90):
        await world.passes(HOUR)
    [(_, _, attempts, status, outcome)] = await world.rows()
    assert (status, outcome) == (500, "given_up")
    assert 70 < attempts < 80
    said = "Stripe's event evt_1 is given up; the last reply was 500."
    assert [line.getMessage() for line in caplog.records] == [said]
    await world.passes(41 * 24 * HOUR)
    assert await world.rows() == []


async def test_one_that_was_given_up_is_delivered_where_stripe_sends_it_again():
    world = Hooked()
    world.answer = lambda request: Response(500)
    await world.hook()
    await world.done()
    for _ in range(90):
        await world.passes(HOUR)
    tried = world.counts["billing.test"]
    counted = EVENT.replace(b'"pending_webhooks": 1', b'"pending_webhooks": 0')
    replies = await asyncio.gather(*(world.hook(counted) for _ in range(5)))
    told = [(await body(reply))["duplicate"] for reply in replies]
    assert sorted(told) == [False] + [True] * 4
    await world.done()
    assert world.counts["billing.test"] == tried + 1
    assert await world.rows() == [("evt_1", counted.decode(), 1, 500, "")]
    world.answer = lambda request: Response(200)
    await world.passes(10)
    assert world.last.body == counted
    [header] = world.sent("stripe-signature")
    assert verified(header, counted, (NEW,), world.platform.clock.now())
    assert [row[2:] for row in await world.rows()] == [(2, 200, "delivered")]
    assert (await body(await world.hook(counted)))["duplicate"] is True


async def test_one_that_is_refused_holds_up_no_other():
    world = Hooked()

    def picky(request: Request) -> Response:
        assert isinstance(request.body, bytes)
        return Response(500 if b"evt_bad" in request.body else 200)

    world.answer = picky
    for name in ("evt_bad", "evt_2", "evt_3"):
        await world.hook(json.dumps({"id": name}).encode())
    await world.done()
    await world.passes(MINUTE)
    assert [(row[0], row[4]) for row in await world.rows()] == [
        ("evt_2", "delivered"), ("evt_3", "delivered"), ("evt_bad", ""),
    ]  # fmt: skip
