"""The sending side: streams as they come, silent ones kept alive, slow readers waited for, and no reply that is two."""

from __future__ import annotations

import asyncio

import pytest

from penstock.errors import Broken
from penstock.wire import sse
from penstock.wire.http import Request, Response
from tests.inbound import Held, Pieces, Server, streaming, turns

HOST = "host: penstock.test\r\n"


async def test_a_stream_goes_out_as_it_comes_and_is_closed_once() -> None:
    body = Pieces(b"data: 1\n\n")
    server = streaming(body)
    visitor = server.visitor()
    await visitor.send(f"GET / HTTP/1.1\r\n{HOST}\r\n".encode())
    assert visitor.replies()[0].body == b"data: 1\n\n"
    body.queue.put_nowait(b"data: 2\n\n")
    await turns()
    assert visitor.replies()[0].body == b"data: 1\n\ndata: 2\n\n"
    body.queue.put_nowait(None)
    await turns()
    [told] = visitor.replies()
    assert told.whole
    assert body.closed == 1
    assert not visitor.line.closing
    await server.stop()


async def test_who_leaves_a_stream_has_it_closed() -> None:
    body = Pieces(b"data: 1\n\n")
    server = streaming(body)
    visitor = server.visitor()
    await visitor.send(f"GET / HTTP/1.1\r\n{HOST}\r\n".encode())
    await visitor.leave()
    assert body.closed == 1
    assert [status for _, status in server.lines] == [200]
    assert server.lines[0][0].notes["gone"] is True


async def test_nothing_is_sent_before_the_first_piece() -> None:
    body = Pieces()
    server = streaming(body)
    visitor = server.visitor()
    await visitor.send(f"GET / HTTP/1.1\r\n{HOST}\r\n".encode())
    await server.run(30)
    assert not visitor.received
    await server.stop()


@pytest.mark.parametrize(
    ("kind", "kept"), [("text/event-stream", True), ("application/octet-stream", False)]
)
async def test_a_silent_stream_of_events_is_kept_alive(kind: str, kept: bool) -> None:
    body = Pieces(b"data: 1\n\n")
    server = streaming(body, kind)
    visitor = server.visitor()
    await visitor.send(f"GET / HTTP/1.1\r\n{HOST}\r\n".encode())
    await server.run(40)
    assert visitor.replies()[0].body.count(sse.KEEP_ALIVE) == (2 if kept else 0)
    await server.stop()


async def test_an_older_client_reads_a_stream_to_its_end() -> None:
    body = Pieces(b"one ", b"two")
    body.queue.put_nowait(None)
    server = streaming(body)
    visitor = server.visitor()
    await visitor.send(b"GET / HTTP/1.0\r\nconnection: keep-alive\r\n\r\n")
    assert visitor.received.endswith(b"\r\n\r\none two")
    assert visitor.line.closing


async def test_a_slow_reader_is_waited_for_and_one_that_is_stuck_is_not() -> None:
    body = Pieces(b"data: 1\n\n")
    server = streaming(body)
    visitor = server.visitor()
    await visitor.send(f"GET / HTTP/1.1\r\n{HOST}\r\n".encode())
    visitor.connection.pause_writing()
    for number in range(5):
        body.queue.put_nowait(b"data: %d\n\n" % number)
    await server.run(30)
    assert body.pulled == 2
    visitor.connection.resume_writing()
    await turns()
    assert body.pulled == 6
    visitor.connection.pause_writing()
    body.queue.put_nowait(b"data: 9\n\n")
    await server.run(62)
    assert visitor.line.aborted
    assert body.closed == 1


async def test_a_slow_reader_that_goes_on_reading_is_not_stuck() -> None:
    body = Pieces(b"data: 1\n\n")
    server = streaming(body)
    visitor = server.visitor()
    await visitor.send(f"GET / HTTP/1.1\r\n{HOST}\r\n".encode())
    visitor.line.waiting = 5_000_000
    visitor.connection.pause_writing()
    for _ in range(4):
        await server.run(40)
        visitor.line.waiting -= 1_000_000
    assert not visitor.line.aborted
    await server.run(62)
    assert visitor.line.aborted


async def test_the_rest_of_a_closed_connection_does_not_wait_for_ever() -> None:
    server = Server(Held())
    visitor = server.visitor()
    visitor.line.waiting = 50_000
    await server.run(13)
    assert visitor.line.closing
    await server.run(50)
    assert not visitor.line.aborted
    await server.run(12)
    assert visitor.line.aborted
    assert not server.listener.connections


async def test_a_reply_that_holds_a_line_end_is_not_sent() -> None:
    async def gateway(request: Request) -> Response:
        return Response(200, [("x", "a\r\nset-cookie: b")], b"")

    server = Server(gateway)
    visitor = server.visitor()
    await visitor.send(f"GET / HTTP/1.1\r\n{HOST}\r\n".encode())
    assert (visitor.received, visitor.line.closing) == (b"", True)
    assert len(server.reports) == 1


async def test_a_fault_takes_no_earlier_reply_with_it() -> None:
    async def gateway(request: Request) -> Response:
        if request.path == "/2":
            raise RuntimeError
        return Response(200, [], b"one")

    server = Server(gateway)
    visitor = server.visitor()
    ask = f"GET /1 HTTP/1.1\r\n{HOST}\r\nGET /2 HTTP/1.1\r\n{HOST}\r\n"
    await visitor.send(ask.encode())
    assert [told.body for told in visitor.replies()] == [b"one"]
    assert visitor.line.closing


async def test_a_stream_that_breaks_off_does_not_end_well() -> None:
    class Broken(Pieces):
        async def __anext__(self) -> bytes:
            if self.pulled:
                raise RuntimeError
            return await super().__anext__()

    server = streaming(Broken(b"data: 1\n\n"))
    visitor = server.visitor()
    await visitor.send(b"GET / HTTP/1.0\r\n\r\n")
    assert visitor.line.aborted
    assert len(server.reports) == 1


async def test_replies_of_one_turn_go_out_together() -> None:
    held = Held()
    server = Server(held)
    visitors = [server.visitor() for _ in range(3)]
    for visitor in visitors:
        await visitor.send(f"GET /x HTTP/1.1\r\n{HOST}\r\n".encode())
    held.go.set()
    for _ in range(2):
        await asyncio.sleep(0)
        assert len({len(visitor.line.written) for visitor in visitors}) == 1
    await turns()
    assert all(visitor.line.written for visitor in visitors)
    await server.stop()


@pytest.mark.parametrize("own", [("date", "Sun, 06 Nov 1994 08:49:37 GMT"), ("x-date", "x"), None])
async def test_a_reply_has_one_date_its_own_where_it_has_one(own: tuple[str, str] | None) -> None:
    """One that was kept says when it was made."""

    async def kept(request: Request) -> Response:
        return Response(200, [("x", "date: y"), *([own] if own else [])], b"")

    server = Server(kept)
    visitor = server.visitor()
    await visitor.send(f"GET / HTTP/1.1\r\n{HOST}\r\n".encode())
    lines = bytes(visitor.received).lower().split(b"\r\n")
    [date] = [line for line in lines if line.startswith(b"date: ")]
    assert (b"1994" in date) is (own is not None and own[0] == "date")
    await server.stop()


LENGTH, DATE = ("content-length", "6"), ("date", "Fri, 27 Nov 2026 10:00:00 GMT")


async def exchange(response: Response, method: str = "GET") -> bytes:
    """The bytes of one reply, and of what follows it on the connection."""

    async def gateway(request: Request) -> Response:
        return response

    server = Server(gateway)
    visitor = server.visitor()
    await visitor.send(f"{method} / HTTP/1.1\r\n{HOST}\r\n".encode())
    received = visitor.received
    await server.stop()
    return received


async def test_a_stream_that_says_its_length_goes_out_as_that_long() -> None:
    body = Pieces(b"abc", b"def")
    body.queue.put_nowait(None)
    head, _, sent = (await exchange(Response(200, [LENGTH], body))).partition(b"\r\n\r\n")
    assert b"content-length: 6" in head
    assert b"transfer-encoding" not in head
    assert sent == b"abcdef"


@pytest.mark.parametrize("pieces", [[b"abc"], [b"abc", b"defg"]])
async def test_one_of_another_length_ends_the_connection(pieces: list[bytes]) -> None:
    body = Pieces(*pieces)
    body.queue.put_nowait(None)

    async def gateway(request: Request) -> Response:
        return Response(200, [LENGTH], body)

    server = Server(gateway)
    visitor = server.visitor()
    await visitor.send(f"GET / HTTP/1.1\r\n{HOST}\r\nGET / HTTP/1.1\r\n{HOST}\r\n".encode())
    assert visitor.line.aborted
    assert visitor.received.count(b"HTTP/1.1") <= 1
    assert len(server.reports) == 1
    await server.stop()


async def test_the_answer_to_a_head_keeps_its_length_and_a_reply_its_date() -> None:
    received = await exchange(Response(200, [LENGTH, DATE], b""), "HEAD")
    assert received.count(b"content-length: ") == received.count(b"date: ") == 1
    assert b"content-length: 6\r\n" in received
    assert b"date: Fri, 27 Nov 2026 10:00:00 GMT\r\n" in received


async def test_nothing_goes_between_somebody_elses_bytes() -> None:
    body = Pieces(b"data: 1")

    async def gateway(request: Request) -> Response:
        return Response(200, [("content-type", "text/event-stream")], body, verbatim=True)

    server = Server(gateway)
    visitor = server.visitor()
    await visitor.send(f"GET / HTTP/1.1\r\n{HOST}\r\n".encode())
    await server.run(60)
    assert visitor.replies()[0].body == b"data: 1"
    await server.stop()
    assert visitor.replies()[0].body == b"data: 1"
    assert not visitor.replies()[0].whole


async def test_a_stream_that_breaks_off_at_its_source_is_cut_and_nobody_is_alarmed() -> None:
    class Breaking(Pieces):
        async def __anext__(self) -> bytes:
            if self.pulled:
                raise Broken("The target closed the connection before the end of its reply.")
            return await super().__anext__()

    body = Breaking(b"data")
    server = streaming(body, "text/plain")
    visitor = server.visitor()
    await visitor.send(f"GET / HTTP/1.1\r\n{HOST}\r\n".encode())
    assert visitor.line.aborted
    assert not server.reports
    assert server.lines[0][0].notes["error"] == "upstream_broken"
    assert body.closed == 1
