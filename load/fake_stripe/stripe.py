"""Answers as Stripe does: checkout sessions, subscriptions that end with their period, idempotency keys, and what it tells webhooks."""

from __future__ import annotations

import json
from itertools import count
from typing import Any
from urllib.parse import parse_qsl

from stripe import WebhookSignature

from penstock.wire.http import JSON, Request, Response

SESSIONS = "/v1/checkout/sessions"
SUBSCRIPTIONS = "/v1/subscriptions/"
MONTH_SECONDS = 30 * 24 * 3600


class FakeStripe:
    """A `Fetch`, or what a server serves. `asked` are the calls that came, `failing` answers the next ones with that status."""

    def __init__(self, key: str, secret: str, now: int) -> None:
        self.key = key
        self.secret = secret
        self.now = now
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.failing: list[int] = []
        self.sessions: dict[str, dict[str, str]] = {}
        self._repeats: dict[str, Response] = {}
        self._numbers = count(1)

    async def __call__(self, request: Request) -> Response:
        path = request.target.decode().partition("?")[0]
        path = path[path.find("/v1/") :]
        body = await request.read(1 << 20)
        fields = dict(parse_qsl(body.decode()))
        self.asked.append((f"{request.method} {path}", fields))
        if request.header("authorization") != f"Bearer {self.key}":
            return refused(401, "Invalid API Key provided")
        if self.failing:
            return refused(self.failing.pop(0), "try later")
        return self._once(request.header("idempotency-key") or "", path, fields)

    def _once(self, key: str, path: str, fields: dict[str, str]) -> Response:
        if key not in self._repeats:
            self._repeats[key] = self._done(path, fields)
        kept = self._repeats[key]
        return Response(kept.status, kept.headers, kept.body)

    def _done(self, path: str, fields: dict[str, str]) -> Response:
        if path == SESSIONS:
            id = f"cs_test_{next(self._numbers)}"
            self.sessions[id] = fields
            url = f"https://checkout.stripe.test/{id}"
            return said({"id": id, "object": "checkout.session", "url": url})
        if path.startswith(SUBSCRIPTIONS):
            ending = fields.get("cancel_at_period_end") == "true"
            id = path.removeprefix(SUBSCRIPTIONS)
            told = {"id": id, "object": "subscription", "cancel_at_period_end": ending}
            return said(told)
        return refused(404, "Unrecognized request URL")

    def event(self, kind: str, thing: dict[str, Any], *, at: int = 0, id: str = "") -> bytes:
        """The bytes of an event about this object."""
        told = {
            "id": id or f"evt_{next(self._numbers)}",
            "object": "event",
            "api_version": "2025-03-31.basil",
            "created": at or self.now,
            "type": kind,
            "data": {"object": thing},
        }
        return json.dumps(told).encode()

    def signed(self, body: bytes, *, secret: str = "", at: int = 0) -> str:
        """The header that Stripe sends with an event, made by its own library."""
        made: str = WebhookSignature.generate_signature_header(
            body.decode(), secret or self.secret, timestamp=at or self.now
        )
        return made

    def subscription(self, session: str, price: str = "", **changes: Any) -> dict[str, Any]:
        """What a paid session's subscription looks like."""
        asked = self.sessions[session]
        start = "subscription_data[metadata]["
        marks = {
            name.removeprefix(start).rstrip("]"): value
            for name, value in asked.items()
            if name.startswith(start)
        }
        item = {
            "id": "si_1",
            "price": {"id": price or asked["line_items[0][price]"]},
            "current_period_start": self.now,
            "current_period_end": self.now + MONTH_SECONDS,
        }
        return {
            "id": f"sub_of_{session}",
            "object": "subscription",
            "customer": f"cus_of_{marks['user_id']}",
            "metadata": marks,
            "status": "active",
            "items": {"object": "list", "data": [item]},
            "cancel_at_period_end": False,
            "canceled_at": None,
            **changes,
        }


def said(body: dict[str, Any]) -> Response:
    return Response(200, [JSON, ("request-id", "req_fake")], json.dumps(body).encode())


def refused(status: int, message: str) -> Response:
    error = {"error": {"type": "invalid_request_error", "message": message}}
    return Response(status, [JSON, ("request-id", "req_fake")], json.dumps(error).encode())
