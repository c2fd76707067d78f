"""What is JavaScript's own about `Fetch`: what it says of headers, of failures before anything was sent, of uploads."""

from __future__ import annotations

import asyncio

import pytest

from penstock import __version__
from penstock.errors import Broken, NotSent, NoTunnel, Stalled
from penstock.wire.http import Timeouts
from tests.contract.fetch.handshakes import ask
from tests.contract.fetch.peer import (
    CHUNKED,
    END,
    Call,
    always,
    chunk,
    content,
    get,
    once,
    peer,
    post,
    sized,
)
from tests.contract.fetch.test_requests import Parts, keeping
from tests.edge.exchanges import EdgeFetch
from tests.edge.home import EdgeHome


@pytest.fixture
def http(edge_client: EdgeHome) -> EdgeFetch:
    return EdgeFetch(edge_client)


def lines(request: bytes) -> set[str]:
    """A request's headers, in lower case but for their values."""
    head = request.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")[1:]
    return {
        f"{name.lower()}: {value}" for name, _, value in (line.partition(": ") for line in head)
    }


async def test_a_replys_headers_are_told_without_this_hops_and_cookies(http: EdgeFetch) -> None:
    fields = ["x-two: b", "X-One: 1", "x-one: \xfc", "set-cookie: a=1", "set-cookie: b=2"]
    fields += ["connection: keep-alive, X-Private", "x-private: 1", "keep-alive: timeout=5"]
    async with peer(always(sized(b"abc", *fields))) as target:
        response = await http(post(target.url))
    assert response.body == b"abc"
    assert response.headers == [("content-length", "3"), ("x-one", "1, \xfc"), ("x-two", "b")]


async def test_a_requests_headers_are_as_given(http: EdgeFetch) -> None:
    received: list[bytes] = []
    given = [
        ("X-One", "1"), ("x-one", "2"), ("host", "elsewhere"), ("content-length", "99"),
        ("connection", "close, X-Private"), ("x-private", "1"), ("te", "trailers"), ("expect", "100-continue"),
    ]  # fmt: skip
    async with peer(keeping(received)) as target:
        await http(post(target.url + "/a/b?c=%20#d", b"body", headers=given))
        await http(get(target.url, headers=[("user-agent", "mine"), ("accept-encoding", "gzip")]))
    first, second = received
    host = target.url.removeprefix("http://")
    assert first.startswith(b"POST /a/b?c=%20 HTTP/1.1\r\n")
    assert first.endswith(b"\r\n\r\nbody")
    assert lines(first) >= {
        f"host: {host}", "x-one: 1, 2", "content-length: 4", "accept-encoding: identity",
        f"user-agent: penstock/{__version__}",
    }  # fmt: skip
    assert not [line for line in lines(first) if line.startswith(("x-private", "te:", "expect"))]
    assert lines(second) >= {"user-agent: mine", "accept-encoding: gzip"}


async def test_a_target_out_of_reach_may_have_been_sent_to(http: EdgeFetch) -> None:
    async with peer(once(b"")) as target:
        pass
    for url in (target.url, "http://no-such-host.invalid/"):
        with pytest.raises(Broken) as failed:
            await http(post(url))
        assert failed.value.processed == "unknown"


@pytest.mark.parametrize("method", ["GET", "CONNECT"])
async def test_what_javascript_takes_for_no_request_is_not_sent(
    http: EdgeFetch, method: str
) -> None:
    async with peer(once(sized(b""))) as target:
        request = post(target.url, b"a body")
        request.method = method
        with pytest.raises(NotSent):
            await http(request)
        assert target.calls == 0


async def test_the_first_bytes_time_counts_from_the_call(http: EdgeFetch) -> None:
    async def silent(call: Call) -> None:
        await call.closed()

    async with peer(silent) as target:
        with pytest.raises(Stalled, match="first-byte"):
            await http(post(target.url, timeouts=Timeouts(connect=60, first_byte=0.05)))


async def test_who_leaves_before_the_reply_is_seen_to_leave(http: EdgeFetch) -> None:
    came, left = asyncio.Event(), asyncio.Event()

    async def serve(call: Call) -> None:
        await call.request()
        came.set()
        await call.closed()
        left.set()

    async with peer(serve) as target:
        asked = asyncio.ensure_future(http(post(target.url)))
        await came.wait()
        asked.cancel()
        async with asyncio.timeout(5):
            await left.wait()
        with pytest.raises(asyncio.CancelledError):
            await asked


async def test_a_body_is_written_in_parts(http: EdgeFetch) -> None:
    received: list[bytes] = []
    async with peer(keeping(received)) as target:
        await content(await http(post(target.url, Parts(b"one", b"", b"x" * 20))))
    [sent] = received
    assert "transfer-encoding: chunked" in lines(sent)
    assert sent.endswith(b"\r\n\r\n3\r\none\r\n14\r\n" + b"x" * 20 + b"\r\n0\r\n\r\n")


async def test_a_body_that_fails_ends_the_request(http: EdgeFetch) -> None:
    left = asyncio.Event()

    async def serve(call: Call) -> None:
        await call.closed()
        left.set()

    async with peer(serve) as target:
        with pytest.raises(RuntimeError, match="ValueError: source"):
            await http(post(target.url, Parts(b"one", failure=ValueError("source"))))
        async with asyncio.timeout(5):
            await left.wait()


async def test_a_reply_that_was_read_whole_can_be_closed_twice(http: EdgeFetch) -> None:
    async with peer(always(CHUNKED, chunk(b"a"), END)) as target:
        response = await http(post(target.url))
        assert await content(response) == b"a"
        await response.aclose()


async def test_a_websocket_is_refused_before_anything_is_sent(http: EdgeFetch) -> None:
    received: list[bytes] = []
    async with peer(keeping(received)) as target:
        with pytest.raises(NoTunnel) as refused:
            await http(ask(target.url))
    assert (refused.value.status, refused.value.code) == (501, "websocket_unsupported")
    assert received == []
