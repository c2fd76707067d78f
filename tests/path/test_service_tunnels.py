"""WebSockets to services: what a backend is asked, where a handshake fails over, what holds while a tunnel is open."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from penstock.auth import keys
from penstock.errors import Broken, NoTunnel, Unauthorized, Unavailable
from penstock.gateway import build
from penstock.platforms.memory.duplex import End, pair
from penstock.ports import Demand, Lease
from penstock.wire.http import Duplex, Request, Response
from penstock.wire.websocket import accept_of
from tests.path.services import ORDERS, Served, refused
from tests.path.world import Script, body, read

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
HANDSHAKE = (
    ("connection", "keep-alive, Upgrade"), ("upgrade", "websocket"), ("sec-websocket-version", "13"),
    ("sec-websocket-key", KEY), ("sec-websocket-protocol", "a, b"), ("host", "shop.example"),
)  # fmt: skip


class Tunnels(Served):
    """A world whose backends answer handshakes with tunnels; `ends` are the backends' sides."""

    def __init__(self, more: str = ORDERS) -> None:
        self.ends: list[End] = []
        super().__init__(more, self._opened)

    def _opened(self, request: Request) -> Response:
        ours, theirs = pair()
        self.ends.append(theirs)
        return Response(101, [("sec-websocket-accept", accept_of(KEY)), ("x-one", "1")], ours)

    async def open(self, **more: Any) -> Response:
        headers = [*HANDSHAKE, *more.pop("headers", ())]
        return await self.ask("/api/orders/live", method="GET", headers=headers, **more)

    @property
    def in_air(self) -> int:
        return sum(one.in_air for one in self.gateway.lasting.pools.of("orders").members)

    def outcomes(self) -> dict[str, int]:
        found: dict[str, int] = {}
        for member in self.gateway.lasting.pools.of("orders").members:
            for name, count in member.outcomes.items():
                found[name] = found.get(name, 0) + count
        return found


def tunnel_of(response: Response) -> Duplex:
    assert isinstance(response.body, Duplex)
    return response.body


async def test_a_handshake_is_passed_on_and_the_tunnel_back() -> None:
    world = Tunnels()
    response = await world.open()
    assert (response.status, response.header("x-one")) == (101, "1")
    assert world.sent("connection") == ["Upgrade"]
    assert world.sent("upgrade") == ["websocket"]
    assert world.sent("sec-websocket-key") == [KEY]
    assert world.sent("sec-websocket-protocol") == ["a, b"]
    assert world.sent("x-forwarded-host") == ["shop.example"]
    tunnel, [end] = tunnel_of(response), world.ends
    await tunnel.send(b"ping")
    assert await anext(end) == b"ping"
    await end.send(b"pong")
    assert await anext(tunnel) == b"pong"
    await response.aclose()


async def test_what_asks_for_nothing_else_gets_no_upgrade() -> None:
    world = Tunnels()
    world.otherwise = lambda request: Response(200, [], b"")
    for headers in ([("upgrade", "h2c"), ("connection", "upgrade")], [("upgrade", "websocket")]):
        await world.ask("/api/orders", method="GET", headers=headers)
        assert not world.sent("upgrade") + world.sent("connection")
    await world.ask("/api/orders", {"x": 1}, headers=HANDSHAKE)
    assert not world.sent("upgrade") + world.sent("connection")


async def test_it_has_times_of_its_own() -> None:
    world = Tunnels(ORDERS + "timeouts = { connect = 2.0, first_byte = 3.0, idle = 4.0 }\n")
    await (await world.open()).aclose()
    times = world.last.timeouts
    assert times is not None
    assert (times.connect, times.first_byte, times.idle, times.total) == (2.0, 3.0, 300.0, 86_400.0)
    world = Tunnels(ORDERS + "websockets = { idle = 7.5, total = 60 }\n")
    await (await world.open()).aclose()
    times = world.last.timeouts
    assert times is not None
    assert (times.idle, times.total) == (7.5, 60.0)


async def test_an_operator_may_have_none() -> None:
    world = Tunnels(ORDERS + "websockets = { enabled = false }\n")
    world.otherwise = lambda request: Response(200, [], b"plain")
    response = await world.open()
    assert (response.status, await read(response)) == (200, b"plain")
    assert not world.sent("upgrade")


async def test_who_may_not_enter_opens_nothing() -> None:
    world = Tunnels(ORDERS + 'limit = { requests = 1, window = 60, scale = "none" }\n')
    assert (await world.open(token=None)).status == 401
    await (await world.open()).aclose()
    assert (await world.open()).status == 429
    assert len(world.seen) == 1


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        (None, 101),
        ("http://localhost:3000", 101),
        ("https://shop.example", 101),
        ("https://SHOP.example", 101),
        ("https://evil.example", 403),
        ("https://shop.example.evil.example", 403),
        ("null", 403),
        ("", 403),
        ("shop.example", 403),
    ],
)
async def test_a_page_elsewhere_opens_nothing_with_its_users_cookies(
    origin: str | None, status: int
) -> None:
    world = Tunnels(ORDERS + 'auth = "none"\n')
    headers = [] if origin is None else [("origin", origin)]
    response = await world.open(token=None, headers=headers)
    assert response.status == status
    if status == 403:
        assert (await body(response))["code"] == "websocket_origin"
        assert not world.seen
    await response.aclose()


async def test_slot_and_backend_have_it_until_it_is_closed() -> None:
    world = Tunnels(ORDERS + 'balance = "least"\n')
    one, two = await world.open(), await world.open()
    assert world.in_air == world.gateway.lasting.admission.running == 2
    assert world.outcomes() == {"1xx": 2}
    await one.aclose()
    await one.aclose()
    assert world.in_air == world.gateway.lasting.admission.running == 1
    await two.aclose()
    assert world.in_air == world.gateway.lasting.admission.running == 0
    assert world.outcomes() == {"1xx": 2}


async def test_each_caller_has_so_many_open_at_once() -> None:
    world = Tunnels(ORDERS + "websockets = { per_caller = 2 }\n")
    one, _ = await world.open(), await world.open()
    refused = await world.open()
    told = await body(refused)
    assert (refused.status, told["code"], told["limit"]) == (429, "websocket_limit_exceeded", 2)
    assert refused.header("retry-after")
    assert len(world.seen) == 2
    assert (await world.open(token=world.token("bob"))).status == 101
    await one.aclose()
    await one.aclose()
    assert (await world.open()).status == 101
    assert (await world.open()).status == 429


async def test_under_all_its_prefixes_and_after_a_reload_too() -> None:
    two = ORDERS.replace('["/api/orders"]', '["/api/orders", "/api/orders/live"]')
    world = Tunnels(two + "websockets = { per_caller = 2 }\n")
    one = await world.open()
    headers = [*HANDSHAKE]
    assert (await world.ask("/api/orders/x", method="GET", headers=headers)).status == 101
    assert (await world.open()).status == 429
    before = world.gateway
    world.gateway = build(before.config, world.platform, before.report, before=before)
    assert (await world.open()).status == 429
    await one.aclose()
    assert (await world.open()).status == 101


async def test_what_opens_nothing_counts_for_nothing() -> None:
    world = Tunnels(ORDERS + "websockets = { per_caller = 1 }\n")
    answers = [broken, busy, lambda request: Response(403, [], Script([b"no"]))]
    for answer in answers * 3:
        world.otherwise = answer
        assert (await world.open()).status in {502, 403}
    world.otherwise = world._opened
    assert (await world.open()).status == 101


async def test_how_it_ends_says_nothing_of_the_backend() -> None:
    world = Tunnels()
    for _ in range(20):
        response = await world.open()
        await world.ends[-1].aclose()
        world.ends[-1].peer._broken = True
        with pytest.raises(Broken):
            await anext(tunnel_of(response))
        await response.aclose()
    assert set(world.states().values()) == {"up"}
    assert world.outcomes() == {"1xx": 20}


def broken(request: Request) -> Response:
    raise Broken("x")


def busy(request: Request) -> Response:
    return Response(503, [], b"busy")


@pytest.mark.parametrize("fails", [refused, broken, busy])
async def test_a_handshake_fails_over(fails: Callable[[Request], Response]) -> None:
    world = Tunnels()
    world.backends["one.test"] = fails
    for _ in range(10):
        response = await world.open()
        assert response.status == 101
        await response.aclose()
    assert world.counts["two.test"] == 10


async def test_a_refusal_is_the_plain_reply_it_is() -> None:
    world = Tunnels()
    world.otherwise = lambda request: Response(
        403, [("set-cookie", "a=b"), ("x-why", "you")], Script([b"not ", b"you"])
    )
    response = await world.open()
    assert (response.status, response.header("x-why")) == (403, "you")
    assert response.header("set-cookie") == "a=b"
    assert await read(response) == b"not you"
    assert world.in_air == world.gateway.lasting.admission.running == 0


async def test_where_there_are_none_it_is_501_and_nobodys_failure() -> None:
    def none(request: Request) -> Response:
        raise NoTunnel

    world = Tunnels()
    world.otherwise = none
    for _ in range(10):
        response = await world.open()
        assert (response.status, (await body(response))["code"]) == (501, "websocket_unsupported")
    assert len(world.seen) == 10
    assert set(world.states().values()) == {"up"}
    assert world.in_air == world.gateway.lasting.admission.running == 0


async def test_it_ends_once_its_token_is_revoked() -> None:
    world = Tunnels()
    platform, token = world.platform, world.token()
    now = platform.clock.now()
    response = await world.open(token=token)
    tunnel, [end] = tunnel_of(response), world.ends
    await tunnel.send(b"1")
    hashed = keys.hash_of(token)
    await keys.revoke_token(platform.tables, platform.meter, hashed, now + 3600, now=now)
    await tunnel.send(b"2")
    assert await anext(end) == b"12"
    platform.clock.advance(10.0)
    await end.send(b"3")
    with pytest.raises(Unauthorized) as ended:
        await anext(tunnel)
    assert ended.value.code == "credential_revoked"
    await response.aclose()


async def test_or_has_ended() -> None:
    """From then on nobody knows any more whether it was revoked before."""
    world = Tunnels()
    response = await world.open()  # with a token for an hour
    tunnel, [end] = tunnel_of(response), world.ends
    world.platform.clock.advance(3_590.0)
    await tunnel.send(b"1")
    assert await anext(end) == b"1"
    world.platform.clock.advance(11.0)
    await end.send(b"2")
    with pytest.raises(Unauthorized) as ended:
        await anext(tunnel)
    assert ended.value.code == "token_expired"
    await response.aclose()


async def test_while_nobody_can_tell_it_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    world = Tunnels()
    response = await world.open()

    async def take(demands: Sequence[Demand]) -> Lease:
        raise Unavailable

    monkeypatch.setattr(world.gateway.limits.rates._meter, "take", take)
    for _ in range(3):
        world.platform.clock.advance(10.0)
        await tunnel_of(response).send(b"x")
    assert await anext(world.ends[0]) == b"xxx"
    await response.aclose()
