"""What `Fetch` writes: one request, whatever its headers say, and what it refuses to write."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from penstock import __version__
from penstock.errors import Broken, NotSent, Stalled
from penstock.platforms.http import Http
from penstock.wire.http import Request, Timeouts
from tests.contract.fetch.peer import PATIENT, Call, Serve, get, once, peer, post, sized, until


class Parts:
    """A request body in parts, which knows whether it was read to its end."""

    def __init__(self, *parts: bytes, failure: Exception | None = None) -> None:
        self.left = list(parts)
        self.failure = failure

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        if self.left:
            return self.left.pop(0)
        if self.failure:
            raise self.failure
        raise StopAsyncIteration

    async def aclose(self) -> None:
        self.left.clear()


def keeping(requests: list[bytes]) -> Serve:
    async def serve(call: Call) -> None:
        while request := await call.request():
            requests.append(request)
            await call.send(sized(b""))

    return serve


@pytest.fixture
def received() -> list[bytes]:
    return []


async def test_the_bytes_of_a_request(http: Http, received: list[bytes]) -> None:
    headers = [
        ("X-One", "1"), ("x-one", "\xfc"), ("host", "elsewhere"), ("content-length", "99"),
        ("transfer-encoding", "gzip"), ("connection", "close, X-Private"), ("x-private", "1"),
        ("keep-alive", "1"), ("te", "trailers"), ("trailer", "x"), ("upgrade", "h2c"),
        ("proxy-authorization", "x"), ("proxy-connection", "x"), ("expect", "100-continue"),
    ]  # fmt: skip
    async with peer(keeping(received)) as target:
        await http(post(target.url + "/a/b?c=%20#d", b"body", headers=headers))
    host = target.url.removeprefix("http://")
    assert received == [
        f"POST /a/b?c=%20 HTTP/1.1\r\nhost: {host}\r\nx-one: 1\r\nx-one: \xfc\r\n"
        "content-length: 4\r\naccept-encoding: identity\r\n"
        f"user-agent: penstock/{__version__}\r\n\r\nbody".encode("latin-1")
    ]


async def test_its_own_agent_and_encoding(http: Http, received: list[bytes]) -> None:
    headers = [("user-agent", "mine"), ("accept-encoding", "gzip")]
    async with peer(keeping(received)) as target:
        await http(get(target.url, headers=headers))
    host = target.url.removeprefix("http://")
    assert received == [
        f"GET / HTTP/1.1\r\nhost: {host}\r\nuser-agent: mine\r\naccept-encoding: gzip\r\n\r\n".encode()
    ]


@pytest.mark.parametrize(
    ("method", "name", "value"),
    [
        ("POST", "x", "a\r\nx-injected: 1"),
        ("POST", "x", "a\nx-injected: 1"),
        ("POST", "x", "a\rx-injected: 1"),
        ("POST", "x", "a\x00"),
        ("POST", "x", "snow \N{SNOWMAN}"),
        ("POST", "x: y\r\nz", "1"),
        ("POST", "x\n", "1"),
        ("POST", "x y", "1"),
        ("POST", "x:", "1"),
        ("POST", "", "1"),
        ("POST", "\xfc", "1"),
        ("GET / HTTP/1.1\r\nx: y\r\n\r\nGET", "x", "1"),
        ("", "x", "1"),
    ],
)
async def test_nothing_can_be_injected(http: Http, method: str, name: str, value: str) -> None:
    async with peer(once(sized(b""))) as target:
        with pytest.raises(NotSent) as failed:
            await http(Request(method, target.url.encode(), headers=[(name, value)]))
        assert target.calls == 0
    assert failed.value.processed == "no"


@pytest.mark.parametrize(
    "url",
    [
        b"", b"/v1", b"ftp://127.0.0.1/", b"http://", b"http:///x", b"http://user:pass@127.0.0.1/",
        b"http://127.0.0.1:0/", b"http://127.0.0.1:65536/", b"http://127.0.0.1:x/",
        b"http://127.0.0.1/a b", b"http://127.0.0.1/a\r\nx: y", b"http://127.0.0.1/\xc3\xbc",
        b"http://b\xc3\xbccher.example/", b"http://[::1", b"http://127.0.0.1\\@x/",
    ],
)  # fmt: skip
async def test_what_is_no_url_is_not_sent(http: Http, url: bytes) -> None:
    with pytest.raises(NotSent) as failed:
        await http(Request("GET", url))
    assert failed.value.processed == "no"
    assert http.busy == 0


async def test_unreachable_targets(http: Http) -> None:
    async with peer(once(b"")) as target:
        pass
    label = "x" * 64
    for url in (target.url, "http://no-such-host.invalid/", f"http://{label}.invalid/"):
        with pytest.raises(NotSent) as failed:
            await http(post(url))
        assert failed.value.processed == "no"
    assert http.busy == 0


async def test_connecting_takes_too_long(http: Http, monkeypatch: pytest.MonkeyPatch) -> None:
    async def never(*args: object, **kwargs: object) -> None:
        await asyncio.Event().wait()

    class Loop:
        """The running loop, but nobody answers."""

        create_connection = staticmethod(never)

        def __getattr__(self, name: str) -> object:
            return getattr(asyncio.get_running_loop(), name)

    http._loop = Loop()  # type: ignore[assignment]  # no address here swallows SYNs
    with pytest.raises(NotSent, match="connect time-out"):
        await http(post("http://127.0.0.1:9", timeouts=Timeouts(connect=0.05)))
    assert http.busy == 0


async def test_streamed_body_is_chunked(http: Http, received: list[bytes]) -> None:
    async with peer(keeping(received)) as target:
        await http(post(target.url, Parts(b"one", b"", b"x" * 20)))
        await http(post(target.url, Parts()))
        assert target.calls == 1
    first, second = received
    assert b"\r\ntransfer-encoding: chunked\r\n" in first
    assert b"content-length" not in first
    assert first.endswith(b"\r\n\r\n3\r\none\r\n14\r\n" + b"x" * 20 + b"\r\n0\r\n\r\n")
    assert second.endswith(b"\r\n\r\n0\r\n\r\n")


async def test_streamed_body_of_a_known_length_is_as_long_as_its_head_says(
    received: list[bytes],
) -> None:
    """Not every target can read chunks. On Workers the length is the platform's to say."""
    http = Http()
    async with peer(keeping(received)) as target:
        request = post(target.url, Parts(b"one", b"", b"x" * 20))
        request.length = 23
        await http(request)
        request = post(target.url, Parts(b"last"))
        request.length = 4
        await http(request)
        assert target.calls == 1
        for parts in ((b"one",), (b"one", b"two")):
            request = post(target.url, Parts(*parts))
            request.length = 4
            with pytest.raises(ValueError, match="as long"):
                await http(request)
    first, second = received[:2]
    assert b"\r\ncontent-length: 23\r\n" in first
    assert b"transfer-encoding" not in first
    assert first.endswith(b"\r\n\r\none" + b"x" * 20)
    assert second.endswith(b"\r\n\r\nlast")
    assert (http.busy, http.idle) == (0, 0)
    await http.close()


async def test_a_reply_to_all_of_a_body_whose_end_is_late_is_the_reply() -> None:
    """With a known length a target has all before the body says that it has ended: the connection is free by then."""
    http, replied = Http(), asyncio.Event()

    class Late(Parts):
        async def __anext__(self) -> bytes:
            if not self.left:
                await replied.wait()
            return await super().__anext__()

    async def serve(call: Call) -> None:
        while await call.request():
            await call.send(sized(b"ok"))
            await until(lambda: http.idle == 1)
            replied.set()

    async with peer(serve) as target:
        request = post(target.url, Late(b"last"))
        request.length = 4
        assert (await http(request)).body == b"ok"
        assert (http.busy, http.idle) == (0, 1)
    await http.close()


async def test_streamed_body_that_fails(http: Http) -> None:
    seen = asyncio.Event()

    async def serve(call: Call) -> None:
        await call.closed()
        seen.set()

    async with peer(serve) as target:
        with pytest.raises(ValueError, match="source"):
            await http(post(target.url, Parts(b"one", failure=ValueError("source"))))
        await seen.wait()
    assert (http.busy, http.idle) == (0, 0)


async def test_early_reply_ends_the_upload(http: Http) -> None:
    async def serve(call: Call) -> None:
        await call.reader.readuntil(b"\r\n\r\n")
        await call.send(b"HTTP/1.1 413 Too Large\r\ncontent-length: 2\r\n\r\nno")
        await asyncio.Event().wait()

    body = Parts(*[bytes(1 << 20)] * 100)
    async with peer(serve) as target:
        response = await http(post(target.url, body))
    assert (response.status, response.body) == (413, b"no")
    assert body.left
    assert http.idle == 0


async def test_target_that_takes_nothing_stalls(http: Http) -> None:
    async def serve(call: Call) -> None:
        await asyncio.Event().wait()

    limits = Timeouts(connect=5, first_byte=5, idle=0.1)
    async with peer(serve) as target:
        with pytest.raises(Stalled):
            await http(post(target.url, Parts(*[bytes(1 << 20)] * 100), timeouts=limits))


async def test_target_that_closes_during_the_upload(http: Http) -> None:
    async def serve(call: Call) -> None:
        await call.reader.readuntil(b"\r\n\r\n")
        call.reset()

    async with peer(serve) as target:
        with pytest.raises(Broken) as failed:
            await http(post(target.url, Parts(*[bytes(1 << 20)] * 100), timeouts=PATIENT))
    assert failed.value.processed == "unknown"
