"""Replies of services kept by a real gateway: what goes over the wire, on a hit and on the way, and purges by the command line."""

from __future__ import annotations

import gzip
import hashlib
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from tests.clients.backend import Backend, Came, sized
from tests.clients.process import SECRET, Penstock, token, until

CONFIG = """
[auth]
issuers = [{{ mode = "hs256", secret = "{secret}" }}]
[services.orders]
prefixes = ["/api/orders"]
limit = "1000000/h"
cache = {{ ttl = 600 }}
backends = [{{ url = "{url}" }}]
"""
LARGE = bytes(range(256)) * 2_000
Served = tuple[Penstock, Backend, httpx.Client]


@pytest.fixture
def served(fresh_home: Callable[[str], Path]) -> Iterator[Served]:
    with ExitStack() as stack:
        backend = stack.enter_context(Backend())
        text = CONFIG.format(secret=SECRET, url=backend.url)
        gateway = stack.enter_context(Penstock(fresh_home("cached"), text))
        headers = {"authorization": f"Bearer {token('alice')}"}
        yield (
            gateway,
            backend,
            stack.enter_context(httpx.Client(base_url=gateway.url, headers=headers, timeout=30)),
        )


def chunked(*parts: bytes) -> Iterable[bytes]:
    yield b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
    for part in parts:
        yield b"%x\r\n%b\r\n" % (len(part), part)
    yield b"0\r\n\r\n"


def test_a_hit_is_the_reply_byte_for_byte(served: Served) -> None:
    _, backend, client = served
    packed = gzip.compress(LARGE)
    lines = ["content-encoding: gzip", "content-type: x/y", "vary: accept-encoding", 'etag: "e"']
    backend.answer = lambda came: [sized(packed, *lines)]
    seen = []
    for found in ("MISS", "HIT", "HIT"):
        with client.stream("GET", "/api/orders/7?x") as reply:
            assert reply.headers["x-cache"] == found
            raw = b"".join(reply.iter_raw())
        assert raw == packed
        seen.append(
            {name: reply.headers[name] for name in ("content-type", "etag", "content-encoding")}
        )
    assert seen[0] == seen[1] == seen[2]
    assert reply.headers["content-length"] == str(len(packed))
    assert reply.headers["cache-control"] == "private, max-age=600"
    plain = client.get("/api/orders/7?x", headers={"accept-encoding": "identity"})
    assert plain.headers["x-cache"] == "MISS"
    head = client.head("/api/orders/7?x")
    assert (head.headers["x-cache"], head.content) == ("HIT", b"")
    known = client.get("/api/orders/7?x", headers={"if-none-match": '"e"'})
    assert (known.status_code, known.content) == (304, b"")
    assert len(backend.came) == 2


def test_what_comes_in_chunks_is_kept_once_it_is_whole(served: Served) -> None:
    _, backend, client = served
    backend.answer = lambda came: chunked(LARGE, LARGE)
    for found in ("MISS", "HIT"):
        reply = client.get("/api/orders")
        assert (reply.headers["x-cache"], reply.content) == (found, LARGE * 2)
    backend.answer = lambda came: [
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n", b"",
    ]  # fmt: skip
    for _ in range(2):
        with pytest.raises(httpx.RemoteProtocolError):
            client.get("/api/orders/broken")
    part = client.get("/api/orders", headers={"range": "bytes=1-3"})
    assert (part.status_code, part.content) == (206, (LARGE * 2)[1:4])


def test_many_at_once_ask_once(served: Served) -> None:
    gateway, backend, client = served
    go = threading.Event()

    def answer(came: Came) -> Iterable[bytes]:
        yield b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
        assert go.wait(30)
        yield b"%x\r\n%b\r\n0\r\n\r\n" % (len(LARGE), LARGE)

    backend.answer = answer
    with ThreadPoolExecutor(20) as pool:
        asked = [pool.submit(client.get, "/api/orders/slow") for _ in range(20)]
        admin = {"authorization": f"Bearer {token('root', scope='admin')}"}
        until(
            lambda: (
                "penstock_running_requests 20"
                in httpx.get(f"{gateway.url}/metrics", headers=admin).text
            ),
            30.0,
        )
        go.set()
        digests = {hashlib.sha256(one.result().content).hexdigest() for one in asked}
    assert digests == {hashlib.sha256(LARGE).hexdigest()}
    assert len(backend.came) == 1


def test_the_command_line_purges_what_a_gateway_serves(served: Served) -> None:
    gateway, backend, client = served
    backend.answer = lambda came: [sized(b"x", "cache-tag: shoes")]

    def found(path: str) -> str:
        return client.get(path).headers["x-cache"]

    paths = ("/api/orders/1?a=b", "/api/orders/2")
    assert [found(path) for path in paths * 2] == ["MISS", "MISS", "HIT", "HIT"]
    gateway.run("cache", "purge", "--url", f"{gateway.url}/api/orders/1?a=b")
    until(lambda: found(paths[0]) == "MISS", 20.0)
    assert [found(path) for path in paths] == ["HIT", "HIT"]
    gateway.run("cache", "purge", "--tag", "shoes")
    until(lambda: found(paths[0]) == "MISS", 20.0)
    assert found(paths[1]) == "MISS"

    def misses() -> int:
        return sum(one["misses"] for one in gateway.ask("cache", "stats") if one["kind"] == "http")

    until(lambda: misses() == 5, 20.0)
