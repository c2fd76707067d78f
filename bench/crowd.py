"""Many calls at the same moment: each on a connection of its own, all sent once the last is connected."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import uvloop

CONNECTING = 200
"""Connections made at once; more would wait in the listening socket's queue."""
PATIENCE_SECONDS = 120.0
HEAD_END = b"\r\n\r\n"


@dataclass(frozen=True)
class Call:
    """One request: where, and its whole bytes."""

    port: int
    data: bytes


def call(port: int, token: str, body: bytes) -> Call:
    """A chat completion that no cache keeps."""
    head = (
        f"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\n"
        f"authorization: Bearer {token}\r\ncontent-type: application/json\r\n"
        f"cache-control: no-store\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    return Call(port, head.encode() + body)


def crowd(calls: Sequence[Call]) -> Counter[int]:
    """How many replies there were of each status; 0 is a connection that broke."""
    return uvloop.run(_crowd(calls))


async def _crowd(calls: Sequence[Call]) -> Counter[int]:
    room = asyncio.Semaphore(CONNECTING)

    async def connected(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        async with room:
            return await asyncio.open_connection("127.0.0.1", port)

    streams = await asyncio.gather(*(connected(one.port) for one in calls))
    for (_, writer), one in zip(streams, calls, strict=True):
        writer.write(one.data)
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            return Counter(await asyncio.gather(*(_status(reader) for reader, _ in streams)))
    finally:
        for _, writer in streams:
            writer.transport.abort()


async def _status(reader: asyncio.StreamReader) -> int:
    try:
        head = await reader.readuntil(HEAD_END)
        length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
        await reader.readexactly(length)
    except (OSError, asyncio.IncompleteReadError):
        return 0
    return int(head.split(b" ", 2)[1])
