"""What `Fetch` makes of a WebSocket's handshake: a tunnel where it is answered so, a plain reply or a failure where not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from penstock.errors import Broken, NotSent, Stalled
from penstock.platforms.http import Http
from penstock.wire.http import Request, Timeouts
from penstock.wire.websocket import accept_of
from tests.contract.fetch.handshakes import (
    HANDSHAKE,
    KEY,
    MEGABYTE,
    NAMED,
    PROOF,
    SWITCH,
    SWITCHED,
    ask,
    read,
    stuck,
    tunnel_of,
)
from tests.contract.fetch.peer import PATIENT, Call, always, content, once, peer, sized


@pytest.fixture
async def http() -> AsyncIterator[Http]:
    client = Http()
    yield client
    await client.close()
    assert (client.busy, client.idle) == (0, 0)


def serving(reply: bytes, seen: list[bytes] | None = None) -> Callable[[Call], Awaitable[None]]:
    async def serve(call: Call) -> None:
        came = await call.request()
        if seen is not None:
            seen.append(came)
        await call.send(reply)
        await call.closed()

    return serve


async def test_the_bytes_of_a_handshake(http: Http) -> None:
    seen: list[bytes] = []
    async with peer(serving(SWITCHED + b"early", seen)) as target:
        response = await http(ask(target.url))
        assert await read(tunnel_of(response), 5) == b"early"
        assert (http.busy, http.idle) == (0, 0)
        await response.aclose()
    lines = seen[0].decode().split("\r\n")
    assert lines[0] == "GET /socket?x=1 HTTP/1.1"
    assert lines.count("connection: Upgrade") == lines.count("upgrade: websocket") == 1
    for line in (f"sec-websocket-key: {KEY}", "sec-websocket-version: 13"):
        assert lines.count(line) == 1
    assert "sec-websocket-protocol: a, b" in lines
    assert "sec-websocket-extensions: x; y=1" in lines
    assert response.headers == [
        ("sec-websocket-accept", accept_of(KEY)), ("sec-websocket-protocol", "b"), ("x-one", "1"),
    ]  # fmt: skip


async def test_an_interim_reply_may_come_before(http: Http) -> None:
    async with peer(serving(b"HTTP/1.1 103 Early\r\n\r\n" + SWITCHED)) as target:
        await (await http(ask(target.url))).aclose()


@pytest.mark.parametrize(
    "reply",
    [
        SWITCH + PROOF + b"\r\n",
        SWITCH + NAMED + b"\r\n",
        SWITCH + b"upgrade: websocket\r\n" + PROOF + b"\r\n",
        SWITCH + b"connection: Upgrade\r\nupgrade: h2c\r\n" + PROOF + b"\r\n",
        SWITCH + NAMED + b"sec-websocket-accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n\r\n",
        SWITCH + NAMED + PROOF + PROOF + b"\r\n",
        SWITCH + NAMED + PROOF + b"content-length: 0\r\n\r\n",
        SWITCH + NAMED + PROOF + b"transfer-encoding: chunked\r\n\r\n",
        SWITCH + b"connection: Upgrade, Sec-WebSocket-Accept\r\nupgrade: websocket\r\n" + PROOF + b"\r\n",
        SWITCHED[:-2],
        b"",
        b"\xff\xfe garbage",
    ],
)  # fmt: skip
async def test_what_is_no_answer_is_broken(http: Http, reply: bytes) -> None:
    async with peer(once(reply)) as target:
        with pytest.raises(Broken):
            await http(ask(target.url))
        assert (http.busy, http.idle) == (0, 0)


async def test_a_101_that_nobody_asked_for_is_broken(http: Http) -> None:
    async with peer(once(SWITCHED)) as target:
        with pytest.raises(Broken):
            await http(Request("GET", target.url.encode(), timeouts=PATIENT))


@pytest.mark.parametrize("status", ["400 No", "401 No", "302 Found", "426 No", "503 No", "200 OK"])
async def test_any_other_answer_is_a_plain_reply(http: Http, status: str) -> None:
    reply = sized(b"no", "upgrade: websocket", "connection: Upgrade").replace(
        b"200 OK", status.encode()
    )
    async with peer(always(reply)) as target:
        for calls in (1, 2):
            response = await http(ask(target.url))
            assert (response.status, response.body) == (int(status[:3]), b"no")
            assert (target.calls, http.busy, http.idle) == (calls, 0, 0)


async def test_a_long_answer_comes_as_a_stream(http: Http) -> None:
    async with peer(once(b"HTTP/1.1 200 OK\r\n\r\n", b"to the end")) as target:
        assert await content(await http(ask(target.url))) == b"to the end"


@pytest.mark.parametrize(
    ("name", "value"),
    [("sec-websocket-key", "short"), ("sec-websocket-version", "8"), ("content-length", "1")],
)
async def test_a_bad_handshake_is_not_sent(http: Http, name: str, value: str) -> None:
    request = ask("http://127.0.0.1:1")
    request.headers = [*[pair for pair in HANDSHAKE if pair[0] != name], (name, value)]
    with pytest.raises(NotSent):
        await http(request)


async def test_a_target_that_says_nothing_stalls(http: Http) -> None:
    async with peer(serving(b"")) as target:
        with pytest.raises(Stalled, match="first-byte"):
            await http(ask(target.url, timeouts=Timeouts(first_byte=0.05)))


async def test_silence_both_ways_ends_a_tunnel(http: Http) -> None:
    async with peer(serving(SWITCHED)) as target:
        tunnel = tunnel_of(await http(ask(target.url, timeouts=Timeouts(idle=0.05))))
        with pytest.raises(Stalled, match="idle"):
            await anext(tunnel)
        with pytest.raises(Stalled, match="idle"):
            await tunnel.send(b"x")


async def test_a_tunnel_has_a_whole_time(http: Http) -> None:
    async def talking(call: Call) -> None:
        await call.request()
        await call.send(SWITCHED)
        gone = asyncio.ensure_future(call.closed())
        while not gone.done():
            await call.send(b"x")
            await asyncio.wait([gone], timeout=0.02)

    async with peer(talking) as target:
        tunnel = tunnel_of(await http(ask(target.url, timeouts=Timeouts(idle=5, total=0.2))))
        with pytest.raises(Stalled, match="total"):
            await read(tunnel, MEGABYTE)


async def test_a_reset_is_broken(http: Http) -> None:
    async def resetting(call: Call) -> None:
        await call.request()
        await call.send(SWITCHED)
        await call.reader.readexactly(2)
        call.reset()

    async with peer(resetting) as target:
        tunnel = tunnel_of(await http(ask(target.url)))
        await tunnel.send(b"go")
        with pytest.raises(Broken):
            await anext(tunnel)
        with pytest.raises(Broken):
            await tunnel.send(b"x")


async def test_reading_pauses_where_nobody_reads(http: Http) -> None:
    sent = 0

    async def flooding(call: Call) -> None:
        nonlocal sent
        await call.request()
        await call.send(SWITCHED)
        for _ in range(200):
            await call.send(bytes(MEGABYTE // 2))
            sent += MEGABYTE // 2

    async with peer(flooding) as target:
        response = await http(ask(target.url))
        await stuck(lambda: sent)
        assert sent < 50 * MEGABYTE
        assert sum([len(part) async for part in tunnel_of(response)]) == 100 * MEGABYTE
        await response.aclose()


async def test_tunnels_take_no_place_from_others() -> None:
    client = Http(connections=1)
    async with peer(serving(SWITCHED)) as target, peer(always(sized(b"x"))) as other:
        tunnels = [await client(ask(target.url)) for _ in range(3)]
        plain = await client(Request("GET", other.url.encode(), timeouts=PATIENT))
        assert plain.body == b"x"
        assert client.busy == 0
        await client.close()
        for response in tunnels:
            with pytest.raises(Broken):
                await anext(tunnel_of(response))


async def test_a_cancelled_handshake_leaves_nothing(http: Http) -> None:
    came = asyncio.Event()
    left = asyncio.Event()

    async def silent(call: Call) -> None:
        await call.request()
        came.set()
        await call.closed()
        left.set()

    async with peer(silent) as target:
        task = asyncio.create_task(http(ask(target.url)))
        await came.wait()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        async with asyncio.timeout(5):
            await left.wait()
