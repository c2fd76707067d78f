"""Workers AI's models, bound to the Worker: no key, no account."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from penstock.config import Target
from penstock.config.standing import CHOICES
from penstock.platforms.cloudflare import values
from penstock.platforms.cloudflare.fetch import DEFAULT, Exchange, respond
from penstock.ports import Vectors
from penstock.providers import workers_ai
from penstock.wire.http import Request, Response, collect

EMBEDDING = CHOICES["workers_ai"].embed[0]
MOST_TEXTS = 100
"""Texts that an embedding model takes at once."""
MAX_REPLY = 16 << 20


class CloudflareRunner:
    """A `Runner` on the binding AI, for one request.

    The binding's reply is taken as it came, so that what is wrong is told by its status, as over REST, and its stream is
    events as there; only the envelope is not there.
    """

    def __init__(self, ai: Any) -> None:
        self._ai = ai

    async def embed(self, texts: Sequence[str]) -> Vectors:
        found: list[list[float]] = []
        tokens = 0
        for start in range(0, len(texts), MOST_TEXTS):
            some = texts[start : start + MOST_TEXTS]
            said = await self._embedded(some)
            found += said.values
            tokens += said.tokens
        return Vectors(EMBEDDING, len(found[0]) if found else 0, found, tokens)

    async def run(self, model: str, request: Request) -> Response:
        assert isinstance(request.body, bytes)  # a model's input is one value
        exchange = Exchange(request.timeouts or DEFAULT, request.max_reply)
        try:
            settings = {"returnRawResponse": True, "signal": exchange.control.signal}
            given = values.parsed(request.body)
            found = await exchange.head(self._ai.run(model, given, values.options(settings)))
            return await respond(exchange, found)
        except BaseException:
            exchange.abort()
            raise

    async def _embedded(self, texts: Sequence[str]) -> Vectors:
        body = msgspec.json.encode({"text": texts})
        response = await self.run(EMBEDDING, Request("POST", b"", body=body, max_reply=MAX_REPLY))
        try:
            data = response.body
            if not isinstance(data, bytes):
                data = await collect(data, MAX_REPLY)
        finally:
            await response.aclose()
        if not 200 <= response.status < 300:
            raise workers_ai.failure(response.status, response.headers, data)
        target = Target(provider="", model=EMBEDDING, verb="embed")
        vectors, _ = workers_ai.vectors(data, target, texts)
        return vectors
