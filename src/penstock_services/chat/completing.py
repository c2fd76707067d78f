"""An answer on its way to the caller: pieces, then the whole reply, kept in its conversation before it is told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

from penstock.errors import Error, Failed
from penstock.prices import amount_nanos, lookup
from penstock.wire import sse
from penstock.wire.chat import Usage
from penstock.wire.embeddings import dollars
from penstock.wire.json import encode
from penstock_services.chat.conversations import Exchange
from penstock_services.chat.provider import Answer, Chat

FAILED = "Chat completion failed"
LONGEST_ANSWER = 1 << 20
"""Characters."""

Keep = Callable[[Exchange], Awaitable[None]]


class Completion:
    """Gathers one answer, and says it in the product API's form."""

    def __init__(self, chat: Chat, model: str, asked: str, answer: Answer, keep: Keep) -> None:
        self._chat = chat
        self._model = model
        self._asked = asked
        self._keep = keep
        self.answer = answer
        self._texts: list[str] = []
        self._size = 0
        self._usage: Usage | None = None

    async def next(self) -> str | None:
        """The next piece, None at the end; raises Failed."""
        async for piece in self.answer:
            self._usage = piece.usage or self._usage
            if piece.end:
                return None
            # Not every database can keep a NUL, and no reader can see one.
            text = piece.text.replace("\0", "")
            self._texts.append(text)
            self._size += len(text)
            if self._size > LONGEST_ANSWER:
                raise Failed("The provider's answer is too long.")
            return text
        return None

    async def whole(self, now: float) -> dict[str, Any]:
        """The reply, once it is kept."""
        text = "".join(self._texts)
        usage = self._usage or Usage(output=len(text.encode()), estimated=True)
        nanos = cost_nanos(self._chat.kind, self._model, usage, now)
        exchange = Exchange(
            self._asked, text, self._model, usage.total_input, usage.output, nanos or 0
        )
        await self._keep(exchange)
        return {
            "message": {"role": "assistant", "content": text},
            "model": self._model,
            "provider": self._chat.name,
            "usage": {"input": usage.total_input, "output": usage.output},
            "tokens": usage.total_input + usage.output,
            "cost": dollars(nanos or 0),
        }


def cost_nanos(kind: str, model: str, usage: Usage, now: float) -> int | None:
    """What it cost by penstock's table; None for a model that is not in it."""
    day = datetime.fromtimestamp(now, UTC).date().isoformat()
    price = lookup(kind, model, day)
    return None if price is None else amount_nanos(price, usage)


class Events:
    """The answer as server-sent events; a failure is an event of its own, and no `[DONE]` after it."""

    def __init__(self, completion: Completion, now: Callable[[], float]) -> None:
        self._completion = completion
        self._now = now
        self._step: asyncio.Task[bytes] | None = None
        self._told = False

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        if self._told:
            raise StopAsyncIteration
        # A task of its own, so that one who is cancelled and asks again finds it where it stood.
        self._step = self._step or asyncio.ensure_future(self._next())
        found = await asyncio.shield(self._step)
        self._step = None
        return found

    async def aclose(self) -> None:
        self._told = True
        if self._step is not None:
            self._step.cancel()
            await asyncio.gather(self._step, return_exceptions=True)
        await self._completion.answer.aclose()

    async def _next(self) -> bytes:
        try:
            piece = await self._completion.next()
            if piece is not None:
                return sse.data(encode({"delta": piece}))
            whole = await self._completion.whole(self._now())
        except Error as error:
            self._told = True
            said = {"message": FAILED, "type": error.type, "param": None, "code": error.code}
            return sse.data(encode({"error": said}))
        self._told = True
        return sse.data(encode(whole)) + sse.DONE
