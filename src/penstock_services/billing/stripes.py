"""Stripe's own library over our `Fetch`: its requests and signatures are theirs, the connections ours."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, cast

import stripe
from stripe import HTTPClient

from penstock.errors import BadRequest, Error, Failed, Unavailable
from penstock.ports import Fetch
from penstock.wire.http import Request, Timeouts, collect

REPLY_BYTES = 1 << 20
TIMEOUTS = Timeouts(first_byte=20.0, idle=10.0, total=30.0)
RETRIES = 1
TOLERANCE_SECONDS = 300


class Client(HTTPClient):
    """Carries the library's requests by a `Fetch`."""

    name = "penstock"

    def __init__(self, fetch: Fetch) -> None:
        super().__init__()
        self._fetch = fetch

    async def request_async(
        self, method: str, url: str, headers: Mapping[str, str], post_data: Any = None
    ) -> tuple[bytes, int, Mapping[str, str]]:
        pairs = [(name.lower(), value) for name, value in headers.items()]
        body = post_data.encode() if isinstance(post_data, str) else post_data or b""
        request = Request(method.upper(), url.encode(), headers=pairs, body=body, timeouts=TIMEOUTS)
        try:
            response = await self._fetch(request)
            try:
                said = response.body
                whole = said if isinstance(said, bytes) else await collect(said, REPLY_BYTES)
            finally:
                await response.aclose()
        except Error as error:
            # Its retries carry the same idempotency key, so that nothing is bought twice.
            raise _away(error.code) from error
        return whole, response.status, _Headers(response.headers)

    async def sleep_async(self, secs: float) -> None:
        await asyncio.sleep(secs)

    async def close_async(self) -> None:
        """The connections are the platform's."""


class _Headers(dict[str, str]):
    """The library reads `Request-Id` and `request-id` alike."""

    def __contains__(self, name: object) -> bool:
        return super().__contains__(str(name).lower())

    def __getitem__(self, name: str) -> str:
        return super().__getitem__(name.lower())


class Stripe:
    """What we ask of Stripe; raises Unavailable without a key, Failed where Stripe refuses or is away."""

    def __init__(self, fetch: Fetch, key: str, url: str) -> None:
        self._client: stripe.StripeClient | None = None
        if key:
            self._client = stripe.StripeClient(
                key,
                http_client=Client(fetch),
                max_network_retries=RETRIES,
                base_addresses={"api": url} if url else None,
            )

    async def checkout(self, params: Any, idempotency_key: str) -> dict[str, str]:
        """A new checkout session: its id and where the user pays."""
        options: Any = {"idempotency_key": idempotency_key}
        client = self._configured()
        try:
            made = await client.v1.checkout.sessions.create_async(params, options)
        except stripe.StripeError as error:
            raise failed() from error
        return {"id": made.id, "url": made.url or ""}

    async def cancel(self, subscription: str) -> None:
        """No more after the period that is paid for."""
        client = self._configured()
        try:
            await client.v1.subscriptions.update_async(subscription, {"cancel_at_period_end": True})
        except stripe.StripeError as error:
            raise failed() from error

    def _configured(self) -> stripe.StripeClient:
        if self._client is None:
            raise Unavailable("Billing has no Stripe key: set STRIPE_SECRET_KEY.")
        return self._client


def _away(code: str) -> Exception:
    made: Any = stripe.APIConnectionError
    return cast("Exception", made(code, should_retry=True))


def failed() -> Failed:
    return Failed("Stripe refused this, or did not answer.", code="stripe_failed")


def checked(body: bytes, signature: str, secrets: tuple[str, ...], now: float) -> None:
    """That one of the secrets signed these very bytes within five minutes of now; raises BadRequest."""
    text = _text(body)
    for secret in secrets:
        try:
            stripe.WebhookSignature.verify_header(text, signature, secret)
        except (stripe.SignatureVerificationError, ValueError, TypeError):
            continue
        if abs(now - _signed_at(signature)) <= TOLERANCE_SECONDS:
            return
    raise bad_signature()


def bad_signature() -> BadRequest:
    return BadRequest("This is not signed by Stripe, or not now.", code="invalid_signature")


def _text(body: bytes) -> str:
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        raise bad_signature() from error


def _signed_at(signature: str) -> int:
    return int(next(part[2:] for part in signature.split(",") if part.startswith("t=")))
