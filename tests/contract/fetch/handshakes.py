"""A WebSocket's handshake as the tests send it, and the answer that opens a tunnel."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from penstock.wire.http import Duplex, Request, Response, Timeouts
from penstock.wire.websocket import accept_of
from tests.contract.fetch.peer import PATIENT

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
HANDSHAKE = [
    ("connection", "Upgrade"), ("upgrade", "websocket"), ("sec-websocket-version", "13"),
    ("sec-websocket-key", KEY), ("sec-websocket-protocol", "a, b"), ("sec-websocket-extensions", "x; y=1"),
]  # fmt: skip
SWITCH = b"HTTP/1.1 101 Switching Protocols\r\n"
NAMED = b"connection: Upgrade\r\nupgrade: websocket\r\n"
PROOF = f"sec-websocket-accept: {accept_of(KEY)}\r\n".encode()
SWITCHED = SWITCH + NAMED + PROOF + b"sec-websocket-protocol: b\r\nx-one: 1\r\n\r\n"
MEGABYTE = 1 << 20


def ask(url: str, *, timeouts: Timeouts = PATIENT) -> Request:
    return Request("GET", f"{url}/socket?x=1".encode(), headers=HANDSHAKE, timeouts=timeouts)


def tunnel_of(response: Response) -> Duplex:
    assert response.status == 101
    assert isinstance(response.body, Duplex)
    return response.body


async def read(tunnel: Duplex, size: int) -> bytes:
    found = b""
    while len(found) < size:
        found += await anext(tunnel)
    return found


async def stuck(sent: Callable[[], int]) -> None:
    """Returns once what fits between a sender and who does not read is full."""
    before = -1
    while before != sent():
        before = sent()
        for _ in range(50):
            await asyncio.sleep(0)
        await asyncio.to_thread(lambda: None)
