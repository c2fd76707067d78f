"""What comes back from a service: replies, streams, redirects, failures, and bodies that are too large."""

from __future__ import annotations

import pytest

from penstock.errors import Broken, Cut, Stalled
from penstock.wire.http import Request, Response
from tests.path.services import ORDERS, Served
from tests.path.test_accounts import NEW
from tests.path.world import Script, body, read

SINGLE = '[services.orders]\nprefixes = ["/api/orders"]\nbackends = [{ url = "http://one.test" }]\n'
AUTH = """
[services.auth]
backends = [{ url = "http://auth.test/base" }]
rewrite = { register = "signup", login = "signin" }
"""
THREE = """
[services.orders]
prefixes = ["/api/orders"]
backends = [{ url = "http://one.test" }, { url = "http://two.test" }, { url = "http://three.test" }]
"""


async def test_a_reply_comes_back_as_it_is() -> None:
    sent = [
        ("set-cookie", "a=b"), ("set-cookie", "c=d"), ("content-type", "text/plain"), ("content-encoding", "br"),
        ("cache-control", "max-age=5"), ("etag", '"x"'), ("date", "Fri, 27 Nov 2026 10:00:00 GMT"),
        ("connection", "x-hop"), ("x-hop", "1"), ("access-control-allow-origin", "*"), ("x-request-id", "theirs"),
        ("x-ratelimit-limit", "1"), ("alt-svc", "h3=\":443\""), ("content-length", "5"),
    ]  # fmt: skip
    world = Served(backend=lambda request: Response(418, sent, b"short"))
    response = await world.ask(
        "/api/orders", {"x": 1}, headers=[("origin", "http://localhost:3000")]
    )
    assert (response.status, await read(response)) == (418, b"short")
    names = [name for name, _ in response.headers]
    assert [value for name, value in response.headers if name == "set-cookie"] == ["a=b", "c=d"]
    for name in ("content-type", "content-encoding", "cache-control", "etag", "date"):
        assert names.count(name) == 1
    for name in ("connection", "x-hop", "alt-svc", "content-length"):
        assert name not in names
    assert response.header("access-control-allow-origin") == "http://localhost:3000"
    assert names.count("access-control-allow-origin") == names.count("x-request-id") == 1
    assert response.header("x-ratelimit-limit") == "200"


async def test_a_stream_passes_piece_by_piece_and_is_closed() -> None:
    script = Script([b"data: 1\n\n", b"data: 2\n\n"])
    world = Served(
        backend=lambda request: Response(200, [("content-type", "text/event-stream")], script)
    )
    response = await world.get("/api/orders")
    assert response.verbatim
    pool = world.gateway.lasting.pools.of("orders")
    assert sum(member.in_air for member in pool.members) == 1
    assert await read(response) == b"data: 1\n\ndata: 2\n\n"
    assert script.closed
    assert sum(member.in_air for member in pool.members) == 0


async def test_who_leaves_a_stream_closes_it() -> None:
    script = Script([b"1", b"2"])
    world = Served(backend=lambda request: Response(200, [], script))
    response = await world.get("/api/orders")
    await response.aclose()
    assert script.closed
    pool = world.gateway.lasting.pools.of("orders")
    assert sum(member.in_air for member in pool.members) == 0
    assert sum(member.outcomes["left"] for member in pool.members) == 1
    assert world.gateway.lasting.admission.running == 0


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("http://one.test/api/orders/2?x=1#y", "/api/orders/2?x=1#y"),
        ("http://one.test:80/z", "/z"),
        ("//one.test/z", "/z"),
        ("/api/orders/2", "/api/orders/2"),
        ("next", "next"),
        ("https://one.test/z", "https://one.test/z"),
        ("http://elsewhere.test/z", "http://elsewhere.test/z"),
        ("http://one.test//evil.test/", "http://one.test//evil.test/"),
        ("http://one.test/\\evil.test/", "http://one.test/\\evil.test/"),
        ("http://[", "http://["),
    ],
)
async def test_a_redirect_passes_and_the_backends_own_address_becomes_ours(
    theirs: str, ours: str
) -> None:
    single = (
        '[services.orders]\nprefixes = ["/api/orders"]\nbackends = [{ url = "http://one.test" }]\n'
    )
    world = Served(single, lambda request: Response(302, [("location", theirs)], b""))
    response = await world.get("/api/orders")
    assert (response.status, response.header("location")) == (302, ours)
    assert len(world.seen) == 1


async def test_a_redirect_is_called_as_we_call_it() -> None:
    world = Served(
        AUTH, lambda request: Response(303, [("location", "/base/api/auth/signin?next=1")])
    )
    response = await world.ask("/api/auth/register", NEW, token=None)
    assert world.last.target == b"http://auth.test/base/api/auth/signup"
    assert response.header("location") == "/api/auth/login?next=1"


async def test_redirects_can_be_refused() -> None:
    world = Served(
        ORDERS + 'redirects = "refuse"\n', lambda request: Response(302, [("location", "/")])
    )
    response = await world.get("/api/orders")
    assert (response.status, (await body(response))["code"]) == (502, "upstream_redirected")


@pytest.mark.parametrize(
    ("failure", "status", "code", "error"),
    [
        (Broken("x"), 502, "upstream_broken", "Backend error"),
        (Stalled("x"), 504, "upstream_timeout", "Backend error"),
        (Cut("x"), 502, "upstream_too_large", "Backend error"),
    ],
)
async def test_what_fails_is_told(failure: Exception, status: int, code: str, error: str) -> None:
    def fails(request: Request) -> Response:
        raise failure

    world = Served(backend=fails)
    response = await world.ask("/api/orders", {"x": 1})
    told = await body(response)
    assert (response.status, told["code"], told["error"]) == (status, code, error)
    assert len(world.seen) == 1


async def test_a_body_too_large_for_the_service_is_refused() -> None:
    world = Served(ORDERS + "max_body_bytes = 10\n")
    assert (await world.ask("/api/orders", b"x" * 10)).status == 200
    assert (await world.ask("/api/orders", b"x" * 11)).status == 413
    declared = Request(
        "POST", b"/api/orders", "/api/orders", "",
        [("authorization", f"Bearer {world.token()}"), ("content-length", "11")], "192.0.2.1", Script([b"x" * 11]),
    )  # fmt: skip
    assert (await world.gateway(declared)).status == 413
    assert len(world.seen) == 1


async def test_a_streamed_body_is_cut_at_its_limit() -> None:
    async def reads(request: Request) -> Response:
        return Response(200, [], await request.read(1 << 20))

    world = Served(ORDERS + "max_body_bytes = 10\n", reads)
    for parts, status in (([b"12345", b"67890"], 200), ([b"12345", b"678901"], 413)):
        request = Request(
            "POST", b"/api/orders", "/api/orders", "", [("authorization", f"Bearer {world.token()}")], "192.0.2.1", Script(parts)
        )  # fmt: skip
        assert (await world.gateway(request)).status == status
    pool = world.gateway.lasting.pools.of("orders")
    assert [member.failures for member in pool.members] == [0, 0]


# Where every try failed


@pytest.mark.parametrize(
    ("status", "method", "again"),
    [(503, "GET", None), (502, "PUT", None), (504, "HEAD", None), (503, "POST", None), (502, "POST", "false")],
)  # fmt: skip
async def test_where_every_try_failed_it_is_our_502(
    status: int, method: str, again: str | None
) -> None:
    script = Script([b"secret text"])
    world = Served(THREE, lambda request: Response(status, [("retry-after", "7")], script))
    response = await world.ask("/api/orders", method=method)
    told = await body(response)
    assert (response.status, told["code"], told["error"]) == (
        502,
        "upstream_failed",
        "Backend error",
    )
    assert (response.header("retry-after"), response.header("x-should-retry")) == ("7", again)
    assert script.closed
    assert len(world.seen) <= 3
    assert world.gateway.lasting.admission.running == 0


@pytest.mark.parametrize("cache", ["", "cache = {}\n"])
@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("asked", ["only-if-cached", "no-store, only-if-cached"])
async def test_whatever_the_caller_says_of_caches(cache: str, method: str, asked: str) -> None:
    status = [("cache-status", "penstock; fwd=request; detail=only-if-cached")]
    world = Served(ORDERS + cache, lambda request: Response(503, list(status), b"a trace"))
    response = await world.ask("/api/orders", method=method, headers=[("cache-control", asked)])
    assert b"a trace" not in await read(response)
    assert response.status == (502 if world.seen else 504)


async def test_or_the_last_reply_passes_where_that_is_wanted() -> None:
    more = THREE + 'failures = "pass"\n'
    world = Served(more, lambda request: Response(503, [("retry-after", "7")], b"later"))
    response = await world.get("/api/orders")
    told = (response.status, response.header("retry-after"), await read(response))
    assert told == (503, "7", b"later")


@pytest.mark.parametrize("wait", ["", "soon", "Fri, 27 Nov 2026 10:00:00 GMT", "9999999", "-1"])
async def test_a_wait_that_is_no_number_of_seconds_is_not_passed_on(wait: str) -> None:
    world = Served(THREE, lambda request: Response(503, [("retry-after", wait)], b""))
    response = await world.get("/api/orders")
    assert (response.status, response.header("retry-after")) == (502, None)
