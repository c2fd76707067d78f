"""`Fetch` over TLS: who is believed, and what a failed handshake means."""

from __future__ import annotations

import asyncio

import pytest

from penstock.errors import NotSent
from penstock.platforms.http import Http
from penstock.wire.http import Duplex, Timeouts
from penstock.wire.websocket import accept_of
from tests.authority import Authority, made_authority
from tests.contract.fetch.peer import (
    CHUNKED,
    END,
    Call,
    always,
    chunk,
    content,
    get,
    peer,
    post,
    sized,
)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return made_authority(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def trusted(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> Authority:
    """An authority the environment names."""
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    return authority


async def test_replies_streams_and_reuse(http: Http, trusted: Authority) -> None:
    whole, streamed = sized(b"x" * 100_000), [CHUNKED, chunk(b"a" * 300_000), chunk(b"b"), END]
    for pieces, body in (([whole], b"x" * 100_000), (streamed, b"a" * 300_000 + b"b")):
        async with peer(always(*pieces), trusted.server("127.0.0.1")) as target:
            for _ in range(3):
                assert await content(await http(post(target.url, b"q" * 100_000))) == body
            assert target.calls == 1


async def test_alpn_and_server_name(http: Http, trusted: Authority) -> None:
    chosen: list[object] = []

    async def serve(call: Call) -> None:
        await call.request()
        chosen.append(call.writer.get_extra_info("ssl_object").selected_alpn_protocol())
        await call.send(sized(b""))

    context = trusted.server("localhost")
    context.sni_callback = lambda _, name, __: chosen.append(name)
    async with peer(serve, context) as target:
        await http(post(target.url.replace("127.0.0.1", "localhost")))
    assert chosen == ["localhost", "http/1.1"]


async def test_a_tunnel(http: Http, trusted: Authority) -> None:
    key = "dGhlIHNhbXBsZSBub25jZQ=="
    told = f"connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-accept: {accept_of(key)}"
    left = asyncio.Event()

    async def serve(call: Call) -> None:
        await call.request()
        await call.send(f"HTTP/1.1 101 Switching\r\n{told}\r\n\r\n".encode())
        await call.send(await call.reader.readexactly(300_000))
        await call.closed()
        left.set()

    headers = [
        ("connection", "Upgrade"), ("upgrade", "websocket"), ("sec-websocket-version", "13"),
        ("sec-websocket-key", key),
    ]  # fmt: skip
    async with peer(serve, trusted.server("127.0.0.1")) as target:
        response = await http(get(target.url, headers=headers))
        tunnel = response.body
        assert isinstance(tunnel, Duplex)
        await tunnel.send(b"x" * 300_000)
        size = 0
        while size < 300_000:
            size += len(await anext(tunnel))
        # TLS has no half: what says that no more is sent ends it all, and that is no failure.
        await tunnel.end()
        with pytest.raises(StopAsyncIteration):
            await anext(tunnel)
        async with asyncio.timeout(5):
            await left.wait()
        await response.aclose()
    assert (http.busy, http.idle) == (0, 0)


@pytest.mark.parametrize(
    ("names", "days"), [(["localhost"], 1), (["127.0.0.2"], 1), (["127.0.0.1"], -1)]
)
async def test_wrong_certificates(
    http: Http, trusted: Authority, names: list[str], days: int
) -> None:
    async with peer(always(sized(b"")), trusted.server(*names, days=days)) as target:
        with pytest.raises(NotSent, match="certificate") as failed:
            await http(post(target.url))
    assert failed.value.processed == "no"
    assert (http.busy, http.idle) == (0, 0)


async def test_unknown_authority(http: Http, authority: Authority) -> None:
    async with peer(always(sized(b"")), authority.server("127.0.0.1")) as target:
        with pytest.raises(NotSent, match="certificate"):
            await http(post(target.url))


async def test_target_without_tls(http: Http, trusted: Authority) -> None:
    async def plain(call: Call) -> None:
        await call.reader.read(1)
        await call.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    async with peer(plain) as target:
        with pytest.raises(NotSent):
            await http(post(target.url.replace("http:", "https:")))
    assert http.busy == 0


async def test_handshake_counts_as_connecting(http: Http, trusted: Authority) -> None:
    async def silent(call: Call) -> None:
        await call.closed()

    async with peer(silent) as target:
        url = target.url.replace("http:", "https:")
        with pytest.raises(NotSent, match="connect time-out"):
            await http(post(url, timeouts=Timeouts(connect=0.1)))
    assert http.busy == 0


async def test_aclose_is_seen_at_once(http: Http, trusted: Authority) -> None:
    left = asyncio.Event()

    async def serve(call: Call) -> None:
        await call.request()
        await call.send(CHUNKED + chunk(b"x"))
        try:
            await call.closed()
        finally:
            left.set()

    async with peer(serve, trusted.server("127.0.0.1")) as target:
        response = await http(post(target.url))
        await response.aclose()
        async with asyncio.timeout(1):
            await left.wait()
