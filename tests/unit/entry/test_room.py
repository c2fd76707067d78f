"""Bodies of all connections together, and connections of all clients: each has its bound."""

from __future__ import annotations

import json

import pytest

from penstock.entry.connection import IDLE_SECONDS
from penstock.gateway.bodies import SMALL
from tests.inbound import HOST, Held, Server, Visitor, post, turns

LARGE = 40_000


def begun(size: int, sent: int) -> bytes:
    """A request of which only so much of the body has come."""
    head = f"POST /x HTTP/1.1\r\n{HOST}content-length: {size}\r\n\r\n".encode()
    return head + b"x" * sent


def code(visitor: Visitor) -> tuple[int, str]:
    told = visitor.replies()[-1]
    return told.status, json.loads(told.body)["code"]


@pytest.fixture
def held() -> Held:
    return Held()


@pytest.fixture
async def narrow(held: Held) -> Server:
    """A server with room for one large body."""
    server = Server(held)
    server.listener.bodies.most = 50_000
    return server


async def test_a_body_without_room_is_refused_and_a_small_one_is_not(
    narrow: Server, held: Held
) -> None:
    first, second, small = narrow.visitor(), narrow.visitor(), narrow.visitor()
    await first.send(post("x" * LARGE))
    await second.send(post("x" * LARGE))
    await small.send(post("x" * SMALL))
    assert held.seen == ["/x", "/x"]
    assert code(second) == (503, "overloaded")
    assert second.replies()[-1].headers["retry-after"] == "1"
    held.go.set()
    await turns()
    assert narrow.listener.bodies.held == 0
    assert [visitor.replies()[-1].status for visitor in (first, small)] == [200, 200]
    await narrow.stop()


async def test_what_nobody_has_read_takes_room_as_it_comes(narrow: Server, held: Held) -> None:
    first, second = narrow.visitor(), narrow.visitor()
    await first.send(begun(LARGE * 2, 10_000))
    assert narrow.listener.bodies.held == 0
    await first.send(b"x" * 20_000)
    assert narrow.listener.bodies.held == 30_000
    await second.send(begun(LARGE * 2, 30_000))
    assert narrow.listener.bodies.held == 30_000
    held.go.set()
    await turns()
    assert narrow.listener.bodies.held == 0
    await narrow.stop()


async def test_who_leaves_gives_the_room_back(narrow: Server, held: Held) -> None:
    whole, arriving = narrow.visitor(), narrow.visitor()
    await whole.send(post("x" * 20_000) + post("x" * 20_000))
    assert narrow.listener.bodies.held == 40_000
    await whole.leave()
    assert narrow.listener.bodies.held == 0
    await arriving.send(begun(LARGE * 2, LARGE))
    assert narrow.listener.bodies.held == LARGE
    await arriving.leave()
    assert narrow.listener.bodies.held == 0
    await narrow.stop()


class Crowded:
    """A door before which others wait."""

    full = True

    def again(self) -> None: ...


async def test_idle_connections_make_room_for_those_outside(held: Held) -> None:
    held.go.set()
    server = Server(held)
    idle, busy, new = server.visitor(), server.visitor(), server.visitor()
    await idle.send(post(""))
    server.listener.door = Crowded()  # type: ignore[assignment]  # all of a door that a sweep asks for
    held.go.clear()
    await busy.send(post(""))
    await server.run(2)
    assert (idle.line.closing, busy.line.closing, new.line.closing) == (True, False, False)
    await server.stop()


async def test_without_others_outside_they_stay(held: Held) -> None:
    held.go.set()
    server = Server(held)
    idle = server.visitor()
    await idle.send(post(""))
    await server.run(int(IDLE_SECONDS) - 1)
    assert not idle.line.closing
    await server.stop()
