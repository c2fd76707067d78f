"""Callers, their owners and what they may do."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from penstock.auth import jws, mint, refusals, scopes
from penstock.auth.caller import Caller, anonymous, authenticated, owner_of, require
from penstock.errors import Forbidden, Misconfigured, Unauthorized
from tests.unit.auth.signing import NOW, SECRET

NAMES = st.text(min_size=1, max_size=8) | st.sampled_from(
    ["a/b", "a", "b/c", "%2F", "default", "/"]
)


@given(NAMES, NAMES, NAMES, NAMES)
def test_no_two_callers_own_the_same(tenant: str, sub: str, tenant2: str, sub2: str) -> None:
    same = (tenant, sub) == (tenant2, sub2)
    assert (owner_of(tenant, sub) == owner_of(tenant2, sub2)) is same


@given(NAMES)
def test_nobody_with_a_credential_is_an_anonymous_caller(sub: str) -> None:
    stranger = anonymous("192.0.2.7", refusals.missing())
    assert Caller(sub=stranger.sub).owner != stranger.owner
    assert not owner_of("default", sub).startswith("/")


def test_an_owner_follows_its_caller() -> None:
    caller = Caller(sub="u", tenant="t", owner="somebody/else", hash="0" * 12)
    assert caller.owner == "t/u"
    assert re.fullmatch(r"[0-9a-f]{12}", caller.hash)
    moved = replace(caller, tenant="t2")
    assert (moved.owner, moved.hash != caller.hash) == ("t2/u", True)
    assert caller.sub not in caller.hash


def test_an_anonymous_caller_can_do_little_and_says_why() -> None:
    why = refusals.expired()
    caller = anonymous("2001:db8::1", why)
    assert (caller.anonymous, caller.tier, caller.credential) == (True, "free", "")
    assert (caller.sub, caller.address) == ("ip:2001:db8::/64", "2001:db8::1")
    assert caller.scopes == {"chat", "embed"}
    require(caller, scopes.CHAT)
    for held in (lambda: authenticated(caller), lambda: require(caller, scopes.ADMIN)):
        with pytest.raises(Unauthorized) as caught:
            held()
        assert caught.value is why


def test_a_caller_needs_the_scope() -> None:
    caller = Caller(sub="u")
    authenticated(caller)
    require(caller, scopes.RAG)
    for scope in scopes.KNOWN - scopes.DEFAULT:
        with pytest.raises(Forbidden, match=scope) as caught:
            require(caller, scope)
        assert caught.value.code == "insufficient_scope"


def test_a_minted_token_is_one_that_is_read() -> None:
    token = mint.mint({"sub": "u", "scope": "chat", "exp": 1}, SECRET, now=NOW + 0.7, lifetime=60)
    signed = jws.read(token)
    assert signed is not None
    assert jws.right_mac(signed, SECRET.encode())
    claims = jws.read_object(signed.payload)
    assert claims == {"sub": "u", "scope": "chat", "iat": int(NOW), "exp": int(NOW) + 60}


@pytest.mark.parametrize("secret", ["", "short"])
def test_nothing_is_minted_with_a_weak_secret(secret: str) -> None:
    with pytest.raises(Misconfigured):
        mint.mint({"sub": "u"}, secret, now=NOW)


@pytest.mark.parametrize(
    ("refusal", "text", "challenge"),
    [
        (refusals.missing(), "Unauthorized", "Bearer"),
        (refusals.invalid_token(), "Invalid token", 'Bearer error="invalid_token"'),
        (refusals.expired(), "Invalid token", 'Bearer error="invalid_token"'),
        (refusals.invalid_key(), "Invalid token", 'Bearer error="invalid_token"'),
        (refusals.revoked(), "Invalid token", 'Bearer error="invalid_token"'),
    ],
)
def test_a_refusal_names_the_scheme(refusal: Unauthorized, text: str, challenge: str) -> None:
    assert (refusal.status, refusal.text) == (401, text)
    assert ("www-authenticate", challenge) in refusal.headers
