"""The dashboard's session before what is not its own page: other sites, neighbours, planted cookies, services behind the gateway."""

from __future__ import annotations

import pytest

from tests.path.dashboard import JSON, Browser, code, framed, signed_in
from tests.path.world import World, read

ORIGINS = '[cors]\norigins = ["http://localhost:3000"]\n'
PROXIED = '[server]\ntrusted_proxies = ["192.0.2.7"]\n'
CHAT = {"model": "auto", "messages": [{"role": "user", "content": "hi"}]}


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", ""])
async def test_a_form_cannot_sign_in(kind: str) -> None:
    world = World()
    data = {"credential": world.token("root", role="admin")}
    headers = [("content-type", kind)] if kind else []
    response = await Browser(world).ask("/dashboard/session", data, headers=headers, site=None)
    assert (response.status, response.header("set-cookie")) == (415, None)


@pytest.mark.parametrize("site", ["cross-site", "same-site", "anything"])
async def test_another_page_cannot_sign_anybody_in_or_out(site: str) -> None:
    browser = await signed_in()
    elsewhere = ("sec-fetch-site", site)
    data = {"credential": browser.world.token("root", role="admin")}
    for method, sent in (("POST", data), ("DELETE", None)):
        response = await browser.ask(
            "/dashboard/session", sent, method=method, headers=[JSON], site=elsewhere
        )
        assert response.header("set-cookie") is None
        assert await code(response) == (403, "csrf")
    assert (await browser.get("/dashboard/session")).status == 200


@pytest.mark.parametrize("site", ["cross-site", "same-site", "anything"])
@pytest.mark.parametrize("path", ["/admin/requests", "/dashboard/session", "/metrics"])
async def test_another_page_cannot_use_a_session(site: str, path: str) -> None:
    browser = await signed_in(ORIGINS)
    origin = ("origin", "http://localhost:3000")
    response = await browser.get(path, headers=[origin], site=("sec-fetch-site", site))
    assert await code(response) == (401, "missing_credential")


async def test_a_page_that_cors_lets_in_cannot_use_a_session_where_browsers_tell_no_site() -> None:
    """By plain http from another machine they send no sec-fetch-site, but whence they ask across origins."""
    browser = await signed_in(ORIGINS)
    for origin in (
        "http://localhost:3000",
        "null",
        "http://gateway.test.evil",
        "http://gateway.test:1",
    ):
        response = await browser.get("/admin/requests", headers=[("origin", origin)], site=None)
        assert await code(response) == (401, "missing_credential")
        response = await browser.ask(
            "/dashboard/session", {"credential": "x"}, headers=[JSON, ("origin", origin)], site=None
        )
        assert await code(response) == (403, "csrf")
    own = ("origin", "http://gateway.test")
    assert (await browser.get("/admin/requests", headers=[own], site=None)).status == 200
    assert (
        await browser.ask("/admin/cache", method="DELETE", headers=[own], site=None)
    ).status == 200


@pytest.mark.parametrize("said", ["", "x", "é", "A" * 43])
async def test_what_changes_something_says_the_csrf_token(said: str) -> None:
    browser = await signed_in()
    for path, method in (
        ("/admin/cache", "DELETE"),
        ("/admin/keys", "POST"),
        ("/v1/chat/completions", "POST"),
        ("/dashboard/session", "DELETE"),
    ):
        browser.csrf = said
        response = await browser.ask(path, {}, method=method, headers=[JSON])
        assert await code(response) == (403, "csrf"), path
    assert browser.world.platform.fetch.requests == []


async def test_one_sessions_csrf_token_is_no_others() -> None:
    browser = await signed_in()
    other = Browser(browser.world)
    await other.sign_in()
    assert other.csrf != browser.csrf
    response = await browser.ask("/admin/cache", method="DELETE", csrf=other.csrf)
    assert await code(response) == (403, "csrf")


async def test_signing_in_never_takes_a_token_that_it_was_shown() -> None:
    browser = Browser(World())
    planted = browser.cookie = "penstock_session=" + "A" * 43
    await browser.sign_in()
    first = browser.cookie
    assert first != planted
    await browser.sign_in()
    assert browser.cookie != first
    browser.cookie = first  # the session before ended with it
    assert await code(await browser.get("/admin/requests")) == (401, "session_over")


@pytest.mark.parametrize(
    "cookie",
    [
        "{own}; penstock_session=" + "A" * 43,
        "penstock_session=" + "A" * 43 + "; {own}",
        "{own}x",
        "{own}=",
        "penstock_session=",
        "penstock_session",
        "__Host-{own}",
        "PENSTOCK_SESSION=" + "A" * 43,
        'penstock_session="{token}"',
        "penstock_session=" + "é" * 43,
        "penstock_session=" + "A" * 100_000,
        ";" * 10_000,
    ],
)
async def test_a_cookie_that_is_not_exactly_ours_is_none(cookie: str) -> None:
    browser = await signed_in()
    token = browser.cookie.partition("=")[2]
    browser.cookie = cookie.format(own=browser.cookie, token=token)
    assert await code(await browser.get("/admin/requests")) == (401, "missing_credential")


async def test_two_cookie_headers_are_read_together() -> None:
    browser = await signed_in()
    other = ("cookie", "a=b; theme=dark")
    assert (await browser.get("/admin/requests", headers=[other])).status == 200
    tossed = ("cookie", "penstock_session=" + "A" * 43)
    assert (await browser.get("/admin/requests", headers=[tossed])).status == 401


async def test_other_cookies_beside_do_not_matter() -> None:
    browser = await signed_in()
    browser.cookie = f"a=b;  {browser.cookie} ; penstock_sessions=1; =; c"
    assert (await browser.get("/admin/requests")).status == 200


async def test_behind_a_trusted_proxy_https_makes_the_cookie_the_hosts_own() -> None:
    browser = Browser(World(more=PROXIED))
    https = ("x-forwarded-proto", "https")
    response = await browser.sign_in("", https)
    cookie = response.header("set-cookie") or ""
    assert cookie.startswith("__Host-penstock_session=")
    assert cookie.endswith("; HttpOnly; SameSite=Strict; Secure")
    assert (await browser.get("/admin/requests", headers=[https])).status == 200
    assert (await browser.get("/admin/requests")).status == 401  # not by plain http
    # A cookie of a neighbour's making is not of that name.
    planted = ("cookie", "penstock_session=" + "A" * 43)
    assert (await browser.get("/admin/requests", headers=[https, planted])).status == 200
    forwarded = [("x-forwarded-host", "dash.example"), ("origin", "https://dash.example"), https]
    assert (await browser.get("/admin/requests", headers=forwarded, site=None)).status == 200


async def test_nobody_elses_word_on_https_counts() -> None:
    browser = Browser(World())
    response = await browser.sign_in("", ("x-forwarded-proto", "https"))
    assert "Secure" not in (response.header("set-cookie") or "")


async def test_services_do_not_see_the_session() -> None:
    more = """
[services.orders]
prefixes = ["/api/orders"]
auth = "optional"
backends = [{ url = "http://orders.test" }]
"""
    browser = await signed_in(more)
    own = browser.cookie
    for cookie, seen in ((own, None), (f"a=b; {own}", "a=b"), (f"{own}; c=d;e=f", "c=d;e=f")):
        browser.cookie = cookie
        await read(await browser.get("/api/orders/1"))
        request = browser.world.platform.fetch.requests[-1]
        assert request.header("cookie") == seen
        assert request.header("authorization") is None


@pytest.mark.parametrize(
    "path", ["/api/usage-sheets", "/api/usage/1", "/metrics-old", "/api/rag/pictures", "/administer", "/v1x"]
)  # fmt: skip
async def test_a_session_is_nobody_at_a_service_beside_the_gateways_own_paths(path: str) -> None:
    browser = await signed_in(
        '[services.all]\nprefixes = ["/"]\nbackends = [{ url = "http://all.test" }]\n'
    )
    assert await code(await browser.get(path)) == (401, "missing_credential")
    assert browser.world.platform.fetch.requests == []


async def test_a_session_is_nobody_at_a_service() -> None:
    more = """
[services.chat]
backends = [{ url = "http://chat.test" }]
"""
    browser = await signed_in(more)
    for path in ("/api/chat/1", "/api/ai/chat/1"):
        assert await code(await browser.get(path)) == (401, "missing_credential")
    assert browser.world.platform.fetch.requests == []


async def test_a_service_as_target_is_shown_the_persons_credential_and_not_the_cookie() -> None:
    more = """
[providers.own]
kind = "service"
base_url = "http://own.test"
[[targets]]
provider = "own"
model = "m"
"""
    browser = Browser(World(more=more))
    token = browser.world.token("root", role="admin")
    await browser.sign_in(token)
    await read(
        await browser.ask("/v1/chat/completions", {**CHAT, "model": "own/m"}, headers=[JSON])
    )
    request = browser.world.platform.fetch.requests[-1]
    assert request.header("authorization") == f"Bearer {token}"
    assert request.header("cookie") is None


async def test_every_refusal_below_the_dashboard_keeps_frames_out() -> None:
    browser = Browser(World())
    for method, path, status in (
        ("PUT", "/dashboard/session", 405),
        ("GET", "/dashboard/session", 401),
        ("POST", "/dashboard/session", 415),
    ):
        response = await browser.ask(path, {}, method=method)
        assert (response.status, framed(response)) == (status, True)
