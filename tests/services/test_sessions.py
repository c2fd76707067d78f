"""Sessions: refresh tokens that are good once, logouts, and the claims the gateway reads."""

from __future__ import annotations

import asyncio

from penstock.auth.identify import Identity
from penstock.config import Auth as AuthConfig
from penstock.config import Config
from penstock.errors import Unauthorized
from penstock.platforms import memory
from penstock.wire.http import Request
from tests.services.home import SHARED

DAY_SECONDS = 24 * 3600


async def test_a_refresh_token_is_good_once(auth):
    first = await auth.verified()
    second = await auth.refresh(first["refreshToken"])
    assert second.status == 200
    assert second.json["refreshToken"] != first["refreshToken"]
    third = await auth.refresh(second.json["refreshToken"])
    assert third.json["user"] == first["user"]


async def test_a_used_refresh_token_ends_the_whole_session(auth):
    first = await auth.verified()
    other = (await auth.login()).json
    second = (await auth.refresh(first["refreshToken"])).json
    assert (await auth.refresh(first["refreshToken"])).status == 401
    assert (await auth.refresh(second["refreshToken"])).status == 401
    assert (await auth.ask("GET /api/auth/me", token=second["token"])).status == 401
    assert (await auth.refresh(other["refreshToken"])).status == 200


async def test_of_two_at_once_one_wins_and_the_session_ends(auth):
    token = (await auth.verified())["refreshToken"]
    replies = await asyncio.gather(auth.refresh(token), auth.refresh(token))
    assert sorted(reply.status for reply in replies) == [200, 401]
    [won] = [reply.json for reply in replies if reply.status == 200]
    assert (await auth.refresh(won["refreshToken"])).status == 401


async def test_a_session_ends_unused_and_in_the_end_however_used(auth):
    token = (await auth.verified())["refreshToken"]
    for _ in range(4):
        auth.clock.advance(20 * DAY_SECONDS)
        reply = await auth.refresh(token)
        assert reply.status == 200
        token = reply.json["refreshToken"]
    auth.clock.advance(20 * DAY_SECONDS)
    assert (await auth.refresh(token)).status == 401
    unused = (await auth.login()).json["refreshToken"]
    auth.clock.advance(30 * DAY_SECONDS)
    assert (await auth.refresh(unused)).status == 401


async def test_a_logout_ends_the_session(auth):
    entered = await auth.verified()
    out = await auth.ask("POST /api/auth/logout", token=entered["token"])
    assert out.json == {"success": True}
    assert (await auth.refresh(entered["refreshToken"])).status == 401
    assert (await auth.ask("GET /api/auth/me", token=entered["token"])).status == 401
    again = await auth.ask("POST /api/auth/logout", token=entered["token"])
    assert again.status == 200


async def test_a_logout_needs_a_good_token(auth):
    assert (await auth.ask("POST /api/auth/logout", token="a.b.c")).status == 401


async def test_the_gateway_believes_a_login_as_it_does_its_own_tokens(auth):
    entered = await auth.verified()
    gateway = memory.platform()
    identity = Identity(Config(auth=AuthConfig(issuers=(SHARED,))), gateway)
    sent = [("authorization", f"Bearer {entered['token']}")]
    caller = await identity.identify(Request("GET", b"/", headers=sent))
    assert (caller.sub, caller.tenant, caller.tier) == (entered["user"]["id"], "default", "free")
    assert (caller.email, caller.role) == ("ada@example.com", "user")
    gateway.clock.advance(901)
    try:
        await identity.identify(Request("GET", b"/", headers=sent))
    except Unauthorized:
        return
    raise AssertionError("an old token was taken")
