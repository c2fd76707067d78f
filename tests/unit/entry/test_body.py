"""Bodies that are still arriving: how much of them waits, for how long, and what may stand behind them."""

from __future__ import annotations

import json

import pytest

from penstock.wire.http import Request, Response
from tests.inbound import HOST, Held, Server, Visitor, post, turns

CHUNKED = f"POST /x HTTP/1.1\r\n{HOST}transfer-encoding: chunked\r\n\r\n3\r\nabc\r\n".encode()


async def test_what_stands_behind_a_body_is_no_header() -> None:
    seen: list[Request] = []

    async def gateway(request: Request) -> Response:
        await request.read(10)
        seen.append(request)
        return Response(200)

    server = Server(gateway)
    visitor = server.visitor()
    await visitor.send(CHUNKED + b"0\r\nauthorization: Bearer x\r\n\r\n")
    await visitor.send(CHUNKED)
    await visitor.send(b"0\r\nauthorization: Bearer x\r\n\r\n")
    assert [told.status for told in visitor.replies()] == [200, 200]
    assert [request.header("authorization") for request in seen] == [None, None]
    await server.stop()


@pytest.mark.parametrize("endless", [b"0\r\n" + b"x: y\r\n" * 100, b"0\r\nx: yyyy", b"5;yyyy"])
async def test_a_body_does_not_end_in_endless_trailers(endless: bytes) -> None:
    held = Held()
    server = Server(held)
    visitor = server.visitor()
    await visitor.send(post("") + CHUNKED + endless)
    for _ in range(100):
        await visitor.send(b"x: y\r\n" * 200 if endless.endswith(b"\n") else b"y" * 1_000)
    held.go.set()
    await turns()
    assert visitor.line.closing
    assert len(visitor.connection._fields) < 10
    await server.stop()


async def test_a_body_is_asked_for_where_its_sender_waits(visitor: Visitor) -> None:
    await visitor.send(
        f"POST /x HTTP/1.1\r\n{HOST}expect: 100-continue\r\ncontent-length: 2\r\n\r\n".encode()
    )
    assert visitor.received == b"HTTP/1.1 100 Continue\r\n\r\n"
    await visitor.send(b"hi")
    assert json.loads(visitor.replies()[0].body)["body"] == "hi"


async def test_a_body_that_drips_is_told_so(server: Server, visitor: Visitor) -> None:
    await visitor.send(f"POST /x HTTP/1.1\r\n{HOST}content-length: 1000\r\n\r\n".encode())
    for _ in range(40):
        if not visitor.received:
            await visitor.send(b"z")
            await server.run(1)
    [told] = visitor.replies()
    assert (told.status, json.loads(told.body)["code"]) == (408, "body_timeout")
    assert visitor.line.closing


async def test_a_body_that_stands_still_is_told_so(server: Server, visitor: Visitor) -> None:
    await visitor.send(
        f"POST /x HTTP/1.1\r\n{HOST}content-length: 100000\r\n\r\n{'z' * 90000}".encode()
    )
    await server.run(32)
    assert [told.status for told in visitor.replies()] == [408]


async def test_a_body_with_a_bad_chunk_is_refused_by_its_reader(visitor: Visitor) -> None:
    await visitor.send(
        f"POST /x HTTP/1.1\r\n{HOST}transfer-encoding: chunked\r\n\r\n3\r\nabc\r\n".encode()
    )
    await visitor.send(b"nonsense\r\n")
    [told] = visitor.replies()
    assert (told.status, json.loads(told.body)["code"]) == (400, "invalid_http")


async def test_more_than_is_read_is_held_in_the_socket() -> None:
    held = Held()
    server = Server(held)
    visitor = server.visitor()
    await visitor.send(f"POST /x HTTP/1.1\r\n{HOST}content-length: 1000000\r\n\r\n".encode())
    await visitor.send(b"z" * 300_000)
    assert not visitor.line.reading
    held.go.set()
    await turns()
    assert visitor.line.reading  # the rest is thrown away
    await server.stop()


async def test_little_waits_behind_a_request_in_the_air() -> None:
    held = Held()
    server = Server(held)
    visitor = server.visitor()
    await visitor.send(post("", target="/1"))
    sent = 1
    while visitor.line.reading and sent < 20:
        await visitor.send(post("z" * 60_000))
        sent += 1
    assert sent == 6
    held.go.set()
    await turns()
    assert visitor.line.reading
    assert len(visitor.replies()) == sent
    await server.stop()


async def test_what_follows_a_large_body_is_read() -> None:
    held = Held()
    server = Server(held)
    visitor = server.visitor()
    await visitor.send(f"POST /x HTTP/1.1\r\n{HOST}content-length: 300000\r\n\r\n".encode())
    await visitor.send(b"z" * 299_999)
    assert not visitor.line.reading
    await visitor.send(b"z")
    assert visitor.line.reading
    await server.stop()


async def test_what_is_left_of_a_refused_body_is_read_for_a_moment(visitor: Visitor) -> None:
    large = 8 << 20
    await visitor.send(
        f"POST /x HTTP/1.1\r\n{HOST}content-length: {large}\r\n\r\n{'z' * 1000}".encode()
    )
    [told] = visitor.replies()
    assert (told.status, told.headers["connection"]) == (413, "close")
    assert not visitor.line.closing
    await visitor.send(b"z" * (large - 1000))
    assert visitor.line.closing
