"""Services behind the gateway: who may ask, what reaches them, what comes back."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from penstock import __version__
from penstock.auth.mint import mint
from penstock.gateway import build
from penstock.wire.http import Request, Response
from tests.path.services import ORDERS, Served
from tests.path.world import body, read

NEW = {"email": "ada@example.com", "password": "correct horse", "username": "ada"}
AUTH = """
[services.auth]
backends = [{ url = "http://auth.test" }]
rewrite = { register = "signup", login = "signin" }
"""
OPEN = ORDERS + 'auth = "none"\n'
OPTIONAL = ORDERS + 'auth = "optional"\n'
TRUSTED = '[server]\ntrusted_proxies = ["192.0.2.0/24"]\n'


# Which paths are a service's


async def test_a_prefix_and_all_below_it_go_to_the_service() -> None:
    world = Served()
    for path in ("/api/orders", "/api/orders/", "/api/orders/7/items"):
        response = await world.get(path)
        assert (response.status, await read(response)) == (200, b"hello")
        assert world.last.target.decode().endswith(f".test{path}")
    assert (await world.get("/api/ordersx")).status == 404
    assert len(world.seen) == 3


async def test_the_longest_prefix_wins_and_ours_go_before_all() -> None:
    world = Served("""
[services.all]
prefixes = ["/"]
auth = "none"
backends = [{ url = "http://all.test" }]
[services.items]
prefixes = ["/api/orders/items", "DELETE /api/orders"]
backends = [{ url = "http://items.test" }]
[services.orders]
prefixes = ["/api/orders"]
backends = [{ url = "http://orders.test" }]
""")  # fmt: skip
    asked = [
        ("GET", "/api/orders/items/1", "items.test"),
        ("GET", "/api/orders/1", "orders.test"),
        ("DELETE", "/api/orders/1", "items.test"),
        ("GET", "/anything", "all.test"),
        ("GET", "/api/rag", "all.test"),
    ]
    for method, path, host in asked:
        assert (await world.ask(path, method=method)).status == 200
        assert world.last.target.decode().split("/")[2] == host, path
    before = len(world.seen)
    assert (await world.get("/health")).header("content-type") == "application/json"
    assert (await world.get("/v1/nothing")).status == 404
    assert (await world.get("/admin/nothing")).status == 404
    assert (await world.ask("/v1/models", method="PUT")).status == 405
    assert len(world.seen) == before


async def test_one_method_of_one_segment() -> None:
    world = Served('[services.chat]\nbackends = [{ url = "http://chat.test" }]\n')
    assert (await world.get("/api/ai/chat/conv_1")).status == 200
    assert world.last.target == b"http://chat.test/api/ai/chat/conv_1"
    refused = await world.ask("/api/ai/chat/conv_1", {"x": 1})
    assert (refused.status, refused.header("allow")) == (405, "GET, HEAD")
    assert (await world.get("/api/ai/chat/conv_1/more")).status == 404
    assert (await world.get("/api/ai/chat/completions")).status == 405
    assert (await world.ask("/api/chat/conversations/1", method="PATCH")).status == 200
    assert (await world.ask("/api/chat/x", method="TRACE")).status == 405


@pytest.mark.parametrize("method", ["PROPFIND", "REPORT", "SEARCH", "M-SEARCH", "LOCK"])
async def test_methods_of_others_are_the_services_affair(method: str) -> None:
    world = Served()
    assert (await world.ask("/api/orders", method=method)).status == 200
    assert world.last.method == method


@pytest.mark.parametrize("path", ["/api/auth/me", "/api/chat/completions", "/api/billing/plans"])
async def test_a_known_service_without_a_backend_is_503(path: str) -> None:
    response = await Served().get(path, token=None)
    assert response.status == 503
    told = await body(response)
    assert told["error"] == "Service unavailable"
    assert "_SERVICE_URL" in told["detail"]


@pytest.mark.parametrize(
    "path",
    ["/api/orders/../admin", "/api/orders/.", "/api/orders/%2e%2e/x", "/api/orders/..%2fadmin", "/api/orders/..;/x",
     "/api/orders/a%5c..%5cb", "/api/orders/%00", "/api/orders/a%0d%0ab", "/api/orders/#x", "/api/orders/\xff"],
)  # fmt: skip
async def test_a_path_that_may_lead_elsewhere_is_refused(path: str) -> None:
    world = Served()
    response = await at(world, path.encode("latin-1"))
    assert (response.status, (await body(response))["code"]) == (400, "invalid_path")
    assert not world.seen


async def test_an_anonymous_caller_is_told_what_is_wrong_too() -> None:
    response = await Served(OPEN).get("/api/orders/../x", token=None)
    assert (response.status, (await body(response))["code"]) == (400, "invalid_path")


async def test_a_prefix_that_only_decoding_makes_is_none() -> None:
    world = Served()
    assert (await at(world, b"/api%2forders/x")).status == 404
    assert not world.seen


async def test_path_and_query_go_as_they_were_sent() -> None:
    world = Served()
    await at(world, b"/api/orders/a%2Fb//c;v=1?q=%41&x=/../y")
    assert world.last.target.decode().endswith(".test/api/orders/a%2Fb//c;v=1?q=%41&x=/../y")
    await at(world, b"http://any.test/api/orders/x?y")
    assert world.last.target.decode().endswith(".test/api/orders/x?y")


async def at(world: Served, target: bytes, **more: Any) -> Response:
    """What a target as sent is answered with."""
    from penstock.wire.target import path_of

    path, query = path_of(target)
    headers = [("authorization", f"Bearer {world.token()}")]
    return await world.gateway(Request("GET", target, path, query, headers, "192.0.2.1", **more))


async def test_first_segments_are_called_as_the_service_calls_them() -> None:
    world = Served(AUTH)
    await world.ask("/api/auth/register", NEW, token=None)
    assert world.last.target == b"http://auth.test/api/auth/signup"
    await at(world, b"/api/auth/%72egister/x?y")
    assert world.last.target == b"http://auth.test/api/auth/signup/x?y"
    await world.get("/api/auth/registered")
    assert world.last.target == b"http://auth.test/api/auth/registered"


# Who may ask


async def test_a_credential_is_asked_for() -> None:
    world = Served()
    response = await world.get("/api/orders", token=None)
    assert (response.status, (await body(response))["error"]) == (401, "Unauthorized")
    assert not world.seen


async def test_public_segments_ask_for_none_and_have_their_rates() -> None:
    world = Served(AUTH)
    for path, number in (("/api/auth/register", 5), ("/api/auth/login", 10)):
        for _ in range(number):
            assert (await world.ask(path, NEW, token=None)).status == 200
        response = await world.ask(path, NEW, token=None)
        assert (response.status, (await body(response))["limit"]) == (429, number)
    assert (await world.get("/api/auth/me", token=None)).status == 401
    assert (await world.get("/api/auth/me", token="bad.bad.bad")).status == 401


async def test_optional_makes_nobody_of_a_bad_token() -> None:
    world = Served(OPTIONAL)
    forged = mint({"sub": "root", "role": "admin"}, "x" * 32, now=world.platform.clock.now())
    for token in (None, forged):
        assert (await world.get("/api/orders", token=token)).status == 200
        assert not world.sent("authorization")
    await world.get("/api/orders")
    assert world.sent("authorization")


async def test_none_looks_at_no_credential_and_counts_by_address() -> None:
    world = Served(OPEN + 'limit = "2/min"\n')
    assert (await world.get("/api/orders", token="whatever")).status == 200
    assert world.sent("authorization") == ["Bearer whatever"]
    assert (await world.get("/api/orders", token=None)).status == 200
    assert (await world.get("/api/orders")).status == 429
    elsewhere = await world.ask("/api/orders", method="GET", token=None, client="198.51.100.9")
    assert elsewhere.status == 200


async def test_its_requests_count_as_other_or_by_its_own_rate() -> None:
    world = Served()
    response = await world.get("/api/orders")
    assert response.header("x-ratelimit-limit") == "200"
    own = Served(ORDERS + 'limit = { requests = 3, window = 60, scale = "none" }\n')
    answers = [(await own.get("/api/orders")).status for _ in range(4)]
    assert answers == [200, 200, 200, 429]


# What reaches the service


async def test_what_a_service_is_told() -> None:
    world = Served()
    given = [
        ("host", "shop.example:8443"), ("x-forwarded-for", "203.0.113.9"), ("x-forwarded-proto", "https"),
        ("forwarded", "for=203.0.113.9"), ("x-real-ip", "203.0.113.9"), ("x-request-id", "mine"), ("x-forwarded-port", "1"),
        ("x-original-url", "/admin"), ("x_forwarded_for", "203.0.113.9"), ("x-gateway-version", "0"), ("x-penstock-x", "1"),
        ("x-refresh-token", "r"), ("cookie", "a=b"), ("accept-encoding", "br"), ("x-api-key", world.token()),
    ]  # fmt: skip
    response = await world.ask("/api/orders", method="GET", headers=given)
    told = dict(world.last.headers)
    assert {name: told[name] for name in told if name not in ("authorization", "forwarded")} == {
        "x-refresh-token": "r",
        "cookie": "a=b",
        "accept-encoding": "br",
        "x-forwarded-for": "192.0.2.1",
        "x-forwarded-proto": "http",
        "x-forwarded-host": "shop.example:8443",
        "x-real-ip": "192.0.2.1",
        "x-gateway-version": __version__,
        "x-request-id": response.header("x-request-id"),
        "via": "1.1 penstock",
    }
    assert told["forwarded"] == 'for=192.0.2.1;host="shop.example:8443";proto=http'
    assert told["authorization"].startswith("Bearer ")
    assert len(told) == len(world.last.headers)
    assert world.last.verbatim


@pytest.mark.parametrize(("shared_loop", "scheme"), [(True, "http"), (False, "https")])
async def test_a_url_in_the_request_line_is_no_word_on_the_scheme(
    *, shared_loop: bool, scheme: str
) -> None:
    """But on Workers, where the platform writes it."""
    world = Served(OPEN)
    gateway = build(
        world.gateway.config, replace(world.platform, shared_loop=shared_loop), world.gateway.report
    )
    asked = Request(
        "GET",
        b"https://shop.example/api/orders",
        "/api/orders",
        "",
        [("host", "shop.example")],
        "192.0.2.1",
    )
    assert (await gateway(asked)).status == 200
    assert world.sent("x-forwarded-proto") == [scheme]
    assert world.sent("forwarded")[0].endswith(f";proto={scheme}")


async def test_a_trusted_proxy_is_believed() -> None:
    world = Served(ORDERS + TRUSTED)
    given = [
        ("host", "inside:1"), ("x-forwarded-for", "203.0.113.9"), ("x-forwarded-for", "192.0.2.7"), ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "shop.example"), ("forwarded", "for=203.0.113.9;proto=https"),
    ]  # fmt: skip
    await world.ask("/api/orders", method="GET", headers=given)
    assert world.sent("x-forwarded-for") == ["203.0.113.9, 192.0.2.7, 192.0.2.1"]
    assert world.sent("x-forwarded-proto") == ["https"]
    assert world.sent("x-forwarded-host") == ["shop.example"]
    assert world.sent("x-real-ip") == ["203.0.113.9"]
    own = 'for=192.0.2.1;host="shop.example";proto=https'
    assert world.sent("forwarded") == [f"for=203.0.113.9;proto=https, {own}"]


async def test_headers_of_this_hop_end_here_and_none_takes_ours_along() -> None:
    world = Served()
    given = [
        ("connection", "close, X-Secret, x-forwarded-for, via"), ("x-secret", "1"), ("keep-alive", "timeout=5"),
        ("te", "trailers"), ("proxy-authorization", "Basic x"), ("upgrade", "h2c"), ("transfer-encoding", "chunked"),
    ]  # fmt: skip
    await world.ask("/api/orders", method="GET", headers=given)
    names = {name for name, _ in world.last.headers}
    assert not names & {
        "connection",
        "x-secret",
        "keep-alive",
        "te",
        "proxy-authorization",
        "upgrade",
        "transfer-encoding",
    }
    assert world.sent("x-forwarded-for") == ["192.0.2.1"]
    assert world.sent("via") == ["1.1 penstock"]


async def test_an_ipv6_client_and_a_strange_host() -> None:
    world = Served(OPEN)
    headers = [("host", 'a"; evil')]
    await world.ask("/api/orders", method="GET", token=None, client="2001:db8::1", headers=headers)
    assert world.sent("forwarded") == ['for="[2001:db8::1]";proto=http']
    assert world.sent("x-forwarded-host") == []


async def test_a_circle_is_broken() -> None:
    world = Served()
    via = [("via", ", ".join(["1.1 penstock"] * 5))]
    response = await world.ask("/api/orders", method="GET", headers=via)
    assert (response.status, (await body(response))["code"]) == (502, "upstream_loop")
    assert not world.seen


async def test_cookies_and_credentials_stay_here_where_settings_say_so() -> None:
    world = Served(
        ORDERS + 'cookies = "drop"\nforward_authorization = false\n',
        lambda request: Response(200, [("set-cookie", "a=b"), ("x-other", "1")], b""),
    )
    response = await world.ask("/api/orders", method="GET", headers=[("cookie", "a=b")])
    assert not world.sent("cookie") + world.sent("authorization")
    assert response.header("set-cookie") is None
    assert response.header("x-other") == "1"
