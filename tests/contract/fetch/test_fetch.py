"""What `Fetch` promises of replies, against targets that answer byte by byte as told."""

from __future__ import annotations

import asyncio
import gzip
import zlib

import pytest

from penstock.errors import Broken, Cut, Stalled
from penstock.platforms.http import Http
from penstock.wire.http import Request, Timeouts
from tests.contract.fetch.peer import (
    CHUNKED,
    END,
    HEAD,
    Call,
    Serve,
    always,
    chunk,
    content,
    once,
    peer,
    post,
    sized,
)

MEGABYTE = 1 << 20


async def test_small_sized_reply_is_bytes(http: Http) -> None:
    async with peer(
        always(sized(b"abc", "X-One: 1", "x-one: \xfc", "content-type: a/b"))
    ) as target:
        response = await http(post(target.url))
    assert (response.status, response.body) == (200, b"abc")
    assert response.headers == [
        ("x-one", "1"), ("x-one", "\xfc"), ("content-type", "a/b"), ("content-length", "3"),
    ]  # fmt: skip


async def test_blanks_around_a_headers_value_are_no_part_of_it(http: Http) -> None:
    if not isinstance(http, Http):
        pytest.skip("the platform reads heads")
    reply = HEAD + b"x-one: \ta b \t\r\ncontent-length:  3 \r\n\r\nabc"
    async with peer(always(reply)) as target:
        response = await http(post(target.url))
    assert (response.status, response.body, response.header("x-one")) == (200, b"abc", "a b")


async def test_large_sized_reply_is_a_stream(http: Http) -> None:
    body = bytes(range(256)) * 8_192
    async with peer(always(sized(body))) as target:
        response = await http(post(target.url))
        assert not isinstance(response.body, bytes)
        assert await content(response) == body
        assert (http.busy, http.idle) == (0, 1)


async def test_stream_hands_out_what_came_together(http: Http) -> None:
    released = asyncio.Event()

    async def serve(call: Call) -> None:
        await call.request()
        await call.send(CHUNKED + chunk(b"a") + chunk(b"b") + b"1\r\n")
        await released.wait()
        await call.send(b"c\r\n" + END)

    async with peer(serve) as target:
        response = await http(post(target.url))
        assert not isinstance(response.body, bytes)
        assert await anext(response.body) == b"ab"
        released.set()
        assert await anext(response.body) == b"c"
        with pytest.raises(StopAsyncIteration):
            await anext(response.body)


async def test_cancelled_read_loses_nothing(http: Http) -> None:
    released = asyncio.Event()

    async def serve(call: Call) -> None:
        await call.request()
        await call.send(CHUNKED + chunk(b"one"))
        await released.wait()
        await call.send(chunk(b"two") + END)

    async with peer(serve) as target:
        response = await http(post(target.url))
        body = response.body
        assert not isinstance(body, bytes)
        assert await anext(body) == b"one"
        for _ in range(3):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.01):
                    await anext(body)
        released.set()
        assert await content(response) == b"two"


@pytest.mark.parametrize(
    ("method", "reply", "status", "body"),
    [
        ("GET", b"HTTP/1.1 204 No Content\r\ncontent-length: 9\r\n\r\n", 204, b""),
        ("GET", b"HTTP/1.1 304 Not Modified\r\ncontent-length: 9\r\n\r\n", 304, b""),
        ("HEAD", HEAD + b"content-length: 9\r\n\r\n", 200, b""),
        ("HEAD", HEAD + b"content-length: 9\r\n\r\nall of it", 200, b""),
        ("HEAD", HEAD + b"content-encoding: gzip\r\ntransfer-encoding: chunked\r\n\r\n", 200, b""),
        ("POST", sized(b""), 200, b""),
        ("POST", CHUNKED + END, 200, b""),
        ("POST", b"HTTP/1.1 100 Continue\r\n\r\n" + sized(b"x"), 200, b"x"),
        ("POST", b"HTTP/1.1 103 Early\r\nlink: </a>\r\n\r\n" * 9 + sized(b"x"), 200, b"x"),
        ("POST", HEAD + b"\r\nto the end", 200, b"to the end"),
        ("POST", b"HTTP/1.0 200 OK\r\n\r\nold", 200, b"old"),
        ("POST", CHUNKED + b"3;a=b\r\nabc\r\n0\r\nx-late: 1\r\n\r\n", 200, b"abc"),
        ("POST", b"HTTP/1.1 302 Found\r\nlocation: /x\r\ncontent-length: 0\r\n\r\n", 302, b""),
        ("POST", b"HTTP/1.1 500 Oops\r\ncontent-length: 2\r\n\r\n{}", 500, b"{}"),
    ],
)
async def test_framing(http: Http, method: str, reply: bytes, status: int, body: bytes) -> None:
    async with peer(once(reply)) as target:
        response = await http(Request(method, target.url.encode()))
        assert response.status == status
        assert await content(response) == body


@pytest.mark.parametrize(
    "reply",
    [
        b"",
        b"HTTP/1.1 200 O",
        b"\xff\xfe garbage",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 099 Low\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n",
        b"HTTP/1.1 103 Early\r\ncontent-length: 1\r\n\r\nx" + sized(b"x"),
        HEAD + b"content-length: 3\r\n\r\nab",
        HEAD + b"content-length: 3\r\ncontent-length: 4\r\n\r\nabcd",
        HEAD + b"content-length: 3, 4\r\n\r\nabcd",
        HEAD + b"content-length: -3\r\n\r\nabc",
        HEAD + b"content-length: 3\r\ntransfer-encoding: chunked\r\n\r\n" + END,
        HEAD + b"transfer-encoding: chunked\r\ncontent-length: 3\r\n\r\n" + END,
        HEAD + b"transfer-encoding: gzip, chunked\r\n\r\n" + END,
        HEAD + b"transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n" + END,
        HEAD + b"transfer-encoding: identity\r\n\r\nabc",
        HEAD + b"x: a\r\n folded\r\ncontent-length: 0\r\n\r\n",
        HEAD + b"x\x00y: a\r\ncontent-length: 0\r\n\r\n",
        HEAD + b"x-%d: 1\r\n" * 201 % tuple(range(201)) + b"content-length: 0\r\n\r\n",
        HEAD + b"x: " + b"a" * (65 << 10) + b"\r\ncontent-length: 0\r\n\r\n",
        HEAD + b"x: " + b"a" * MEGABYTE,
        b"HTTP/1.1 103 Early\r\nlink: </a>\r\n\r\n" * 3_000,
        CHUNKED + chunk(b"abc"),
        CHUNKED + chunk(b"abc") + b"zz\r\n",
        CHUNKED + b"1;" + b"x" * MEGABYTE,
        CHUNKED + chunk(b"a") + b"0\r\nx-late: " + b"a" * MEGABYTE,
        HEAD + b"content-encoding: br\r\ncontent-length: 3\r\n\r\nabc",
    ],
)
async def test_unsound_reply_is_broken(http: Http, reply: bytes) -> None:
    async with peer(once(reply)) as target:
        with pytest.raises(Broken) as failed:
            await content(await http(post(target.url)))
    assert failed.value.processed == "unknown"
    assert http.idle == 0


async def test_hop_by_hop_headers_and_cookies_are_stripped(http: Http) -> None:
    lines = ["connection: keep-alive, X-Private", "x-private: 1", "keep-alive: timeout=5"]
    lines += ["proxy-authenticate: x", "proxy-connection: x", "te: x", "trailer: x", "upgrade: h2c"]
    lines += ["set-cookie: a=1", "set-cookie2: b=2", "x-kept: 1"]
    async with peer(always(sized(b"", *lines))) as target:
        response = await http(post(target.url))
    assert response.headers == [("x-kept", "1"), ("content-length", "0")]


async def test_a_verbatim_reply_keeps_its_cookies(http: Http) -> None:
    lines = ["set-cookie: a=1", "set-cookie: b=2", "connection: x-private", "x-private: 1", "te: x"]
    async with peer(always(sized(b"", *lines))) as target:
        response = await http(post(target.url, verbatim=True))
    names = [name for name, _ in response.headers]
    assert not {"connection", "x-private", "te"} & set(names)
    assert [value for name, value in response.headers if name == "set-cookie"] == ["a=1", "b=2"]


async def test_a_verbatim_reply_stays_packed(http: Http) -> None:
    packed = gzip.compress(b"text" * 100)
    for packing in ("gzip", "br", "zstd"):
        async with peer(always(sized(packed, f"content-encoding: {packing}"))) as target:
            response = await http(post(target.url, verbatim=True))
            assert response.header("content-encoding") == packing
            assert response.header("content-length") == str(len(packed))
            assert await content(response) == packed


@pytest.mark.parametrize("framing", ["sized", "chunked", "bytewise"])
@pytest.mark.parametrize("packing", ["gzip", "x-gzip", "deflate", "raw deflate", "two members"])
async def test_packed_replies(http: Http, packing: str, framing: str) -> None:
    text = b"".join(b"%d squared is %d\n" % (n, n * n) for n in range(4_000)) * 8
    bare = zlib.compressobj(wbits=-15)
    packed = {
        "gzip": gzip.compress(text),
        "x-gzip": gzip.compress(text),
        "deflate": zlib.compress(text),
        "raw deflate": bare.compress(text) + bare.flush(),
        "two members": gzip.compress(text[:99]) + gzip.compress(text[99:]),
    }[packing]
    name = {"raw deflate": "deflate", "two members": "gzip"}.get(packing, packing)
    if framing == "sized":
        pieces = [sized(packed, f"content-encoding: {name}")]
    else:
        head = CHUNKED.replace(b"\r\n\r\n", b"\r\ncontent-encoding: %b\r\n\r\n" % name.encode())
        step = len(packed) if framing == "chunked" else 1
        parts = [packed[at : at + step] for at in range(0, min(len(packed), 500), step)]
        rest = packed[sum(map(len, parts)) :]
        pieces = [head, *map(chunk, [*parts, rest] if rest else parts), END]
    async with peer(always(*pieces)) as target:
        response = await http(post(target.url))
        assert response.header("content-encoding") is None
        assert response.header("content-length") is None
        assert await content(response) == text
        assert (http.busy, http.idle) == (0, 1)


@pytest.mark.parametrize("damage", ["cut", "flipped", "trailing"])
async def test_damaged_packing_is_broken(http: Http, damage: str) -> None:
    packed = bytearray(gzip.compress(b"some text " * 1_000))
    if damage == "cut":
        del packed[-9:]
    elif damage == "trailing":
        packed += b"not another member"
    else:
        packed[20] ^= 0xFF
    async with peer(always(sized(bytes(packed), "content-encoding: gzip"))) as target:
        with pytest.raises(Broken):
            await content(await http(post(target.url)))


@pytest.mark.parametrize("framing", ["sized", "chunked", "to the end", "packed", "empty blocks"])
async def test_reply_above_its_cap_is_cut(http: Http, framing: str) -> None:
    zeros = bytes(3 * MEGABYTE)
    if framing == "packed":
        pieces = [sized(gzip.compress(zeros), "content-encoding: gzip")]
    elif framing == "empty blocks":  # brings nothing, however long it goes on
        blocks = zlib.compressobj(wbits=31).compress(b"") + b"\x00\x00\x00\xff\xff" * MEGABYTE
        pieces = [sized(blocks, "content-encoding: gzip")]
    elif framing == "sized":
        pieces = [sized(zeros)]
    else:
        pieces = (
            [HEAD + b"\r\n", zeros] if framing == "to the end" else [CHUNKED, chunk(zeros), END]
        )
    async with peer(once(*pieces)) as target:
        response = await http(post(target.url, max_reply=2 * MEGABYTE))
        with pytest.raises(Cut) as failed:
            await content(response)
    assert failed.value.processed == "yes"


async def test_reading_pauses_where_nobody_reads(http: Http) -> None:
    sent = 0
    piece = bytes(256 << 10)

    async def serve(call: Call) -> None:
        nonlocal sent
        await call.request()
        await call.send(HEAD + b"content-length: %d\r\n\r\n" % (len(piece) * 400))
        for _ in range(400):
            await call.send(piece)
            sent += len(piece)

    async with peer(serve) as target:
        response = await http(post(target.url, max_reply=1 << 30))
        before = -1
        while before != sent:  # until what fits between the two is full
            before = sent
            for _ in range(50):
                await asyncio.sleep(0)
            await asyncio.to_thread(lambda: None)
        assert sent < 50 << 20
        assert len(await content(response)) == len(piece) * 400


async def test_stalls_are_named_by_phase(http: Http) -> None:
    async def silent(call: Call) -> None:
        await call.request()
        await call.closed()

    async def pausing(call: Call) -> None:
        await call.request()
        await call.send(CHUNKED + chunk(b"first"))
        await call.closed()

    limits = Timeouts(connect=5, first_byte=0.05, idle=0.05)
    async with peer(silent) as target:
        with pytest.raises(Stalled, match="first-byte"):
            await http(post(target.url, timeouts=limits))
    async with peer(pausing) as target:
        response = await http(post(target.url, timeouts=Timeouts(5, 5, 0.05)))
        assert not isinstance(response.body, bytes)
        assert await anext(response.body) == b"first"
        with pytest.raises(Stalled, match="idle"):
            await anext(response.body)
    assert (http.busy, http.idle) == (0, 0)


def dripping(start: bytes, drop: bytes) -> Serve:
    """A target that never ends, and never pauses for long."""

    async def serve(call: Call) -> None:
        await call.request()
        await call.send(start)
        gone = asyncio.ensure_future(call.closed())
        while not gone.done():
            await call.send(drop)
            await asyncio.wait([gone], timeout=0.02)

    return serve


@pytest.mark.parametrize("head", [HEAD + b"content-length: 1000\r\n\r\n", HEAD + b"\r\n"])
async def test_a_drip_that_brings_something_ends_by_the_total(http: Http, head: bytes) -> None:
    limits = Timeouts(first_byte=5, idle=5, total=0.2)
    async with peer(dripping(head, b"x")) as target:
        with pytest.raises(Stalled, match="total"):
            await content(await http(post(target.url, timeouts=limits)))
    assert (http.busy, http.idle) == (0, 0)


@pytest.mark.parametrize(
    ("start", "drop", "phase"),
    [
        (HEAD, b"x: 1\r\n", "first-byte"),
        (b"", b"HTTP/1.1 103 Early\r\n\r\n", "first-byte"),
        (CHUNKED + b"1", b";", "idle"),
        (CHUNKED + b"0\r\n", b"x: 1\r\n", "idle"),
    ],
)
async def test_a_drip_that_brings_nothing_stalls(
    http: Http, start: bytes, drop: bytes, phase: str
) -> None:
    limits = Timeouts(first_byte=0.2, idle=0.2)
    async with peer(dripping(start, drop)) as target:
        with pytest.raises(Stalled, match=phase):
            await content(await http(post(target.url, timeouts=limits)))
