"""Replies of services that are kept: for whom, for how long, what takes them back, what a caller says of them."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from penstock.errors import Broken
from penstock.wire.http import Request, Response
from tests.path.services import CACHED, OPEN, ORDERS, RULED, SHARED, Kept, refused
from tests.path.world import Script, read

# What is kept, and for whom


async def test_a_reply_is_kept_as_its_service_says() -> None:
    world = Kept()
    first, second = await world.get("/api/orders", "x"), await world.get("/api/orders", "x")
    assert (first.header("x-cache"), second.header("x-cache")) == ("MISS", "HIT")
    assert first.header("cache-status") == "penstock; fwd=uri-miss; fwd-status=200; stored"
    assert second.header("cache-status") == "penstock; hit; ttl=60"
    assert await read(first) == await read(second) == b"1"
    assert second.header("x-request-id") != first.header("x-request-id")
    world.platform.clock.advance(61.0)
    assert await world.number("/api/orders?x") == "2"


async def test_without_the_setting_nothing_is() -> None:
    for more in (ORDERS, CACHED.replace("{}", "{ enabled = false }")):
        world = Kept(more)
        assert [await world.number(), await world.number()] == ["1", "2"]
        assert (await world.get("/api/orders")).header("cache-status") is None


async def test_each_caller_has_their_own() -> None:
    world = Kept(says="max-age=60, public")
    tokens = [world.token("alice"), world.token("bob"), world.token("alice", tenant="other")]
    assert [await world.number(token=one) for one in tokens] == ["1", "2", "3"]
    assert [await world.number(token=one) for one in tokens] == ["1", "2", "3"]
    # It is the caller who counts, not the token that says so.
    assert await world.number(token=world.token("alice", tier="pro")) == "1"


@pytest.mark.parametrize(
    ("says", "numbers"),
    [("max-age=60", ["1", "2"]), ("max-age=60, public", ["1", "1"]), ("s-maxage=60", ["1", "1"])],
)
async def test_shared_ones_need_the_services_word_where_a_credential_reaches_it(
    says: str, numbers: list[str]
) -> None:
    world = Kept(SHARED, says)
    tokens = [world.token("alice"), world.token("bob")]
    assert [await world.number(token=one) for one in tokens] == numbers
    kept_from_it = Kept(SHARED + "forward_authorization = false\n", says)
    assert [await kept_from_it.number(token=one) for one in tokens] == ["1", "1"]


async def test_nobody_in_particular_shares() -> None:
    world = Kept(OPEN)
    assert [await world.number(token=None), await world.number(token=None)] == ["1", "1"]
    assert await world.number(token=None, headers=[("x-refresh-token", "r")]) == "1"
    own = Kept(CACHED + 'auth = "none"\n')
    assert [await own.number(token="whatever"), await own.number(token="whatever")] == ["1", "2"]
    assert [await own.number(token=None), await own.number(token=None)] == ["3", "3"]
    personal = [("x-refresh-token", "r")]
    other = "/api/orders/own"
    assert await own.number(other, token=None, headers=personal) == "4"
    assert await own.number(other, token=None) == "5"


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (RULED, "private, max-age=60, stale-while-revalidate=30"),
        (RULED + 'auth = "none"\n', "max-age=60, stale-while-revalidate=30"),
    ],
)
async def test_a_routes_ttl_goes_before_what_the_service_says_and_is_told(
    more: str, told: str
) -> None:
    world = Kept(more, "max-age=5")
    who = None if "none" in more else world.token()
    for _ in range(2):
        assert (await world.get("/api/orders", token=who)).header("cache-control") == told
    world.platform.clock.advance(50.0)
    assert await world.number(token=who) == "1"
    world.platform.clock.advance(15.0)
    assert await world.number(token=who) == "1"
    await world.platform.clock.run(1.0)
    assert await world.number(token=who) == "2"
    world.platform.clock.advance(95.0)
    assert await world.number(token=who) == "3"


@pytest.mark.parametrize(
    "says", [{"says": "private"}, {"says": "no-store"}, {"says": None, "set_cookie": "a=b"}]
)
@pytest.mark.parametrize("cookies", ["pass", "drop"])
async def test_but_never_of_what_is_somebodys_own(says: dict[str, Any], cookies: str) -> None:
    world = Kept(RULED + f'cookies = "{cookies}"\n', **says)
    assert [await world.number(), await world.number()] == ["1", "2"]
    cookie = (await world.get("/api/orders")).header("set-cookie")
    assert cookie == ("a=b" if "set_cookie" in says and cookies == "pass" else None)


async def test_a_cookie_that_is_kept_from_callers_stays_so_on_a_hit() -> None:
    world = Kept(CACHED + 'cookies = "drop"\n', set_cookie="a=b")
    for found in ("MISS", "HIT"):
        response = await world.get("/api/orders")
        assert (response.header("x-cache"), response.header("set-cookie")) == (found, None)


async def test_the_chat_services_conversations_are_kept_for_each_caller() -> None:
    chat = '[services.chat]\nbackends = [{ url = "http://chat.test" }]\n'
    world = Kept(chat)
    for path in ("/api/chat/conversations", "/api/ai/chat/conv_1"):
        assert (await world.get(path)).header("x-cache") == "MISS"
        assert (await world.get(path)).header("x-cache") == "HIT"
        assert (await world.get(path, token=world.token("bob"))).header("x-cache") == "MISS"
    silent = Kept(chat, says=None)
    assert [await silent.number("/api/chat/x"), await silent.number("/api/chat/x")] == ["1", "2"]


async def test_only_product_paths_carry_x_cache_and_none_is_the_services() -> None:
    world = Kept(CACHED.replace("/api/orders", "/orders"))
    assert (await world.get("/orders")).header("x-cache") is None
    assert (await world.get("/orders")).header("cache-status") == "penstock; hit; ttl=60"
    world = Kept(x_cache="HIT from origin")
    for told in ("MISS", "HIT"):
        response = await world.get("/api/orders")
        assert [v for k, v in response.headers if k == "x-cache"] == [told]


# What a request says


async def test_what_a_caller_says_of_the_cache() -> None:
    world = Kept()
    assert await world.number() == "1"
    fresh = [("cache-control", "no-cache")]
    assert await world.number(headers=fresh) == "2"
    assert await world.number() == "2"
    response = await world.ask("/api/orders", method="GET", headers=[("cache-control", "no-store")])
    assert (await read(response), response.header("x-cache")) == (b"3", None)
    assert await world.number() == "2"
    only = [("cache-control", "only-if-cached")]
    assert await world.number(headers=only) == "2"
    response = await world.ask("/api/orders/none", method="GET", headers=only)
    assert response.status == 504
    assert len(world.seen) == 3


async def test_head_parts_and_validators_come_from_what_is_kept() -> None:
    world = Kept(etag='"one"')
    world.otherwise = lambda request: Response(200, list(world.says), b"0123456789")
    await world.get("/api/orders")
    head = await world.ask("/api/orders", method="HEAD")
    assert (head.status, head.header("x-cache")) == (200, "HIT")
    part = await world.ask("/api/orders", method="GET", headers=[("range", "bytes=2-4")])
    assert (part.status, await read(part)) == (206, b"234")
    known = await world.ask("/api/orders", method="GET", headers=[("if-none-match", '"one"')])
    assert (known.status, known.body) == (304, b"")
    assert len(world.seen) == 1


@pytest.mark.parametrize(
    "header",
    [("host", "evil.example"), ("x-http-method-override", "DELETE"), ("x-method-override", "PUT")],
)
async def test_one_request_cannot_plant_a_reply_for_others(header: tuple[str, str]) -> None:
    world = Kept(OPEN)
    assert await world.number(token=None, headers=[header]) == "1"
    assert await world.number(token=None) == "2"
    assert await world.number(token=None) == "2"


async def test_what_a_proxy_says_of_host_and_scheme_is_another_url() -> None:
    trusted = '[server]\ntrusted_proxies = ["192.0.2.0/24"]\n'
    world = Kept(trusted + OPEN)
    for number, told in enumerate(("http", "https"), 1):
        proto = [("host", "a.example"), ("x-forwarded-proto", told)]
        assert await world.number(token=None, headers=proto) == str(number)
    other = [("host", "a.example"), ("x-forwarded-host", "b.example")]
    assert await world.number(token=None, headers=other) == "3"
    assert await world.number(token=None, headers=other) == "3"


async def test_a_change_takes_back_what_everybody_has() -> None:
    world = Kept()
    tokens = [world.token("alice"), world.token("bob")]
    assert [await world.number(token=one) for one in tokens] == ["1", "2"]
    await world.ask("/api/orders", {"x": 1})
    assert [await world.number(token=one) for one in tokens] == ["4", "5"]
    world.otherwise = lambda request: Response(409, [], b"")
    await world.ask("/api/orders", {"x": 1})
    assert [await world.number(token=one) for one in tokens] == ["4", "5"]


async def test_names_that_the_service_has_for_its_paths_are_its_own() -> None:
    world = Kept(CACHED + 'rewrite = { list = "all" }\n')
    assert await world.number("/api/orders/list?x") == "1"
    assert world.last.target.decode().endswith("/api/orders/all?x")
    assert (await world.purge("url=/api/orders/list%3Fx"))[0] == 200
    assert await world.number("/api/orders/list?x") == "2"


# Many at once, and failures


async def test_equal_requests_at_once_ask_once_and_read_along() -> None:
    gate = asyncio.Event()

    async def slow(request: Request) -> Response:
        await gate.wait()
        return Response(200, list(world.says), Script([b"one ", b"two"]))

    world = Kept(OPEN)
    world.otherwise = slow
    asked = [asyncio.ensure_future(world.number(token=None)) for _ in range(30)]
    await world.reached(1)
    gate.set()
    assert await asyncio.gather(*asked) == ["one two"] * 30
    assert len(world.seen) == 1
    assert world.gateway.lasting.admission.running == 0
    assert await world.number(token=None) == "one two"


async def test_what_breaks_off_is_not_kept() -> None:
    world = Kept()
    world.otherwise = lambda request: Response(200, list(world.says), Script([b"x", Broken("cut")]))
    for _ in range(2):
        with pytest.raises(Broken):
            await world.number()
    assert len(world.seen) == 2


async def test_a_stale_reply_stands_in_for_a_service_that_is_away() -> None:
    world = Kept()
    assert await world.number() == "1"
    world.platform.clock.advance(90.0)
    world.otherwise = refused
    response = await world.get("/api/orders")
    assert (response.status, await read(response), response.header("x-cache")) == (200, b"1", "HIT")
    assert "served-stale" in (response.header("cache-status") or "")
    world.platform.clock.advance(60.0)
    assert (await world.get("/api/orders")).status == 502
    assert (await world.get("/api/orders/other")).status == 502


async def test_failures_are_not_kept() -> None:
    world = Kept(RULED)
    world.otherwise = lambda request: Response(503, [], b"")
    assert (await world.get("/api/orders")).status == 502
    del world.otherwise
    world.otherwise = world._numbered
    assert await world.number() == str(len(world.seen))


async def test_somebody_elses_stream_is_not_meddled_with() -> None:
    world = Kept(RULED)
    world.otherwise = lambda request: Response(
        200, [("content-type", "text/event-stream")], Script([b"data: 1\n\n"])
    )
    response = await world.get("/api/orders")
    assert response.verbatim
    assert await read(response) == b"data: 1\n\n"
    await read(await world.get("/api/orders"))
    assert len(world.seen) == 2
