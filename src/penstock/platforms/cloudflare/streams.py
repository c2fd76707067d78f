"""Streams that cross the boundary: JavaScript's readable ones read, writable ones written, signals heard."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

from penstock.platforms.cloudflare import values


class Reading:
    """A ReadableStream as a `Stream`: a cancelled read loses nothing, what was asked for is awaited again."""

    def __init__(self, readable: Any) -> None:
        self._reader = readable.getReader()
        self._asked: Any = None
        self._closed = False

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        if self._closed:
            raise StopAsyncIteration
        if self._asked is None:
            self._asked = self._reader.read()
        read = await self._asked
        self._asked = None
        if read.done:
            raise StopAsyncIteration
        return bytes(read.value.to_bytes())

    async def aclose(self) -> None:
        if self._closed:
            return
        self._closed = True
        try:
            await self._reader.cancel()
        except values.JsException:
            return  # it had ended by an error, which its reader was told


class Arriving:
    """A request's body as a `Stream`; read whole at once where it says that it is `small`.

    One that breaks off cancels who reads it: its client has left, whether a signal says so too or not.
    """

    def __init__(self, request: Any, *, small: bool) -> None:
        self._request = request
        self._small = small
        self._reading: Reading | None = None
        self._whole: Any = None
        self._over = False

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        try:
            return await self._next()
        except values.JsException as error:
            raise asyncio.CancelledError from error

    async def _next(self) -> bytes:
        if not self._small:
            self._reading = self._reading or Reading(self._request.body)
            return await anext(self._reading)
        if self._over:
            raise StopAsyncIteration
        if self._whole is None:
            self._whole = self._request.arrayBuffer()
        buffer = await self._whole
        self._over = True
        return values.content(buffer) or b""

    async def aclose(self) -> None:
        if self._reading is not None:
            await self._reading.aclose()


class Pipe:
    """Bytes written here come out of `readable`, at the pace of who reads it."""

    def __init__(self) -> None:
        stream = values.TransformStream.new()
        self.readable = stream.readable
        self._writer = stream.writable.getWriter()

    async def write(self, data: bytes) -> None:
        """Raises values.JsException where nobody reads any more."""
        await self._writer.write(values.value(data))

    async def close(self) -> None:
        await self._writer.close()

    async def abort(self) -> None:
        """Its reader is told that it did not end well."""
        try:
            await self._writer.abort()
        except values.JsException:
            return


class Leaving:
    """Calls `left` once, when an AbortSignal is given; `forget` ends that."""

    def __init__(self, signal: Any, left: Callable[[], None]) -> None:
        self._signal = signal if values.is_there(signal) else None
        self._left = left
        if self._signal is None:
            return
        self._heard = values.create_proxy(self._hear)
        self._signal.addEventListener("abort", self._heard)
        if self._signal.aborted:
            left()

    def _hear(self, _: Any) -> None:
        self._left()

    def forget(self) -> None:
        if self._signal is not None:
            self._signal.removeEventListener("abort", self._heard)
            self._heard.destroy()
            self._signal = None
