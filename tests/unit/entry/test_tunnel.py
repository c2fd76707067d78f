"""A handshake at the HTTP server: when it becomes a tunnel, what passes, how it ends, and what is never a request."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import pytest

from penstock.entry import tunnel as module
from penstock.errors import Broken
from penstock.platforms.memory.duplex import End, pair
from penstock.wire.http import Duplex, Request, Response
from penstock.wire.websocket import accept_of, asks, key_of
from tests.inbound import HOST, Held, Server, Visitor, echo, post, turns

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
UPGRADE = "connection: Upgrade\r\nupgrade: websocket\r\n"
ASK = f"GET /socket HTTP/1.1\r\n{HOST}{UPGRADE}sec-websocket-version: 13\r\nsec-websocket-key: {KEY}\r\n\r\n".encode()
SMUGGLED = f"GET /smuggled HTTP/1.1\r\n{HOST}\r\n".encode()


class Switching:
    """A gateway that answers each handshake with one end of a tunnel; the test has the other."""

    def __init__(self) -> None:
        self.seen: list[Request] = []
        self.ours, self.theirs = pair()
        self.ended = 0
        self.body: Duplex | bytes = self.ours
        self.headers: list[tuple[str, str]] = []
        self.accept = ""

    async def __call__(self, request: Request) -> Response:
        self.seen.append(request)
        if not asks(request):
            return await echo(request)
        accept = self.accept or accept_of(key_of(request))
        headers = [("sec-websocket-accept", accept), *self.headers]
        return Response(101, headers, self.body, ended=self._end)

    def _end(self) -> None:
        self.ended += 1


@pytest.fixture
async def switching() -> Switching:
    return Switching()


@pytest.fixture
async def server(switching: Switching) -> AsyncIterator[Server]:
    made = Server(switching)
    yield made
    await made.stop()


async def opened(visitor: Visitor) -> bytes:
    """Shakes hands; what is returned is the head."""
    await visitor.send(ASK)
    head, end, rest = visitor.received.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 101 Switching Protocols\r\n")
    assert (end, rest) == (b"\r\n\r\n", b"")
    return head


def passed(visitor: Visitor) -> bytes:
    return visitor.received.partition(b"\r\n\r\n")[2]


async def taken(end: End) -> bytes:
    async with asyncio.timeout(5):
        return await anext(end)


async def test_the_answer_names_the_protocol_once(switching: Switching, visitor: Visitor) -> None:
    switching.headers = [
        ("connection", "close"), ("upgrade", "x"), ("content-length", "3"), ("transfer-encoding", "x"),
        ("sec-websocket-protocol", "b"),
    ]  # fmt: skip
    lines = (await opened(visitor)).decode().split("\r\n")[1:]
    names = [line.partition(":")[0] for line in lines]
    assert sorted(names) == [
        "connection", "date", "sec-websocket-accept", "sec-websocket-protocol", "upgrade",
    ]  # fmt: skip
    assert {"connection: Upgrade", "upgrade: websocket"} < set(lines)


async def test_bytes_pass_both_ways(switching: Switching, visitor: Visitor) -> None:
    await opened(visitor)
    for data in (b"\x81\x85", SMUGGLED, b"\x00"):
        await visitor.send(data)
        assert await taken(switching.theirs) == data
    await switching.theirs.send(b"HTTP/1.1 200 OK\r\n\r\n")
    await turns()
    assert passed(visitor) == b"HTTP/1.1 200 OK\r\n\r\n"
    assert len(switching.seen) == 1


async def test_what_came_with_the_handshake_is_the_tunnels(
    switching: Switching, visitor: Visitor
) -> None:
    await visitor.send(ASK + SMUGGLED)
    await visitor.send(b"more")
    assert await taken(switching.theirs) == SMUGGLED + b"more"
    assert [request.path for request in switching.seen] == ["/socket"]


async def test_requests_before_it_are_answered_first(
    switching: Switching, visitor: Visitor
) -> None:
    await visitor.send(post("one") + post("two") + ASK + b"frame")
    assert visitor.received.count(b"HTTP/1.1 200 OK") == 2
    assert visitor.received.count(b"HTTP/1.1 101 ") == 1
    assert await taken(switching.theirs) == b"frame"


@pytest.mark.parametrize("behind", [b"", SMUGGLED, b"\x81\x85"])
async def test_a_refused_handshake_is_the_last_request(visitor: Visitor, behind: bytes) -> None:
    server = Server(echo)
    visitor = server.visitor()
    await visitor.send(ASK + behind)
    if not visitor.line.closing:
        await visitor.send(SMUGGLED)
    [told] = visitor.replies()
    assert (told.status, told.headers["connection"]) == (200, "close")
    assert json.loads(told.body)["path"] == "/socket"
    assert visitor.line.closing
    assert [request.path for request, _ in server.lines] == ["/socket"]
    await server.stop()


async def test_nothing_behind_it_is_read_while_it_waits() -> None:
    held = Held()
    server = Server(held)
    visitor = server.visitor()
    await visitor.send(ASK)
    for _ in range(3):
        await visitor.send(SMUGGLED)
    assert held.seen == ["/socket"]
    await visitor.send(bytes(module.HELD))
    assert not visitor.line.reading
    held.go.set()
    await turns()
    assert held.seen == ["/socket"]
    assert visitor.line.closing
    await server.stop()


def changed(old: str, new: str) -> bytes:
    assert old in ASK.decode()
    return ASK.decode().replace(old, new).encode()


@pytest.mark.parametrize(
    ("ask", "status", "code"),
    [
        (changed("version: 13", "version: 8"), 426, "websocket_version"),
        (changed("sec-websocket-version: 13\r\n", ""), 426, "websocket_version"),
        (changed(KEY, "c2hvcnQ="), 400, "invalid_websocket"),
        (changed(f"sec-websocket-key: {KEY}\r\n", ""), 400, "invalid_websocket"),
        (changed(KEY, f"{KEY}\r\nsec-websocket-key: {KEY}"), 400, "invalid_websocket"),
        (changed(KEY, f"{KEY}\r\ncontent-length: 5"), 400, "invalid_websocket"),
        (changed(KEY, f"{KEY}\r\ntransfer-encoding: chunked"), 400, "invalid_websocket"),
        (changed(HOST, ""), 400, "invalid_header"),
        (changed(HOST, HOST + HOST), 400, "invalid_header"),
    ],
)
async def test_a_bad_handshake_is_refused(
    switching: Switching, server: Server, visitor: Visitor, ask: bytes, status: int, code: str
) -> None:
    await visitor.send(ask + SMUGGLED)
    told = visitor.replies()[0]
    assert (told.status, json.loads(told.body)["code"]) == (status, code)
    if status == 426:
        assert told.headers["sec-websocket-version"] == "13"
    assert visitor.line.closing
    assert switching.seen == []


@pytest.mark.parametrize(
    "ask",
    [
        changed("upgrade: websocket", "upgrade: websockets"),
        changed("upgrade: websocket", "upgrade: h2c"),
        changed("connection: Upgrade", "connection: keep-alive"),
        changed("connection: Upgrade\r\n", ""),
        changed("GET", "POST").replace(b"\r\n\r\n", b"\r\ncontent-length: 0\r\n\r\n"),
        changed("GET", "HEAD"),
        changed("HTTP/1.1", "HTTP/1.0"),
    ],
)
async def test_what_asks_for_no_websocket_is_a_plain_request(
    switching: Switching, visitor: Visitor, ask: bytes
) -> None:
    await visitor.send(ask)
    assert visitor.received.startswith(b"HTTP/1.1 200 OK\r\n")
    [request] = switching.seen
    assert not asks(request)
    assert visitor.line.closing == (b"HTTP/1.0" in ask)


async def test_an_answer_that_proves_nothing_opens_nothing(
    switching: Switching, server: Server, visitor: Visitor
) -> None:
    switching.accept = "AAAAAAAAAAAAAAAAAAAAAAAAAAA="
    await visitor.send(ASK)
    assert not visitor.received
    assert visitor.line.closing
    assert [type(error) for error in server.reports] == [Broken]
    assert switching.ended == 1


async def test_a_101_without_a_tunnel_opens_nothing(
    switching: Switching, server: Server, visitor: Visitor
) -> None:
    switching.body = b""
    await visitor.send(ASK)
    assert not visitor.received
    assert [type(error) for error in server.reports] == [Broken]


async def test_the_log_is_told_at_the_end(
    switching: Switching, server: Server, visitor: Visitor
) -> None:
    await opened(visitor)
    await visitor.send(b"12345")
    assert await taken(switching.theirs) == b"12345"
    await switching.theirs.send(b"123")
    await turns()
    assert server.lines == []
    assert switching.ended == 0
    await visitor.leave()
    [(request, status)] = server.lines
    assert status == 101
    assert (request.notes["received"], request.notes["sent"]) == (5, 3)
    assert request.notes["gone"]
    assert switching.ended == 1


async def test_who_leaves_is_seen_by_the_target_at_once(
    switching: Switching, visitor: Visitor
) -> None:
    await opened(visitor)
    await visitor.leave()
    with pytest.raises(StopAsyncIteration):
        await taken(switching.theirs)
    with pytest.raises(Broken):
        await switching.theirs.send(b"x")


async def test_a_target_that_leaves_ends_the_connection_at_once(
    switching: Switching, server: Server, visitor: Visitor
) -> None:
    await opened(visitor)
    await switching.theirs.send(b"last")
    await switching.theirs.aclose()
    await visitor.send(b"to nobody")
    assert passed(visitor) == b"last"
    assert visitor.line.closing
    [(request, _)] = server.lines
    assert request.notes["error"] == "upstream_broken"
    assert not server.reports


async def test_a_client_that_sends_no_more_gets_the_last_frame(
    switching: Switching, visitor: Visitor
) -> None:
    await opened(visitor)
    await visitor.send(b"close")
    await visitor.end()
    assert await taken(switching.theirs) == b"close"
    with pytest.raises(StopAsyncIteration):
        await taken(switching.theirs)
    assert not visitor.line.closing
    await switching.theirs.send(b"closed")
    await switching.theirs.end()
    await turns()
    assert passed(visitor) == b"closed"
    assert visitor.line.closing


async def test_a_target_that_sends_no_more_hears_the_last_frame(
    switching: Switching, visitor: Visitor
) -> None:
    await opened(visitor)
    await switching.theirs.end()
    await turns()
    assert visitor.line.half
    assert not visitor.line.closing
    await visitor.send(b"closed")
    assert await taken(switching.theirs) == b"closed"
    await visitor.end()
    assert visitor.line.closing


@pytest.mark.parametrize("side", ["client", "target"])
async def test_half_a_connection_is_kept_for_a_moment_only(
    switching: Switching, visitor: Visitor, monkeypatch: pytest.MonkeyPatch, side: str
) -> None:
    monkeypatch.setattr(module, "HALF_CLOSED_SECONDS", 0)
    await opened(visitor)
    if side == "client":
        await visitor.end()
    else:
        await switching.theirs.end()
    async with asyncio.timeout(5):
        while not visitor.line.closing:
            await turns()
    assert switching.ended == 1


async def test_a_client_faster_than_its_target_is_left_waiting(
    switching: Switching, visitor: Visitor
) -> None:
    await opened(visitor)
    sent = 0
    while visitor.line.reading:
        await visitor.send(bytes(10_000))
        sent += 10_000
        assert sent < 1 << 20
    got = 0
    while got < sent:
        got += len(await taken(switching.theirs))
        await turns()
    assert got == sent
    assert visitor.line.reading


async def test_a_target_faster_than_its_client_is_left_waiting(
    switching: Switching, visitor: Visitor
) -> None:
    await opened(visitor)
    visitor.connection.pause_writing()
    sent = 0

    async def sending() -> None:
        nonlocal sent
        for _ in range(100):
            await switching.theirs.send(bytes(10_000))
            sent += 10_000

    task = asyncio.create_task(sending())
    await turns()
    assert sent < 200_000
    visitor.connection.resume_writing()
    await task
    await turns()
    assert len(passed(visitor)) == 1_000_000


async def test_a_reader_that_takes_nothing_is_cut(
    switching: Switching, server: Server, visitor: Visitor
) -> None:
    await opened(visitor)
    visitor.line.waiting = 1_000
    visitor.connection.pause_writing()
    await switching.theirs.send(b"x")
    await server.run(70)
    assert visitor.line.aborted
    assert switching.ended == 1


@pytest.mark.parametrize("bound", ["IDLE_SECONDS", "TOTAL_SECONDS"])
async def test_a_tunnel_is_bounded_in_time(
    switching: Switching, server: Server, visitor: Visitor, monkeypatch: pytest.MonkeyPatch, bound: str
) -> None:  # fmt: skip
    monkeypatch.setattr(module, bound, 100.0)
    await opened(visitor)
    await server.run(60)
    await visitor.send(b"x")
    await server.run(35)
    assert not visitor.line.closing
    await server.run(20)
    assert visitor.line.closing == (bound == "TOTAL_SECONDS")
    await server.run(50)
    assert visitor.line.closing
    assert switching.ended == 1


async def test_a_stop_cuts_it_after_the_grace(
    switching: Switching, server: Server, visitor: Visitor
) -> None:
    await opened(visitor)
    visitor.connection.shut()
    await visitor.send(b"still")
    assert await taken(switching.theirs) == b"still"
    task = visitor.connection.task
    assert task is not None
    task.cancel()  # as the listener does with who is late
    await turns()
    assert passed(visitor) == b""
    assert visitor.line.closing
    assert not visitor.line.aborted
    assert switching.ended == 1
    assert server.lines[0][1] == 101
