"""The routes of the billing service."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlencode

from msgspec import Struct

from penstock.auth import base64url
from penstock.auth.caller import Caller
from penstock.errors import BadRequest, Conflict, Failed, NotFound, Repeated, Unavailable
from penstock.ledger import days
from penstock.ports import Platform
from penstock.wire.http import JSON, Request, Response, Timeouts, collect
from penstock_services.billing import events, plans, sql
from penstock_services.billing.stripes import Stripe, checked
from penstock_services.billing.telling import Telling
from penstock_services.callers import Callers
from penstock_services.settings import Settings
from penstock_services.web import NO_STORE, App, Call, Handler, Report, answer, now_ms

FIELDS = "Missing required fields"
EVENT_BYTES = 1 << 20
USAGE_BYTES = 1 << 20
LISTED = 50
GIVES_TIER = ("ACTIVE", "TRIALING", "PAST_DUE")
KEPT = ("cache-control", "public, max-age=300")
TIMEOUTS = Timeouts(first_byte=10.0, total=20.0)
FIRST = (1 << 53, "~")


class Subscribe(Struct):
    plan: str


class Billing:
    """The handlers; all but plans and the webhook begin with who asks."""

    def __init__(self, world: Platform, settings: Settings) -> None:
        self._world = world
        self._settings = settings
        self._callers = Callers(settings.taken, world)
        self._stripe = Stripe(world.fetch, settings.stripe_key, settings.stripe_url)
        self._telling = Telling(world, settings.auth_url)

    async def plans(self, call: Call) -> Response:
        return answer({"plans": plans.listed(self._settings.prices)}, 200, KEPT)

    async def subscribe(self, call: Call) -> Response:
        """Where the user pays; what comes of it Stripe tells the webhook."""
        caller = await self._caller(call)
        asked = await call.read(Subscribe, FIELDS)
        price = plans.price_of(asked.plan, self._settings.prices)
        latest = await self._latest(caller)
        if latest is not None and latest["status"] in GIVES_TIER:
            raise Repeated(
                "There is a subscription: cancel it before you take another.",
                code="already_subscribed",
            )
        marks = {"owner": caller.owner, "user_id": caller.sub}
        page = self._settings.app_url or "http://localhost:3000"
        params = {
            "mode": "subscription",
            "line_items": [{"price": price, "quantity": 1}],
            "client_reference_id": caller.sub,
            "metadata": marks,
            "subscription_data": {"metadata": marks},
            "success_url": f"{page}/billing?checkout=done",
            "cancel_url": f"{page}/billing?checkout=left",
            **await self._customer(caller),
        }
        made = await self._stripe.checkout(params, self._world.ids.new("checkout_"))
        return answer({"sessionId": made["id"], "url": made["url"]}, 201)

    async def cancel(self, call: Call) -> Response:
        """At the end of the period that is paid for."""
        latest = await self._latest(await self._caller(call))
        if latest is None or latest["status"] not in GIVES_TIER:
            raise NotFound("There is no subscription to cancel.", code="no_subscription")
        await self._stripe.cancel(str(latest["id"]))
        await self._world.tables.batch((sql.WILL_END, (str(latest["id"]),)))
        return answer({"subscription": latest | {"cancelAtPeriodEnd": True}})

    async def subscription(self, call: Call) -> Response:
        latest = await self._latest(await self._caller(call))
        held = latest is not None and latest["status"] in GIVES_TIER
        tier = latest["tier"] if latest is not None and held else "free"
        return answer({"tier": tier, "subscription": latest})

    async def usage(self, call: Call) -> Response:
        """This period's usage as the gateway's ledger has it, asked with the caller's own token."""
        caller = await self._caller(call)
        if not self._settings.gateway_url:
            raise Unavailable("Usage is the gateway's: ask its /api/usage, or set GATEWAY_URL.")
        latest = await self._latest(caller)
        now = now_ms(self._world)
        since = int(latest["currentPeriodStart"]) if latest is not None else 0
        since = since if 0 < now - since < 366 * days.DAY_MS else now - 31 * days.DAY_MS
        span = urlencode({"from": days.iso(since), "by": "day"})
        url = f"{self._settings.gateway_url.rstrip('/')}/api/usage?{span}"
        sent = (("authorization", call.request.header("authorization") or ""),)
        return await self._passed(Request("GET", url.encode(), headers=sent, timeouts=TIMEOUTS))

    async def payments(self, call: Call) -> Response:
        """The newest first; amounts in the currency's minor units."""
        caller = await self._caller(call)
        place = _place(call.query("cursor").get("cursor", ""))
        rows = await self._world.tables.rows(sql.PAYMENTS, caller.owner, *place, LISTED + 1)
        names = ("id", "amount", "currency", "status", "paidAt", "createdAt")
        shown = [dict(zip(names, row, strict=True)) for row in rows[:LISTED]]
        for payment in shown:
            payment["createdAt"] *= 1000
        last = rows[LISTED - 1] if len(rows) > LISTED else None
        mark = base64url.encode(f"{last[5]}.{last[0]}".encode()) if last is not None else None
        return answer({"payments": shown, "nextCursor": mark})

    async def webhook(self, call: Call) -> Response:
        """2xx only when the event is written, once, and the auth service knows the tier; else Stripe sends it again."""
        if not self._settings.stripe_secrets:
            raise NotFound("Webhooks are off: set STRIPE_WEBHOOK_SECRET.", code="webhook_off")
        body = await call.request.read(EVENT_BYTES)
        signature = call.request.header("stripe-signature") or ""
        checked(body, signature, self._settings.stripe_secrets, self._world.clock.now())
        event = events.read(body)
        found = events.effects(event, self._settings.prices)
        row = (event.id, event.type, event.created, now_ms(self._world))
        duplicate = False
        try:
            await self._world.tables.batch((sql.EVENT, row), *found.statements)
        except Conflict as error:
            if error.name != "events_pkey":
                raise
            duplicate = True
        if found.user_id:
            await self._telling.tell(found.user_id)
        return answer({"received": True, "duplicate": duplicate})

    async def _caller(self, call: Call) -> Caller:
        return await self._callers.identify(call.request)

    async def _customer(self, caller: Caller) -> dict[str, str]:
        rows = await self._world.tables.rows(sql.CUSTOMER_OF, caller.owner)
        if rows:
            return {"customer": rows[0][0]}
        return {"customer_email": caller.email} if caller.email else {}

    async def _latest(self, caller: Caller) -> dict[str, str | int | bool] | None:
        rows = await self._world.tables.rows(sql.LATEST, caller.owner)
        if not rows:
            return None
        id, tier, status, start, end, ending, canceled_at = rows[0]
        return {
            "id": id,
            "tier": tier,
            "status": status,
            "currentPeriodStart": start,
            "currentPeriodEnd": end,
            "cancelAtPeriodEnd": bool(ending),
            "canceledAt": canceled_at,
        }

    async def _passed(self, request: Request) -> Response:
        response = await self._world.fetch(request)
        try:
            said = response.body
            body = said if isinstance(said, bytes) else await collect(said, USAGE_BYTES)
        finally:
            await response.aclose()
        if response.status != 200:
            raise Failed("The gateway did not tell the usage.", code="usage_failed")
        return Response(200, [JSON, NO_STORE], body)


def made(world: Platform, settings: Settings, report: Report) -> App:
    """The service as a `Fetch`."""
    billing = Billing(world, settings)
    routes: Mapping[str, Handler] = {
        "GET /api/billing/plans": billing.plans,
        "POST /api/billing/subscribe": billing.subscribe,
        "POST /api/billing/cancel": billing.cancel,
        "GET /api/billing/subscription": billing.subscription,
        "GET /api/billing/usage": billing.usage,
        "GET /api/billing/payments": billing.payments,
        "POST /api/billing/webhook": billing.webhook,
    }
    return App(world, routes, report)


def _place(cursor: str) -> tuple[int, str]:
    if not cursor:
        return FIRST
    at, _, id = (base64url.decode(cursor) or b"").decode("latin-1").partition(".")
    if not (at.isascii() and at.isdecimal() and len(at) < 16 and id.isprintable()):
        raise BadRequest("The cursor is none of ours.", code="invalid_cursor")
    return int(at), id
