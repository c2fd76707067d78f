"""Billing through Stripe's own library: checkout, signed events, the tier that follows, and everything in odd order."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from load.fake_stripe import FakeStripe
from penstock.auth.mint import mint
from penstock.errors import NotSent
from penstock.ports import Tables
from penstock.wire.http import Request, Response
from penstock_services import settings
from penstock_services.billing.app import made
from penstock_services.transport import Inside
from tests.services.home import SECRET, SHARED, Auth, Reply, ask, never, world

SECRETS = ("whsec_old", "whsec_new")
KEY = "sk_test_billing"
ENV = {
    "STRIPE_SECRET_KEY": KEY,
    "STRIPE_API_BASE": "http://stripe.test",
    "STRIPE_WEBHOOK_SECRET": ",".join(SECRETS),
    "STRIPE_PRICE_PRO": "price_pro",
    "STRIPE_PRICE_ENTERPRISE": "price_big",
    "AUTH_SERVICE_URL": "internal://auth",
}


class Billing:
    """Billing and auth beside each other, with a Stripe of ours; `down` are services out of reach."""

    def __init__(self, auth: Auth, tables: Tables | None = None, **env: str) -> None:
        self.auth = auth
        self.down: set[str] = set()
        self.told: list[Any] = []
        self.world = world("billing", tables=tables)
        self.stripe = FakeStripe(KEY, SECRETS[1], int(self.world.clock.now()))
        object.__setattr__(self.world, "secret", auth.world.secret)
        object.__setattr__(self.world, "fetch", Inside({"auth": self.to_auth}, self.outer))
        self.app = made(self.world, settings.read(ENV | env, Path("unused"), SHARED), never)

    async def to_auth(self, request: Request) -> Response:
        if "auth" in self.down:
            raise NotSent()
        assert isinstance(request.body, bytes)
        self.told.append(json.loads(request.body))
        return await self.auth.app(request)

    async def outer(self, request: Request) -> Response:
        if b"//stripe.test/" in request.target:
            return await self.stripe(request)
        assert request.target.startswith(b"http://gateway.test/api/usage?from=")
        assert request.header("authorization")
        return Response(200, [], b'{"rows":[]}')

    async def ask(self, route: str, body: Any = None, sub: str = "ada", **more: Any) -> Reply:
        claims = {"sub": sub, "email": f"{sub}@example.com"}
        marks = {"iss": SHARED.issuer, "aud": SHARED.audience}
        token = mint(claims | marks, SECRET, now=self.world.clock.now())
        return await ask(self.app, route, body, token=token, **more)

    async def hook(self, body: bytes, signature: str = "") -> Reply:
        headers = {"stripe-signature": signature or self.stripe.signed(body)}
        return await ask(self.app, "POST /api/billing/webhook", body, headers)

    async def tell(self, kind: str, thing: dict[str, Any], **more: Any) -> Reply:
        return await self.hook(self.stripe.event(kind, thing, **more))

    async def subscribed(self, sub: str = "ada", plan: str = "pro", **changes: Any) -> Any:
        begun = await self.ask("POST /api/billing/subscribe", {"plan": plan}, sub)
        assert begun.status == 201, begun.body
        told = self.stripe.subscription(begun.json["sessionId"], **changes)
        reply = await self.tell("customer.subscription.created", told)
        assert reply.status == 200, reply.body
        return told

    async def tier(self, sub: str = "ada") -> str:
        return str((await self.ask("GET /api/billing/subscription", sub=sub)).json["tier"])


@pytest.fixture
def billing(auth: Auth) -> Billing:
    return Billing(auth)


async def test_a_subscription_becomes_a_tier_claim(billing):
    entered = await billing.auth.verified()
    id = entered["user"]["id"]
    told = await billing.subscribed(id)
    assert billing.told == [{"userId": id, "tier": "pro", "version": 1}]
    refreshed = (await billing.auth.refresh(entered["refreshToken"])).json
    assert refreshed["user"]["tier"] == "pro"
    held = (await billing.ask("GET /api/billing/subscription", sub=id)).json
    assert (held["tier"], held["subscription"]["status"]) == ("pro", "ACTIVE")
    later = {"at": billing.stripe.now + 10}
    await billing.tell("customer.subscription.deleted", told | {"status": "canceled"}, **later)
    again = (await billing.auth.refresh(refreshed["refreshToken"])).json
    assert again["user"]["tier"] == "free"


async def test_checkout_asks_stripe_for_what_the_plan_costs(billing):
    begun = await billing.ask("POST /api/billing/subscribe", {"plan": "enterprise"})
    assert begun.json["url"].startswith("https://checkout.stripe.test/cs_test_")
    [(route, fields)] = billing.stripe.asked
    assert route == "POST /v1/checkout/sessions"
    assert fields["mode"] == "subscription"
    assert fields["line_items[0][price]"] == "price_big"
    assert fields["client_reference_id"] == "ada"
    assert fields["customer_email"] == "ada@example.com"
    assert fields["subscription_data[metadata][owner]"] == "default/ada"


async def test_nobody_subscribes_twice(billing):
    await billing.subscribed()
    again = await billing.ask("POST /api/billing/subscribe", {"plan": "enterprise"})
    assert (again.status, again.json["code"]) == (409, "already_subscribed")


async def test_an_event_counts_once(billing):
    begun = await billing.ask("POST /api/billing/subscribe", {"plan": "pro"})
    told = billing.stripe.subscription(begun.json["sessionId"])
    body = billing.stripe.event("customer.subscription.created", told)
    replies = await asyncio.gather(*(billing.hook(body) for _ in range(5)))
    assert [reply.status for reply in replies] == [200] * 5
    assert sum(not reply.json["duplicate"] for reply in replies) == 1
    assert await billing.world.tables.rows("select count(*) from events") == [(1,)]
    assert await billing.world.tables.rows("select version from tiers") == [(1,)]


async def test_order_does_not_matter(billing):
    told = await billing.subscribed()
    at = billing.stripe.now
    ended = told | {"status": "canceled"}
    await billing.tell("customer.subscription.deleted", ended, at=at + 20)
    assert await billing.tier() == "free"
    await billing.tell("customer.subscription.updated", told, at=at + 10)
    assert await billing.tier() == "free"
    await billing.tell("customer.subscription.updated", told, at=at + 20)
    assert await billing.tier() == "free"


async def test_that_it_was_created_undoes_nothing_of_the_same_second(billing):
    told = await billing.subscribed(status="incomplete")
    assert await billing.tier() == "free"
    await billing.tell("customer.subscription.updated", told | {"status": "active"})
    assert await billing.tier() == "pro"
    await billing.tell("customer.subscription.created", told)
    assert await billing.tier() == "pro"


async def test_the_better_of_two_subscriptions_counts(billing):
    told = await billing.subscribed()
    better = told | {"id": "sub_other"}
    better["items"] = {"data": [{"price": {"id": "price_big"}}]}
    await billing.tell("customer.subscription.created", better)
    assert billing.told[-1]["tier"] == "enterprise"
    await billing.tell(
        "customer.subscription.deleted", better | {"status": "canceled"}, at=billing.stripe.now + 1
    )
    assert billing.told[-1]["tier"] == "pro"


async def test_while_auth_is_away_stripe_is_asked_to_come_again(billing):
    begun = await billing.ask("POST /api/billing/subscribe", {"plan": "pro"})
    told = billing.stripe.subscription(begun.json["sessionId"])
    body = billing.stripe.event("customer.subscription.created", told)
    billing.down.add("auth")
    first = await billing.hook(body)
    assert (first.status, first.json["error"]) == (503, "Service unavailable")
    billing.down.clear()
    second = await billing.hook(body)
    assert second.json == {"received": True, "duplicate": True}
    assert billing.told == [{"userId": "ada", "tier": "pro", "version": 1}]
    await billing.hook(body)
    assert len(billing.told) == 1


@pytest.mark.parametrize("seconds", [-300, 0, 300])
async def test_signatures_hold_for_five_minutes_both_ways(billing, seconds):
    body = billing.stripe.event("ping", {"id": "x"})
    signed = billing.stripe.signed(body, at=billing.stripe.now + seconds)
    assert (await billing.hook(body, signed)).status == 200


async def test_secrets_rotate(billing):
    for secret in SECRETS:
        body = billing.stripe.event("ping", {"id": "x"})
        assert (await billing.hook(body, billing.stripe.signed(body, secret=secret))).status == 200


async def test_what_stripe_did_not_sign_is_refused_and_nothing_written(billing):
    body, now = billing.stripe.event("ping", {"id": "x"}), billing.stripe.now
    signed = billing.stripe.signed
    headers = [
        "t=1", "v1=00", "nonsense", f"t=x,v1={'0' * 64}", f"t={now},v1=é",
        signed(body + b" "),
        signed(body, secret="whsec_other"),
        signed(body, at=now - 301),
        signed(body, at=now + 301),
    ]  # fmt: skip
    for header in headers:
        reply = await billing.hook(body, header)
        assert (reply.status, reply.json["code"]) == (400, "invalid_signature"), header
    bare = await ask(billing.app, "POST /api/billing/webhook", body)
    assert bare.status == 400
    assert await billing.world.tables.rows("select count(*) from events") == [(0,)]


@pytest.mark.parametrize(
    "body", [b"{}", b"\xff", b"[]", b'{"id":"","type":"x","created":1,"data":{"object":{}}}']
)
async def test_a_signed_thing_that_is_no_event_is_refused(billing, body):
    signature = "t=1,v1=00" if body == b"\xff" else billing.stripe.signed(body)
    assert (await billing.hook(body, signature)).status == 400


@pytest.mark.parametrize("odd", [{"status": 1}, {"items": []}, {"customer": {"id": "cus_1"}}, {"metadata": {"n": None}}])  # fmt: skip
async def test_an_event_that_means_nothing_to_us_is_taken_whatever_it_is_about(billing, odd):
    assert (await billing.tell("radar.something", {"id": "x", **odd})).status == 200
    refused = await billing.tell("customer.subscription.updated", {"id": "x", **odd, "refunded": 1})
    assert (refused.status, refused.json["code"]) == (400, "invalid_event")


async def test_without_a_secret_the_webhook_is_off(auth):
    billing = Billing(auth, STRIPE_WEBHOOK_SECRET="")
    reply = await billing.hook(billing.stripe.event("ping", {"id": "x"}))
    assert (reply.status, reply.json["code"]) == (404, "webhook_off")


async def test_subscriptions_that_we_did_not_begin_and_foreign_prices_give_nothing(billing):
    told = await billing.subscribed(price="price_of_others")
    assert await billing.tier() == "free"
    odds: tuple[dict[str, Any], ...] = (
        {"metadata": {}},
        {"metadata": None},
        {"customer": None},
        {"items": {"data": 1}},
    )
    for odd in odds:
        changed = told | {"id": "sub_odd"} | odd
        assert (await billing.tell("customer.subscription.updated", changed)).status == 200
    assert await billing.tier() == "free"


async def test_cancelling_holds_to_the_end_of_the_period(billing):
    told = await billing.subscribed()
    ended = await billing.ask("POST /api/billing/cancel")
    assert ended.json["subscription"]["cancelAtPeriodEnd"] is True
    assert billing.stripe.asked[-1] == (
        f"POST /v1/subscriptions/{told['id']}", {"cancel_at_period_end": "true"},
    )  # fmt: skip
    held = (await billing.ask("GET /api/billing/subscription")).json
    assert (held["tier"], held["subscription"]["cancelAtPeriodEnd"]) == ("pro", True)
    none = await billing.ask("POST /api/billing/cancel", sub="eve")
    assert (none.status, none.json["code"]) == (404, "no_subscription")


async def test_payments_are_their_owners(billing):
    told = await billing.subscribed()
    invoice = {"id": "in_1", "customer": told["customer"], "currency": "usd", "amount_due": 2000}
    await billing.tell("invoice.payment_failed", invoice)
    paid = invoice | {"amount_paid": 2000, "payment_intent": "pi_1"}
    at = billing.stripe.now + 5
    await billing.tell("invoice.paid", paid, at=at)
    listed = (await billing.ask("GET /api/billing/payments")).json
    assert listed == {
        "payments": [
            {
                "id": "in_1", "amount": 2000, "currency": "usd", "status": "SUCCEEDED",
                "paidAt": at * 1000, "createdAt": at * 1000,
            }
        ],
        "nextCursor": None,
    }  # fmt: skip
    await billing.tell(
        "charge.refunded", {"id": "ch_1", "refunded": True, "payment_intent": "pi_1"}
    )
    [payment] = (await billing.ask("GET /api/billing/payments")).json["payments"]
    assert payment["status"] == "REFUNDED"
    assert (await billing.ask("GET /api/billing/payments", sub="eve")).json["payments"] == []


async def test_payments_go_on_where_their_cursor_stands(billing):
    told = await billing.subscribed()
    for number in range(120):
        invoice = {"id": f"in_{number}", "customer": told["customer"], "amount_paid": number}
        await billing.tell("invoice.paid", invoice, at=billing.stripe.now + number // 3)
    seen, cursor = [], ""
    while cursor is not None:
        page = (await billing.ask(f"GET /api/billing/payments?cursor={cursor}")).json
        seen += [payment["id"] for payment in page["payments"]]
        cursor = page["nextCursor"]
    assert len(seen) == len(set(seen)) == 120


async def test_stripe_out_of_order_is_a_failure_without_its_words(billing):
    billing.stripe.failing = [402]
    reply = await billing.ask("POST /api/billing/subscribe", {"plan": "pro"})
    assert (reply.status, reply.json["code"]) == (502, "stripe_failed")
    assert b"try later" not in reply.body
    assert KEY.encode() not in reply.body


async def test_plans_and_usage(auth):
    billing = Billing(auth, STRIPE_PRICE_ENTERPRISE="", GATEWAY_URL="http://gateway.test/")
    listed = (await ask(billing.app, "GET /api/billing/plans")).json["plans"]
    assert [(plan["id"], plan["available"]) for plan in listed] == [
        ("free", True), ("pro", True), ("enterprise", False),
    ]  # fmt: skip
    assert (await billing.ask("GET /api/billing/usage")).json == {"rows": []}
    missing = await billing.ask("POST /api/billing/subscribe", {"plan": "enterprise"})
    assert missing.status == 503
    assert (await billing.ask("POST /api/billing/subscribe", {"plan": "gold"})).status == 400
    without = Billing(auth, STRIPE_SECRET_KEY="")
    assert (await without.ask("POST /api/billing/subscribe", {"plan": "pro"})).status == 503
    assert (await without.ask("GET /api/billing/usage")).status == 503


async def test_it_checks_the_token_itself(billing):
    for route in ("GET /api/billing/subscription", "GET /api/billing/payments"):
        assert (await ask(billing.app, route)).status == 401
        assert (await ask(billing.app, route, token="a.b.c")).status == 401


async def test_a_head_is_a_get_without_its_body(billing):
    whole = await ask(billing.app, "GET /api/billing/plans")
    bare = await ask(billing.app, "HEAD /api/billing/plans")
    assert (bare.status, bare.body) == (200, b"")
    assert bare.headers["content-length"] == str(len(whole.body))
    assert (await ask(billing.app, "HEAD /api/billing/subscribe")).status == 405
