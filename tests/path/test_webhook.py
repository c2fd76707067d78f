"""Stripe's webhook: what is taken, stored once and delivered as it came, and delivered again until it is."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from penstock.auth.signatures import signed, verified
from penstock.errors import Unavailable
from penstock.gateway.upkeep import upkeep
from penstock.ledger import webhooks
from penstock.wire.http import Request, Response
from tests.path.services import Served
from tests.path.world import body, read

OLD, NEW = "whsec_old", "whsec_new"
BILLING = f"""
[billing]
webhook_secrets = ["{NEW}", "{OLD}"]
[services.billing]
backends = [{{ url = "http://billing.test" }}]
"""
EVENT = b'{ "id": "evt_1",\n "object" : "event", "pending_webhooks": 1 }'
MINUTE = 60
HOUR = 3600


class Hooked(Served):
    """A world whose billing service a test answers for; `down` tables refuse batches."""

    def __init__(self, more: str = BILLING, **kinds: Any) -> None:
        super().__init__(more, **kinds)
        self.answer: Any = lambda request: Response(200)
        self.otherwise = lambda request: self.answer(request)

    def signature(self, data: bytes, secret: str = NEW, off: int = 0) -> str:
        return signed(data, secret, self.platform.clock.now() + off)

    async def hook(
        self, data: bytes = EVENT, header: str | None = None, path: str = "/api/billing/webhook"
    ) -> Response:
        header = self.signature(data) if header is None else header
        return await self.ask(path, data, token=None, headers=[("stripe-signature", header)])

    async def done(self) -> None:
        """What goes on behind replies has ended."""
        await self.platform.spawn.join()

    async def rows(self) -> list[tuple[Any, ...]]:
        sql = "select id, body, attempts, status, outcome from webhook_events order by id"
        return [*map(tuple, await self.platform.tables.rows(sql))]

    async def passes(self, seconds: float) -> None:
        """Time passes, and a pass of the upkeep comes."""
        self.platform.clock.advance(seconds)
        await upkeep(self.gateway)


async def test_an_event_is_stored_and_delivered_byte_for_byte():
    world = Hooked()
    reply = await world.hook()
    assert (reply.status, await body(reply)) == (200, {"received": True, "duplicate": False})
    await world.done()
    [sent] = world.seen
    assert (sent.method, sent.target) == ("POST", b"http://billing.test/api/billing/webhook")
    assert sent.body == EVENT
    assert world.sent("stripe-signature") == [world.signature(EVENT)]
    assert world.sent("content-type") == ["application/json"]
    assert await world.rows() == [("evt_1", EVENT.decode(), 1, 200, "delivered")]


async def test_a_service_calls_it_otherwise():
    world = Hooked(BILLING + 'rewrite = { webhook = "hooks" }\n')
    await world.hook()
    await world.done()
    assert world.last.target == b"http://billing.test/api/billing/hooks"


async def test_a_services_own_name_for_it_is_no_way_past_the_signature():
    world = Hooked(BILLING + 'rewrite = { webhook = "hooks" }\n')
    for path in ("/api/billing/hooks", "/api/billing/Hooks/", "/api/billing/hooks/x"):
        for token in (None, world.token()):
            signature = [("stripe-signature", world.signature(EVENT))]
            assert (await world.ask(path, EVENT, token=token, headers=signature)).status in (
                401,
                404,
            )
    assert world.seen == []


async def test_a_repeat_is_told_so_and_goes_no_further():
    world = Hooked()
    first = world.signature(EVENT)
    counted = EVENT.replace(b'"pending_webhooks": 1', b'"pending_webhooks": 0')
    for data in (EVENT, EVENT, counted):
        reply = await world.hook(data, first if data == EVENT else None)
        assert (await body(reply))["duplicate"] is (world.counts["billing.test"] > 0)
        await world.done()
    assert world.counts["billing.test"] == 1
    assert len(await world.rows()) == 1


async def test_of_two_at_once_one_is_stored_and_both_are_told():
    world = Hooked()
    replies = await asyncio.gather(*(world.hook() for _ in range(20)))
    assert [reply.status for reply in replies] == [200] * 20
    told = [(await body(reply))["duplicate"] for reply in replies]
    assert sorted(told) == [False] + [True] * 19
    await world.done()
    assert world.counts["billing.test"] == 1


async def test_an_id_with_another_event_changes_nothing():
    world = Hooked()
    await world.hook()
    other = b'{"id": "evt_1", "object": "event", "amount": 1}'
    reply = await world.hook(other)
    assert (reply.status, (await body(reply))["code"]) == (409, "event_id_reused")
    await world.done()
    assert [row[1] for row in await world.rows()] == [EVENT.decode()]
    assert world.last.body == EVENT


@pytest.mark.parametrize("secret", [OLD, NEW])
async def test_each_of_the_rotating_secrets_is_taken(secret):
    world = Hooked()
    assert (await world.hook(header=world.signature(EVENT, secret))).status == 200


@pytest.mark.parametrize(("off", "status"), [(300, 200), (301, 400), (-300, 200), (-301, 400)])
async def test_the_time_counts_both_ways(off, status):
    world = Hooked()
    assert (await world.hook(header=world.signature(EVENT, off=off))).status == status
    assert len(await world.rows()) == (status == 200)


@pytest.mark.parametrize(
    "change",
    [
        lambda header: "",
        lambda header: "nonsense",
        lambda header: header.replace("v1=", "v0="),
        lambda header: header[:-1] + ("0" if header[-1] != "0" else "1"),
        lambda header: header.replace("t=1", "t=2"),
    ],
)
async def test_what_is_not_signed_is_refused_and_not_stored(change):
    world = Hooked()
    reply = await world.hook(header=change(world.signature(EVENT)))
    assert (reply.status, (await body(reply))["code"]) == (400, "invalid_signature")
    assert await world.rows() == []
    assert world.seen == []


@pytest.mark.parametrize(
    "data", [EVENT + b" ", EVENT.replace(b" ", b""), EVENT.replace(b"evt_1", b"evt_2")]
)
async def test_a_changed_body_is_refused(data):
    world = Hooked()
    assert (await world.hook(data, world.signature(EVENT))).status == 400


async def test_two_signatures_headers_are_refused():
    world = Hooked()
    header = ("stripe-signature", world.signature(EVENT))
    reply = await world.ask("/api/billing/webhook", EVENT, token=None, headers=[header, header])
    assert reply.status == 400


@pytest.mark.parametrize(
    "data",
    [b"", b"[]", b"{}", b'{"id": 1}', b'{"id": ""}', b'{"id": "a b"}', b'{"id": "evt_1", "id": "evt_2"}',
     b'{"id": "' + b"x" * 256 + b'"}', b'{"id": "evt\\u0000"}', b"\xff\xfe", b'{"id": "evt_1", "x": "\x00"}'],
)  # fmt: skip
async def test_what_is_signed_and_no_event_is_refused(data):
    world = Hooked()
    assert (await world.hook(data)).status == 400
    assert await world.rows() == []


async def test_too_large_an_event_is_refused():
    world = Hooked()
    large = b'{"id": "evt_1", "x": "' + b"x" * (1 << 20) + b'"}'
    assert (await world.hook(large)).status == 413
    assert await world.rows() == []


async def test_without_a_secret_there_is_no_route():
    world = Hooked(BILLING.replace(f'webhook_secrets = ["{NEW}", "{OLD}"]', ""))
    for token in (None, world.token()):
        header = ("stripe-signature", world.signature(EVENT))
        reply = await world.ask("/api/billing/webhook", EVENT, token=token, headers=[header])
        assert reply.status == 404
    assert world.seen == []


async def test_the_environment_names_secrets_where_no_file_does():
    env = {
        "STRIPE_WEBHOOK_SECRET": f"{OLD}, {NEW}",
        "JWT_SECRET": "x" * 32,
        "BILLING_SERVICE_URL": "http://billing.test",
    }
    world = Hooked("", env=env)
    assert world.gateway.config.billing.webhook_secrets == (OLD, NEW)
    assert (await world.hook()).status == 200


async def test_without_a_service_nothing_is_taken():
    world = Hooked(f'[billing]\nwebhook_secrets = ["{NEW}"]\n')
    assert (await world.hook()).status == 503
    assert await world.rows() == []


@pytest.mark.parametrize("path", ["/api/billing/webhook/x", "/api/billing/Webhook", "/api/billing"])
async def test_only_the_one_path_is_held_by_a_signature(path):
    world = Hooked()
    assert (await world.hook(path=path)).status in (401, 404)
    assert await world.rows() == []
    assert (await world.get("/api/billing/webhook", token=None)).status == 401


class Away:
    """Tables that refuse batches."""

    def __init__(self, tables: Any) -> None:
        self._tables = tables
        self.down = True

    def __getattr__(self, name: str) -> Any:
        return getattr(self._tables, name)

    async def batch(self, *statements: Any) -> Any:
        if self.down:
            raise Unavailable("The tables are out of reach.")
        return await self._tables.batch(*statements)


async def test_while_the_tables_are_away_stripe_is_told_to_send_it_again():
    world = Hooked()
    away: Any = Away(world.platform.tables)
    world.gateway.platform = replace(world.platform, tables=away)
    assert (await world.hook()).status == 503
    assert world.seen == []
    away.down = False
    assert (await world.hook()).status == 200
    await world.done()
    assert world.counts["billing.test"] == 1


@pytest.mark.parametrize("status", [400, 404, 500, 503, 302])
async def test_what_the_service_refuses_is_delivered_again_later_each_time(status):
    world = Hooked()
    world.answer = lambda request: Response(status)
    assert (await world.hook()).status == 200
    await world.done()
    assert await world.rows() == [("evt_1", EVENT.decode(), 1, status, "")]
    await world.passes(9)
    assert world.counts["billing.test"] == 1
    await world.passes(1)
    assert world.counts["billing.test"] == 2
    await world.passes(29)
    assert world.counts["billing.test"] == 2
    world.answer = lambda request: Response(204)
    await world.passes(1)
    assert world.counts["billing.test"] == 3
    assert [sent.body for sent in world.seen] == [EVENT] * 3
    await world.passes(HOUR)
    assert world.counts["billing.test"] == 3
    assert await world.rows() == [("evt_1", EVENT.decode(), 3, 204, "delivered")]


async def test_a_late_delivery_is_signed_anew_so_that_a_service_that_checks_takes_it():
    world = Hooked()
    world.down("billing.test")
    await world.hook()
    await world.done()
    await world.passes(10)
    assert world.sent("stripe-signature") == [signed(EVENT, NEW, 1_800_000_000)]
    world.answer = lambda request: Response(200)
    del world.backends["billing.test"]
    await world.passes(HOUR)
    [header] = world.sent("stripe-signature")
    assert verified(header, EVENT, (NEW,), world.platform.clock.now())
    assert [row[4] for row in await world.rows()] == ["delivered"]


async def test_what_a_crash_left_another_process_delivers():
    world = Hooked()
    now = int(world.platform.clock.now() * 1000)
    left = webhooks.Event("evt_1", EVENT.decode(), world.signature(EVENT), now)
    assert await webhooks.store(world.platform.tables, left)
    await world.passes(59)
    assert world.seen == []
    await asyncio.gather(*(world.passes(1) for _ in range(4)))
    assert world.counts["billing.test"] == 1
    assert [row[4] for row in await world.rows()] == ["delivered"]


async def test_an_error_nobody_foresaw_is_reported_and_tried_again():
    world = Hooked()

    def broken(request: Request) -> Response:
        raise RuntimeError("a bug")

    world.answer = broken
    await world.hook()
    await world.done()
    assert [type(error) for error in world.reports] == [RuntimeError]
    assert [row[3:] for row in await world.rows()] == [(0, "")]


async def test_a_reply_has_no_word_of_the_event():
    world = Hooked()
    said = await read(await world.hook(b'{"id": "evt_1", "card": "4242"}', "t=1,v1=0"))
    assert b"4242" not in said
