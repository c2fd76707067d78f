"""Inbound connections: what is a request and what is not, in which order, for how long, and what becomes of it."""

from __future__ import annotations

import asyncio
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.entry import connection as module
from penstock.wire.http import Request, Response
from tests.inbound import HOST, Held, Pieces, Server, Visitor, echo, post, turns


async def test_a_request_is_read_and_its_reply_written(visitor: Visitor) -> None:
    await visitor.send(post("hello", target="/a%20b?c=%20"))
    [told] = visitor.replies()
    assert json.loads(told.body) == {
        "method": "POST",
        "path": "/a b",
        "query": "c=%20",
        "body": "hello",
    }
    assert told.headers["content-type"] == "application/json"
    assert told.headers["date"].endswith("GMT")
    assert "connection" not in told.headers


async def test_a_reply_is_one_write(visitor: Visitor) -> None:
    await visitor.send(post("hello"))
    assert len(visitor.line.written) == 1


async def test_pipelined_requests_are_answered_in_order(visitor: Visitor) -> None:
    await visitor.send(post("1") + post("2") + post("3"))
    assert [json.loads(told.body)["body"] for told in visitor.replies()] == ["1", "2", "3"]


async def test_a_flood_of_pipelined_requests_ends_the_connection(visitor: Visitor) -> None:
    await visitor.send(post("x") * 200)
    assert visitor.line.aborted


async def test_blanks_around_a_headers_value_are_no_part_of_it() -> None:
    async def shows(request: Request) -> Response:
        return Response(200, [], repr([*request.headers, await request.read(10)]).encode())

    server = Server(shows)
    visitor = server.visitor()
    head = (
        b"POST / HTTP/1.1\r\n" + HOST.encode() + b"x-one: \t a b \t\r\ncontent-length:  2 \r\n\r\n"
    )
    await visitor.send(head)
    await visitor.send(b"ab")
    [told] = visitor.replies()
    found = "('x-one', 'a b'), ('content-length', '2'), b'ab']"
    assert (told.status, told.body.decode().endswith(found)) == (200, True)
    await server.stop()


@given(cuts=st.lists(st.integers(1, 200), max_size=12))
async def test_however_the_bytes_are_cut(cuts: list[int]) -> None:
    server = Server(echo)
    visitor = server.visitor()
    chunked = f"POST /c HTTP/1.1\r\n{HOST}transfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n"
    data = post("first") + chunked.encode() + post("last")
    for cut in sorted(set(cuts)):
        await visitor.send(data[:cut] if cut == min(cuts) else b"")
    start = min(cuts) if cuts else 0
    for at in range(start, len(data), 37):
        await visitor.send(data[at : at + 37])
    assert [json.loads(told.body)["body"] for told in visitor.replies()] == [
        "first",
        "abcde",
        "last",
    ]
    await server.stop()


@pytest.mark.parametrize(
    ("head", "kept"),
    [
        (f"GET / HTTP/1.1\r\n{HOST}", True),
        (f"GET / HTTP/1.1\r\n{HOST}connection: close\r\n", False),
        ("GET / HTTP/1.0\r\n", False),
        ("GET / HTTP/1.0\r\nconnection: keep-alive\r\n", True),
    ],
)
async def test_connections_are_kept_as_asked(visitor: Visitor, head: str, kept: bool) -> None:
    await visitor.send(f"{head}\r\n".encode())
    [told] = visitor.replies()
    assert told.status == 200
    assert visitor.line.closing != kept
    old = "1.0" in head
    assert told.headers.get("connection") == (("keep-alive" if old else None) if kept else "close")


async def test_head_gets_the_length_and_no_body(visitor: Visitor) -> None:
    await visitor.send(f"HEAD / HTTP/1.1\r\n{HOST}\r\n".encode())
    head, _, body = visitor.received.partition(b"\r\n\r\n")
    assert b"content-length: 56" in head
    assert body == b""


async def test_no_content_has_no_length() -> None:
    async def gateway(request: Request) -> Response:
        return Response(204)

    server = Server(gateway)
    visitor = server.visitor()
    assert "content-length" not in (await visitor.get()).headers
    await server.stop()


SMUGGLED = [
    "content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    "transfer-encoding: chunked\r\ncontent-length: 5\r\n\r\n0\r\n\r\n",
    "content-length: 5\r\ncontent-length: 6\r\n\r\nabcdef",
    "content-length: 5, 6\r\n\r\nabcdef",
    "content-length: +5\r\n\r\nabcde",
    "content-length: -5\r\n\r\nabcde",
    "content-length: 0x5\r\n\r\nabcde",
    "content-length: 5 5\r\n\r\nabcde",
    "content-length: 99999999999999999999999\r\n\r\nabcde",
    "content-length : 5\r\n\r\nabcde",
    "content-length:\r\n\r\n",
    "transfer-encoding : chunked\r\n\r\n0\r\n\r\n",
    "transfer-encoding: chunked\r\ntransfer-encoding: identity\r\n\r\n0\r\n\r\n",
    "transfer-encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    "transfer-encoding: xchunked\r\n\r\n0\r\n\r\n",
    "transfer-encoding: identity\r\n\r\nabc",
    "transfer-encoding:\x0bchunked\r\n\r\n0\r\n\r\n",
    "transfer-encoding: chunked\r\n\r\nzz\r\nabc\r\n0\r\n\r\n",
    "transfer-encoding: chunked\r\n\r\n-1\r\nabc\r\n0\r\n\r\n",
    "transfer-encoding: chunked\r\n\r\n0x3\r\nabc\r\n0\r\n\r\n",
    "transfer-encoding: chunked\r\n\r\n3\nabc\r\n0\r\n\r\n",
    "transfer-encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n",
    "transfer-encoding: chunked\r\n\r\nfffffffffffffffff\r\nabc\r\n0\r\n\r\n",
    "transfer-encoding: chunked\r\n\r\n3 \r\nabc\r\n0\r\n\r\n",
    "x: a\r\n b: c\r\n\r\n",
    "x\r\n\r\n",
    ": y\r\n\r\n",
    "x y: z\r\n\r\n",
    "x: a\0b\r\n\r\n",
    "x: a\rb: c\r\n\r\n",
]  # fmt: skip


@pytest.mark.parametrize("rest", SMUGGLED)
async def test_what_could_be_read_in_two_ways_is_refused(
    server: Server, visitor: Visitor, rest: str
) -> None:
    await visitor.send(f"POST /v1/x HTTP/1.1\r\n{HOST}{rest}".encode("latin-1"))
    await visitor.send(f"GET /smuggled HTTP/1.1\r\n{HOST}\r\n".encode())
    [told] = visitor.replies()
    assert told.status == 400, rest
    assert visitor.line.closing
    assert "x-request-id" in told.headers
    assert told.headers["connection"] == "close"
    assert not any(request.path == "/smuggled" for request, _ in server.lines)


@pytest.mark.parametrize(
    "line", ["GET / HTTP/2.0", "GET / HTTP/1.2", "GET /", "G@T / HTTP/1.1", "CONNECT a.test:443 HTTP/1.1", "\x16\x03\x01\x02", "GET /\xff HTTP/1.1"]
)  # fmt: skip
async def test_what_is_no_request_line_is_refused(visitor: Visitor, line: str) -> None:
    await visitor.send(f"{line}\r\n{HOST}\r\n".encode("latin-1"))
    assert [told.status for told in visitor.replies()] == [400]
    assert visitor.line.closing


async def test_an_older_request_has_no_chunks(visitor: Visitor) -> None:
    lines = "connection: keep-alive\r\ntransfer-encoding: chunked\r\n"
    await visitor.send(f"POST /x HTTP/1.0\r\n{lines}\r\n0\r\n\r\nGET /y HTTP/1.0\r\n\r\n".encode())
    assert [told.status for told in visitor.replies()] == [400]
    assert visitor.line.closing


@pytest.mark.parametrize(("version", "status"), [("1.0", 200), ("2.0", 400)])
async def test_an_upgrade_changes_no_version(visitor: Visitor, version: str, status: int) -> None:
    await visitor.send(
        f"GET /x HTTP/{version}\r\n{HOST}connection: upgrade\r\nupgrade: h2c\r\n\r\n".encode()
    )
    assert [told.status for told in visitor.replies()] == [status]
    assert visitor.line.closing


@pytest.mark.parametrize(
    ("target", "status"),
    [("http://penstock.test/v1/models", 200), ("HTTP://Penstock.Test/v1/models?x", 200), ("http://other.test/v1/models", 400),
     ("http://penstock.test:81/v1/models", 400), ("http://penstock.test@other.test/v1/models", 400)],
)  # fmt: skip
async def test_a_url_and_a_host_name_one_host(visitor: Visitor, target: str, status: int) -> None:
    await visitor.send(f"GET {target} HTTP/1.1\r\n{HOST}\r\n".encode())
    [told] = visitor.replies()
    assert told.status == status
    assert visitor.line.closing is (status == 400)


@pytest.mark.parametrize("hosts", ["", f"{HOST}{HOST}", f"{HOST}host: other.test\r\n"])
async def test_a_request_names_one_host(visitor: Visitor, hosts: str) -> None:
    await visitor.send(f"GET /v1/models HTTP/1.1\r\n{hosts}\r\n".encode())
    [told] = visitor.replies()
    assert told.status == 400
    assert json.loads(told.body)["error"]["code"] == "invalid_header"


async def test_a_large_head_is_refused(visitor: Visitor) -> None:
    await visitor.send(f"GET / HTTP/1.1\r\n{HOST}x: ".encode())
    for _ in range(70):
        if not visitor.line.closing:
            await visitor.send(b"y" * 1_000)
    [told] = visitor.replies()
    assert (told.status, visitor.line.closing) == (431, True)


async def test_many_headers_are_refused(visitor: Visitor) -> None:
    lines = "".join(f"x-{number}: y\r\n" for number in range(300))
    await visitor.send(f"GET / HTTP/1.1\r\n{HOST}{lines}\r\n".encode())
    assert [told.status for told in visitor.replies()] == [431]


async def test_a_head_is_not_charged_with_what_came_before_it(visitor: Visitor) -> None:
    await visitor.send(post("z" * 100_000) + b"GET /y HTTP/1.1\r\nho")
    await visitor.send(b"st: penstock.test\r\n\r\n" + post("z" * 100_000) + b"GET /")
    await visitor.send(f"z HTTP/1.1\r\n{HOST}\r\n".encode())
    assert [told.status for told in visitor.replies()] == [200] * 4


async def test_an_upgrade_is_answered_as_if_it_were_not_asked(visitor: Visitor) -> None:
    ask = f"POST /x HTTP/1.1\r\n{HOST}connection: upgrade, http2-settings\r\nupgrade: h2c\r\ncontent-length: 2\r\n\r\nhi"
    await visitor.send(ask.encode())
    [told] = visitor.replies()
    assert json.loads(told.body)["body"] == "hi"
    await visitor.send(post("again"))
    assert json.loads(visitor.replies()[1].body)["body"] == "again"


async def test_a_slow_head_is_told_so(server: Server, visitor: Visitor) -> None:
    await visitor.send(b"GET / HT")
    await server.run(5)
    assert not visitor.received
    await server.run(8)
    [told] = visitor.replies()
    assert (told.status, json.loads(told.body)["code"]) == (408, "head_timeout")
    assert visitor.line.closing


async def test_a_connection_that_never_asks_is_closed(server: Server, visitor: Visitor) -> None:
    await server.run(13)
    assert visitor.line.closing
    assert not visitor.received


async def test_an_idle_connection_is_closed_later(server: Server, visitor: Visitor) -> None:
    await visitor.get()
    await server.run(60)
    assert not visitor.line.closing
    await server.run(20)
    assert visitor.line.closing


async def test_a_request_in_the_air_has_no_deadline_here() -> None:
    held = Held()
    server = Server(held)
    visitor = server.visitor()
    await visitor.send(f"GET /x HTTP/1.1\r\n{HOST}\r\n".encode())
    await server.run(600)
    assert not visitor.line.closing
    held.go.set()
    await turns()
    assert [told.body for told in visitor.replies()] == [b"/x"]
    await server.stop()


async def test_a_fault_in_one_connection_leaves_the_others_looked_after(
    server: Server, visitor: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fault() -> None:
        raise RuntimeError

    monkeypatch.setattr(visitor.connection, "check", fault)
    others = [server.visitor() for _ in range(3)]
    await server.run(13)
    assert all(other.line.closing for other in others)
    assert visitor.line.aborted
    assert [type(error) for error in server.reports] == [RuntimeError]


async def test_who_leaves_ends_the_request_and_the_log_says_so() -> None:
    held = Held()
    server = Server(held)
    visitor = server.visitor()
    await visitor.send(post("x"))
    await visitor.leave()
    assert held.cancelled == 1
    [(request, status)] = server.lines
    assert (status, request.notes["gone"]) == (499, True)
    assert not server.listener.connections
    assert not server.reports


async def test_who_leaves_while_a_reply_is_closed_is_asked_nothing_more() -> None:
    seen: list[str] = []
    go = asyncio.Event()

    class Slow(Pieces):
        async def aclose(self) -> None:
            await go.wait()

    async def gateway(request: Request) -> Response:
        seen.append(request.path)
        body = Slow(b"1")
        body.queue.put_nowait(None)
        return Response(200, [], body)

    server = Server(gateway)
    visitor = server.visitor()
    await visitor.send(post("", target="/1") + post("", target="/2"))
    await visitor.leave()
    go.set()
    await turns()
    assert seen == ["/1"]
    assert visitor.connection.task is not None
    assert visitor.connection.task.done()


async def test_who_sends_no_more_still_gets_what_is_ready(visitor: Visitor) -> None:
    visitor.connection.data_received(post("hello"))
    await visitor.end()
    [told] = visitor.replies()
    assert json.loads(told.body)["body"] == "hello"
    assert not visitor.line.aborted


async def test_and_is_gone_where_nothing_comes_in_a_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HALF_CLOSED_SECONDS", 0)
    held = Held()
    server = Server(held)
    visitor = server.visitor()
    await visitor.send(post("x"))
    await visitor.end()
    assert held.cancelled == 1
    assert server.lines[0][1] == 499
    assert not visitor.received


@pytest.mark.parametrize("sent", [b"", post("x")[:-1]])
async def test_who_ends_without_a_whole_request_is_gone_at_once(
    visitor: Visitor, sent: bytes
) -> None:
    if sent:
        await visitor.send(sent)
    await visitor.end()
    assert visitor.line.closing
    assert not visitor.received
