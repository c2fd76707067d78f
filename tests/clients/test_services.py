"""Services behind a real gateway over real sockets: what passes, what fails over, what is refused at either end."""

from __future__ import annotations

import gzip
import hashlib
import json
import signal
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from tests.clients.backend import OK, Backend, Came, sized
from tests.clients.process import SECRET, Penstock, token, until

HEAD = """
[auth]
issuers = [{{ mode = "hs256", secret = "{secret}" }}]
[services.orders]
prefixes = ["/api/orders"]
auth = "none"
limit = "1000000/h"
backends = [{backends}]
"""
EVENTS = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
LARGE = bytes(range(256)) * 12_000

Served = tuple[Penstock, list[Backend]]


def config(backends: list[Backend], more: str = "") -> str:
    listed = ", ".join(f'{{ url = "{one.url}" }}' for one in backends)
    return HEAD.format(secret=SECRET, backends=listed) + more


@pytest.fixture
def served(request, fresh_home: Callable[[str], Path]) -> Iterator[Served]:
    with ExitStack() as stack:
        backends = [stack.enter_context(Backend()) for _ in range(getattr(request, "param", 1))]
        gateway = Penstock(fresh_home("services"), config(backends))
        yield stack.enter_context(gateway), backends


def states(gateway: Penstock) -> dict[str, str]:
    headers = {"authorization": f"Bearer {token('admin', scope='admin')}"}
    told = httpx.get(f"{gateway.url}/admin/services", headers=headers).json()
    return {one["url"]: one["state"] for one in told["services"][0]["backends"]}


def test_what_a_backend_gets_on_the_wire(served: Served) -> None:
    gateway, [backend] = served
    headers = {
        "connection": "x-secret",
        "x-secret": "1",
        "x-forwarded-for": "203.0.113.9",
        "cookie": "a=b",
    }
    reply = httpx.post(f"{gateway.url}/api/orders/a%2Fb?q=%41", content=b"body", headers=headers)
    assert (reply.status_code, reply.content) == (200, b"ok")
    [came] = backend.came
    assert came.line == "POST /api/orders/a%2Fb?q=%41 HTTP/1.1"
    assert came.body == b"body"
    assert came.all("host") == [f"127.0.0.1:{backend.port}"]
    assert came.all("x-forwarded-host") == [gateway.url.removeprefix("http://")]
    assert came.all("x-forwarded-for") == came.all("x-real-ip") == ["127.0.0.1"]
    assert came.all("x-request-id") == [reply.headers["x-request-id"]]
    assert came.all("cookie") == ["a=b"]
    assert not came.all("x-secret") + came.all("connection")


def test_large_bodies_stream_both_ways(served: Served) -> None:
    gateway, [backend] = served
    backend.answer = lambda came: [sized(LARGE, f"x-sha: {hashlib.sha256(came.body).hexdigest()}")]
    parts = [LARGE[at : at + 60_000] for at in range(0, len(LARGE), 60_000)]
    reply = httpx.post(f"{gateway.url}/api/orders", content=iter(parts))
    assert reply.headers["x-sha"] == hashlib.sha256(LARGE).hexdigest()
    assert reply.headers["content-length"] == str(len(LARGE))
    assert reply.content == LARGE
    head = httpx.head(f"{gateway.url}/api/orders")
    assert (head.headers["content-length"], head.content) == (str(len(LARGE)), b"")
    assert backend.came[-1].line.startswith("HEAD ")


def test_a_body_of_a_known_length_reaches_a_backend_that_reads_no_chunks(served: Served) -> None:
    """Many clients send head and body apart."""
    gateway, [backend] = served
    for size in (4, 100_000):
        head = f"POST /api/orders HTTP/1.1\r\nhost: x\r\ncontent-length: {size}\r\n"
        head += "expect: 100-continue\r\nconnection: close\r\n\r\n"
        port = int(gateway.url.rpartition(":")[2])
        with (
            socket.create_connection(("127.0.0.1", port), timeout=20) as client,
            client.makefile("rb") as replies,
        ):
            client.sendall(head.encode())
            assert (replies.readline(), replies.readline()) == (
                b"HTTP/1.1 100 Continue\r\n",
                b"\r\n",
            )
            client.sendall(b"x" * size)
            assert replies.readline() == b"HTTP/1.1 200 OK\r\n"
        came = backend.came[-1]
        assert (came.all("content-length"), came.all("transfer-encoding")) == ([str(size)], [])
        assert came.body == b"x" * size


def test_a_reply_passes_as_it_was_packed_with_its_cookies_and_date(served: Served) -> None:
    gateway, [backend] = served
    packed = gzip.compress(b"text" * 100)
    date = "Fri, 27 Nov 2026 10:00:00 GMT"
    lines = ["content-encoding: gzip", "set-cookie: a=1", "set-cookie: b=2", f"date: {date}"]
    backend.answer = lambda came: [sized(packed, *lines)]
    with httpx.stream("GET", f"{gateway.url}/api/orders") as reply:
        assert b"".join(reply.iter_raw()) == packed
        assert reply.headers.get_list("set-cookie") == ["a=1", "b=2"]
        assert reply.headers.get_list("date") == [date]


def test_events_arrive_one_by_one(served: Served) -> None:
    gateway, [backend] = served
    seen = threading.Event()

    def answer(came: Came) -> Iterable[bytes]:
        yield EVENTS + b"9\r\ndata: 1\n\n\r\n"
        assert seen.wait(20)
        yield b"9\r\ndata: 2\n\n\r\n0\r\n\r\n"

    backend.answer = answer
    with httpx.stream("GET", f"{gateway.url}/api/orders", timeout=20) as reply:
        pieces = reply.iter_raw()
        assert next(pieces) == b"data: 1\n\n"
        seen.set()
        assert b"".join(pieces) == b"data: 2\n\n"


def test_a_stream_of_events_begins_before_its_first_event(served: Served) -> None:
    """A page learns by it that it is connected."""
    gateway, [backend] = served
    seen = threading.Event()

    def answer(came: Came) -> Iterable[bytes]:
        yield EVENTS
        assert seen.wait(20)
        yield b"9\r\ndata: 1\n\n\r\n0\r\n\r\n"

    backend.answer = answer
    with httpx.stream("GET", f"{gateway.url}/api/orders", timeout=5) as reply:
        assert reply.status_code == 200
        seen.set()
        assert b"".join(reply.iter_raw()) == b"data: 1\n\n"


def test_who_leaves_is_missed_at_the_backend(served: Served) -> None:
    gateway, [backend] = served

    def answer(came: Came) -> Iterable[bytes]:
        yield EVENTS
        while True:
            yield b"400\r\n" + b"x" * 1024 + b"\r\n"

    backend.answer = answer
    with httpx.stream("GET", f"{gateway.url}/api/orders") as reply:
        next(reply.iter_raw())
    assert backend.broken.wait(20)


@pytest.mark.parametrize("served", [3], indirect=True)
def test_one_of_three_is_killed_and_comes_back(served: Served) -> None:
    gateway, backends = served
    url, killed = f"{gateway.url}/api/orders", backends[0]
    until(lambda: all(one.probes for one in backends), 20.0)
    with httpx.Client() as client:
        for _ in range(30):
            assert client.get(url).status_code == 200
        assert [len(one.came) for one in backends] == [10, 10, 10]
        killed.stop()
        answers = [client.get(url).status_code for _ in range(60)]
        assert answers.count(200) == 60
        assert states(gateway)[killed.url] == "ejected"
        assert client.post(url, content=b"x").status_code == 200
        reload(gateway)
        assert states(gateway)[killed.url] == "ejected"
        killed.start()
        until(lambda: states(gateway)[killed.url] == "up", 30.0)
        before = len(killed.came)
        for _ in range(30):
            assert client.get(url).status_code == 200
        assert len(killed.came) == before + 10


def reload(gateway: Penstock) -> None:
    assert gateway.process is not None
    assert gateway.process.stderr is not None
    gateway.process.send_signal(signal.SIGHUP)
    assert json.loads(gateway.process.stderr.readline())["reload"] == "done"


def test_a_post_is_sent_once_though_its_connection_breaks(served: Served) -> None:
    gateway, [backend] = served
    backend.answer = lambda came: [b""]
    reply = httpx.post(f"{gateway.url}/api/orders", content=b"once")
    assert (reply.status_code, reply.json()["code"]) == (502, "upstream_broken")
    assert reply.headers["x-should-retry"] == "false"
    assert [came.body for came in backend.came] == [b"once"]


GARBAGE = {
    "no HTTP": b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
    "both lengths": b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    "two lengths": b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nabc",
    "a bad chunk": b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nxyz\r\n",
    "cut short": b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc",
    "an endless head": b"HTTP/1.1 200 OK\r\n" + b"x: " + b"y" * 300_000,
    "too many headers": b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 300 + b"content-length: 0\r\n\r\n",
    "another protocol": b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n",
    "a folded header": b"HTTP/1.1 200 OK\r\nx: a\r\n b\r\ncontent-length: 0\r\n\r\n",
}


@pytest.mark.parametrize("kind", GARBAGE)
def test_garbage_from_a_backend_is_502_and_its_connection_is_dropped(
    served: Served, kind: str
) -> None:
    gateway, [backend] = served
    backend.answer = lambda came: [GARBAGE[kind], b""]
    reply = httpx.post(f"{gateway.url}/api/orders", content=b"x")
    assert (reply.status_code, reply.json()["error"]) == (502, "Backend error")
    assert len(backend.came) == 1
    backend.answer = lambda came: [OK]
    assert httpx.get(f"{gateway.url}/api/orders").content == b"ok"


def test_more_than_one_reply_is_nobodys(served: Served) -> None:
    gateway, [backend] = served
    extra = b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nforged"
    backend.answer = lambda came: [OK + extra]
    with httpx.Client() as client:
        for _ in range(3):
            reply = client.get(f"{gateway.url}/api/orders")
            assert reply.content in (b"ok", b"") or reply.status_code == 502
            assert b"forged" not in reply.content


HOST = b"host: penstock.test\r\n"
SMUGGLED = {
    "both lengths": (b"content-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\nGET /x HTTP/1.1\r\n", 400),
    "two lengths": (b"content-length: 4\r\ncontent-length: 5\r\n\r\nabcde", 400),
    "a signed length": (b"content-length: +4\r\n\r\nabcd", 400),
    "a bad chunk": (b"transfer-encoding: chunked\r\n\r\nzz\r\nabc", 400),
    "a chunk without its end": (b"transfer-encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n", 400),
    "another coding": (b"transfer-encoding: gzip\r\n\r\nabc", 400),
    "a coding hidden": (b"transfer-encoding: chunked, identity\r\n\r\n0\r\n\r\n", 400),
    "a space before the colon": (b"content-length : 4\r\n\r\nabcd", 400),
    "a folded header": (b"x: a\r\n transfer-encoding: chunked\r\n\r\n", 400),
    "two hosts": (b"host: other.test\r\n\r\n", 400),
    "a large header": (b"x: " + b"y" * 400_000 + b"\r\n\r\n", 431),
    "many headers": (b"".join(b"x-%d: y\r\n" % at for at in range(300)) + b"\r\n", 431),
}  # fmt: skip


@pytest.mark.parametrize("kind", SMUGGLED)
def test_what_hides_a_second_request_reaches_nobody(served: Served, kind: str) -> None:
    gateway, [backend] = served
    rest, status = SMUGGLED[kind]
    told = raw(gateway, b"POST /api/orders HTTP/1.1\r\n" + HOST + rest)
    assert told.startswith(b"HTTP/1.1 %d " % status), told[:80]
    assert told.count(b"HTTP/1.1 ") == 1
    assert not [came for came in backend.came if "/x " in came.line]
    assert len(backend.came) <= 1  # one whose head was sound may have gone before its body was seen


@pytest.mark.parametrize(
    "target",
    [b"http://other.test/api/orders", b"//other.test/api/orders", b"/api/orders/../x", b"*"],
)
def test_a_target_that_means_another_reaches_nobody(served: Served, target: bytes) -> None:
    gateway, [backend] = served
    told = raw(gateway, b"GET " + target + b" HTTP/1.1\r\n" + HOST + b"connection: close\r\n\r\n")
    assert told.split(b" ")[1] in (b"400", b"404")
    assert not backend.came


def raw(gateway: Penstock, data: bytes) -> bytes:
    """What the gateway says until it closes the connection."""
    place = gateway.url.removeprefix("http://").split(":")
    with socket.create_connection((place[0], int(place[1])), 20) as line:
        line.sendall(data)
        told = b""
        try:
            while piece := line.recv(65_536):
                told += piece
        except ConnectionResetError:
            pass
        return told
