"""The dashboard's session: who may have one, where it counts, and how it ends."""

from __future__ import annotations

import asyncio
import logging
from typing import cast

import pytest

from penstock.auth import keys
from penstock.gateway import Gateway
from penstock.gateway.upkeep import upkeep
from penstock.wire.http import Request, Response
from tests.path.dashboard import HOST, JSON, SAME, Browser, code, framed, signed_in
from tests.path.world import World, body, read

OPTIONAL = '[routes.open]\ntargets = ["cheap/gpt-4o-mini"]\nauth = "optional"\n'
CHAT = {"model": "auto", "messages": [{"role": "user", "content": "hi"}]}


async def admin_key(world: World, scopes: frozenset[str] = frozenset({"admin"})) -> tuple[str, str]:
    key, made = await keys.create(
        world.platform.tables, world.platform.ids, now=world.platform.clock.now(), sub="ann",
        tenant="acme", scopes=scopes,
    )  # fmt: skip
    return key, made.id


async def test_signing_in_gives_a_cookie_that_says_nothing() -> None:
    world = World()
    key, _ = await admin_key(world)
    browser = Browser(world)
    response = await browser.sign_in(key)
    assert response.status == 200
    assert framed(response)
    assert response.header("cache-control") == "no-store"
    cookie = response.header("set-cookie") or ""
    name, _, attributes = cookie.partition("; ")
    assert name.startswith("penstock_session=")
    assert attributes == "Path=/; Max-Age=43200; HttpOnly; SameSite=Strict"
    assert key not in cookie
    assert browser.told["caller"] == {
        "tenant": "acme", "sub": "ann", "scopes": ["admin"], "tier": "free",
    }  # fmt: skip
    assert browser.told["expires"] == "2027-01-15T20:00:00.000Z"
    found = await body(await browser.get("/dashboard/session"))
    assert found == browser.told
    rows = await world.platform.tables.rows("select name, sealed from sessions")
    token = browser.cookie.partition("=")[2]
    assert len(rows) == 1
    assert not any(secret in text for text in rows[0] for secret in (key, token))


async def test_a_session_does_all_that_its_credential_does() -> None:
    browser = await signed_in()
    for path in (
        "/admin/reports/overview",
        "/admin/requests",
        "/metrics",
        "/v1/models",
        "/api/usage",
    ):
        assert (await browser.get(path)).status == 200, path
    answer = await browser.ask("/v1/chat/completions", CHAT, headers=[JSON])
    assert answer.status == 200
    await read(answer)
    purged = await browser.ask("/admin/cache", method="DELETE")
    assert purged.status == 200
    # Its cost is its person's.
    used = await body(await browser.get("/v1/usage"))
    assert used["totals"]["requests"] == 1


async def test_a_token_of_an_admin_role_signs_in_and_the_session_ends_with_it() -> None:
    world = World()
    browser = Browser(world)
    response = await browser.sign_in()
    assert "Max-Age=3600;" in (response.header("set-cookie") or "")
    world.platform.clock.advance(3601)
    assert await code(await browser.get("/admin/requests")) == (401, "session_over")


@pytest.mark.parametrize(
    ("credential", "found"),
    [
        ("pk-nobody", (401, "invalid_api_key")),
        ("pk-" + "A" * 43, (401, "invalid_api_key")),
        ("eyJhbGciOiJub25lIn0.e30.", (401, "invalid_token")),
        ("é", (401, "invalid_token")),
        ("x" * 9000, (431, "header_too_large")),
        ("two words", (401, "invalid_token")),
        ("line\r\nset-cookie: a=b", (401, "invalid_token")),
    ],
)
async def test_what_is_no_credential_gets_no_session(
    credential: str, found: tuple[int, str]
) -> None:
    browser = Browser(World())
    response = await browser.sign_in(credential)
    assert response.header("set-cookie") is None
    assert framed(response)
    assert await code(response) == found


async def test_a_caller_without_the_scope_gets_none() -> None:
    browser = Browser(World())
    response = await browser.sign_in(browser.world.token("bob"))
    assert response.header("set-cookie") is None
    assert await code(response) == (403, "insufficient_scope")


@pytest.mark.parametrize(
    "data",
    [b"", b"[]", b"{}", b'{"credential":1}', b'{"credential":""}', b'{"credential":"a","x":1}', b"\xff",
     b'{"credential":"a","credential":"b"}'],
)  # fmt: skip
async def test_a_bad_body_is_told_so(data: bytes) -> None:
    browser = Browser(World())
    response = await browser.ask("/dashboard/session", data, headers=[JSON])
    assert response.status == 400
    assert framed(response)


async def test_signing_out_ends_it_at_once() -> None:
    browser = await signed_in()
    response = await browser.ask("/dashboard/session", method="DELETE")
    assert response.status == 204
    assert "Max-Age=0" in (response.header("set-cookie") or "")
    assert framed(response)
    assert await code(await browser.get("/admin/requests")) == (401, "session_over")
    assert await code(await browser.get("/dashboard/session")) == (401, "session_over")
    assert (await browser.ask("/dashboard/session", method="DELETE")).status == 204
    assert (await Browser(browser.world).ask("/dashboard/session", method="DELETE")).status == 204


async def test_a_revoked_key_ends_its_sessions() -> None:
    world = World()
    key, id = await admin_key(world)
    browser, other = Browser(world), Browser(world)
    await browser.sign_in(key)
    await other.sign_in()
    assert (await browser.get("/admin/requests")).status == 200
    assert (await other.ask(f"/admin/keys/{id}", method="DELETE")).status == 204
    for path in ("/admin/requests", "/dashboard/session", "/v1/models"):
        found = await code(await browser.get(path))
        assert found in ((401, "credential_revoked"), (401, "invalid_api_key"))
    assert (await other.get("/admin/requests")).status == 200
    assert (await browser.sign_in(key)).status == 401


async def test_a_key_that_expires_ends_its_session() -> None:
    world = World()
    key, _ = await keys.create(
        world.platform.tables, world.platform.ids, now=world.platform.clock.now(), sub="ann",
        scopes={"admin"}, expires_at=world.platform.clock.now() + 100,
    )  # fmt: skip
    browser = Browser(world)
    await browser.sign_in(key)
    world.platform.clock.advance(101)
    assert (await browser.get("/admin/requests")).status == 401


async def test_twelve_hours_are_the_longest_and_then_the_row_goes() -> None:
    world = World()
    key, _ = await admin_key(world)
    browser = Browser(world)
    await browser.sign_in(key)
    world.platform.clock.advance(43_199)
    assert (await browser.get("/admin/requests")).status == 200
    world.platform.clock.advance(1)
    assert await code(await browser.get("/admin/requests")) == (401, "session_over")
    world.platform.clock.advance(3_600 - world.platform.clock.now() % 3_600)
    await upkeep(world.gateway)
    assert await world.platform.tables.rows("select name from sessions") == []


async def test_a_shown_credential_goes_before_the_cookie() -> None:
    browser = await signed_in()
    for header in (
        ("authorization", f"Bearer {browser.world.token('bob')}"),
        ("x-api-key", "pk-no"),
    ):
        response = await browser.get("/admin/requests", headers=[header])
        assert response.status in (401, 403)
        assert await code(await browser.get("/dashboard/session", headers=[header])) == (
            401,
            "missing_credential",
        )


async def test_without_a_cookie_there_is_no_session() -> None:
    browser = Browser(World())
    response = await browser.get("/dashboard/session")
    assert framed(response)
    assert await code(response) == (401, "missing_credential")
    assert response.header("set-cookie") is None


async def test_an_anonymous_chat_stays_one_where_the_cookie_is_void() -> None:
    browser = Browser(World(more=OPTIONAL))
    browser.cookie = "penstock_session=" + "A" * 43
    answer = await browser.get("/v1/models")
    assert answer.status == 401
    response = await browser.ask(
        "/v1/chat/completions", {**CHAT, "model": "open"}, csrf="", site=None
    )
    assert await code(response) == (403, "csrf")  # it looks like a session's, and says no token


async def test_tries_are_bounded_by_address_and_success_is_none() -> None:
    world = World()
    browser = Browser(world)
    for _ in range(30):
        assert (await browser.sign_in()).status == 200
    for _ in range(10):
        assert (await browser.sign_in("pk-guess")).status == 401
    response = await browser.sign_in("pk-guess")
    assert framed(response)
    assert int(response.header("retry-after") or 0) > 60
    assert await code(response) == (429, "rate_limit_exceeded")
    # The right one waits as well: else the limit would tell which it is.
    assert (await browser.sign_in()).status == 429
    assert (await browser.get("/admin/requests")).status == 200  # who is in stays in
    assert (await Browser(world, "192.0.2.8").sign_in()).status == 200
    world.platform.clock.advance(901)
    assert (await browser.sign_in()).status == 200


async def test_many_tries_at_once_are_bounded_too() -> None:
    browser = Browser(World())
    found = await asyncio.gather(*(browser.sign_in("pk-guess") for _ in range(30)))
    assert [one.status for one in found].count(401) == 10


async def test_logs_tell_nothing_of_it(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    world = World()
    notes: list[dict[str, object]] = []
    gateway = world.gateway

    async def noted(request: Request) -> Response:  # as the entry stands before it
        request.notes = {}
        response = await gateway(request)
        notes.append(dict(request.notes))
        return response

    world.gateway = cast(Gateway, noted)
    browser = Browser(world)
    token = world.token("root", role="admin")
    await browser.sign_in(token)
    await browser.get("/admin/requests")
    await browser.sign_in("pk-guess")
    made = await body(await browser.ask("/admin/keys", {"name": "n"}, headers=[JSON]))
    told = f"{notes} {caplog.text}"
    for secret in (token, browser.cookie.partition("=")[2], browser.csrf, "pk-guess", made["key"]):
        assert secret not in told
    assert [one.get("caller") is not None for one in notes] == [True, True, False, True]
    assert notes[-1]["key"] == made["id"]


async def test_a_request_with_a_credential_never_asks_for_a_session(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What has none of it pays nothing for it: no table is read and no cookie parsed."""
    world = World()
    asked: list[object] = []

    def values(*shown: object) -> list[str]:
        asked.append(shown)
        return []

    monkeypatch.setattr("penstock.wire.cookies.values", values)
    for headers in ((), [("cookie", "penstock_session=" + "A" * 43), SAME, HOST]):
        await read(await world.chat("hi", headers=headers))
    assert asked == []
