"""Keys that the service makes, publishes and replaces, believed by penstock's own JWKS reader."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from penstock.auth import base64url
from penstock.auth.identify import Identity
from penstock.auth.mint import mint
from penstock.config import Auth as AuthConfig
from penstock.config import Config, Issuer
from penstock.platforms import memory
from penstock.wire.http import Request, Response
from penstock_services import callers
from penstock_services.auth.signing import LEAD_MS, LIFE_MS, TAIL_MS, KeyRow, plan
from tests.services.home import SECRET, Auth, settled

DAY_SECONDS = 24 * 3600


def gateway_of(auth: Auth) -> tuple[Identity, memory.MemoryPlatform]:
    """A gateway in JWKS mode that fetches its keys from this service."""

    async def fetch(request: Request) -> Response:
        reply = await auth.ask("GET /api/auth/jwks.json")
        return Response(reply.status, [], reply.body)

    platform = memory.platform(fetch)
    issuer = Issuer(
        mode="jwks",
        issuer="penstock-auth",
        audience="penstock",
        jwks_url="https://auth.test/api/auth/jwks.json",
    )
    return Identity(Config(auth=AuthConfig(issuers=(issuer,))), platform), platform


async def sub_of(identity: Identity, token: str) -> str:
    sent = [("authorization", f"Bearer {token}")]
    return (await identity.identify(Request("GET", b"/", headers=sent))).sub


async def test_a_login_alone_is_believed_through_the_published_keys(alone):
    entered = await alone.verified()
    identity, platform = gateway_of(alone)
    assert await sub_of(identity, entered["token"]) == entered["user"]["id"]
    assert len(platform.fetch.requests) == 1
    me = await alone.ask("GET /api/auth/me", token=entered["token"])
    assert me.json["user"] == entered["user"]


async def test_keys_are_replaced_with_an_overlap(alone):
    entered = await alone.verified()
    identity, gateway = gateway_of(alone)
    users, refresh = {entered["user"]["id"]}, entered["refreshToken"]
    kids = set()
    for _ in range(12):
        for seconds in (5 * DAY_SECONDS, 600):
            alone.clock.advance(seconds)
            gateway.clock.advance(seconds)
            reply = await alone.refresh(refresh)
            refresh = reply.json["refreshToken"]
            users.add(await sub_of(identity, reply.json["token"]))
            published = (await alone.ask("GET /.well-known/jwks.json")).json["keys"]
            assert 1 <= len(published) <= 2
            kids |= {key["kid"] for key in published}
    assert users == {entered["user"]["id"]}
    assert len(kids) == 3
    rows = await alone.world.tables.rows("select number from signing_keys")
    assert len(rows) <= 2


async def test_what_is_published_has_no_private_part_and_what_is_kept_is_sealed(alone):
    await alone.verified()
    [key] = (await alone.ask("GET /api/auth/jwks.json")).json["keys"]
    assert key.keys() == {"kty", "crv", "x", "kid", "alg", "use"}
    [(public, sealed)] = await alone.world.tables.rows("select public, sealed from signing_keys")
    assert public == key["x"]
    assert len(sealed) == 80  # nonce, seed and tag in base64url


async def test_a_shared_secret_signs_nothing_that_keys_answer_for(alone):
    entered = await alone.verified()
    claims = {"sub": entered["user"]["id"], "iss": "penstock-auth", "aud": "penstock", "sid": "s"}
    forged = mint(claims, SECRET, now=alone.clock.now())
    assert (await alone.ask("GET /api/auth/me", token=forged)).status == 401


@given(st.lists(st.integers(0, 3 * LIFE_MS), max_size=4), st.integers(0, 4 * LIFE_MS))
def test_whatever_their_ages_what_signs_is_published_and_was_long_enough(gaps, now):
    at, keys = 0, []
    for number, gap in enumerate(gaps, 1):
        at += LIFE_MS + gap
        keys.append(KeyRow(number, f"k{number}", "", "", at - LIFE_MS - gaps[0]))
    now += keys[0].created_at if keys else 0
    made = plan(keys, now)
    assert (made.signer is None) == (not keys)
    assert sorted({*made.published, *made.dropped}) == keys
    assert not set(made.published) & set(made.dropped)
    if made.signer is not None:
        assert made.signer in made.published
        assert made.signer is keys[0] or made.signer.created_at + LEAD_MS <= now
        before = [key for key in keys if key.number < made.signer.number]
        if before and now < made.signer.created_at + LEAD_MS + TAIL_MS:
            assert before[-1] in made.published


async def test_only_billing_sets_a_tier_and_the_latest_decision_holds(auth):
    entered = await auth.verified()
    id = entered["user"]["id"]
    billing = callers.Peers(auth.world).token("billing")

    async def told(tier: str, version: int, token: str, user: str = id) -> int:
        body = {"userId": user, "tier": tier, "version": version}
        reply = await auth.ask("PUT /internal/tier", body, token=token)
        status: int = reply.status
        return status

    assert await told("pro", 1, entered["token"]) == 401
    assert await told("pro", 1, callers.Peers(auth.world).token("chat")) == 403
    assert await told("pro", 2, billing) == 200
    assert await told("free", 1, billing) == 200  # older: it changes nothing
    assert await told("gold", 3, billing) == 400
    assert await told("pro", 1, billing, "usr_nobody") == 404
    refreshed = (await auth.refresh(entered["refreshToken"])).json
    assert refreshed["user"]["tier"] == "pro"
    payload = refreshed["token"].split(".")[1]
    claims = json.loads(base64url.decode(payload) or b"")
    assert claims["tier"] == "pro"
    assert claims.keys() == {
        "sub", "email", "role", "tier", "tenant", "workspaceId", "sid", "jti", "iat", "exp",
        "iss", "aud",
    }  # fmt: skip
    await settled(auth.world)
