"""Claims that hold here and now, and issuers that cannot be confused."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from penstock.auth.jwk import Key, fit
from penstock.auth.jwt import Authority, Tokens
from penstock.config import Issuer
from penstock.errors import Misconfigured, Unauthorized
from penstock.platforms.crypto import Signatures
from tests.unit.auth.signing import (
    AUDIENCE,
    ISSUER,
    NOW,
    SECRET,
    claims,
    jwk_of,
    private,
    shared_token,
    token_of,
)

PUBLISHED: dict[str, Any] = {"mode": "jwks", "issuer": ISSUER, "audience": AUDIENCE}


class Known:
    """Keys that need no fetching; `asked` says which were looked for."""

    def __init__(self) -> None:
        self.asked: list[tuple[str | None, str]] = []

    async def find(self, kid: str | None, alg: str) -> Key | None:
        self.asked.append((kid, alg))
        return fit(jwk_of(alg), alg) if kid == f"{alg}-0" else None


def shared(**more: Any) -> Tokens:
    return Tokens([Authority(Issuer(secret=SECRET, **more), Signatures())], 60)


def published(known: Known | None = None, **more: Any) -> Tokens:
    issuer = Issuer(**{**PUBLISHED, **more})
    return Tokens([Authority(issuer, Signatures(), known or Known())], 60)


async def refused(tokens: Tokens, token: str, code: str = "invalid_token") -> None:
    with pytest.raises(Unauthorized) as caught:
        await tokens.claims(token, NOW)
    assert (caught.value.code, caught.value.text) == (code, "Invalid token")


async def test_a_token_of_the_first_design_holds_where_a_secret_is_shared() -> None:
    old = {"sub": "u", "email": "u@example.com", "role": "user", "iat": NOW, "exp": NOW + 60}
    assert (await shared().claims(shared_token(old), NOW))["sub"] == "u"
    await refused(published(), token_of(old, "RS256"))


@pytest.mark.parametrize("alg", ["RS256", "ES256", "EdDSA"])
async def test_published_keys_check_tokens(alg: str) -> None:
    assert (await published().claims(token_of(claims(), alg), NOW))["sub"] == "user-1"


@pytest.mark.parametrize(
    "exp",
    [
        None,
        "soon",
        str(NOW + 60),
        True,
        [NOW + 60],
        {},
        -1,
        1e308,
        10**400,
        NOW * 1000,
        253402300800,
    ],
)
async def test_refuses_an_end_that_is_no_moment(exp: Any) -> None:
    await refused(shared(), shared_token(claims(exp=exp)))


@pytest.mark.parametrize(
    "raw", ["NaN", "Infinity", "-Infinity", "1e999", "01", "0x7fffffff", "null"]
)
async def test_refuses_an_end_that_is_no_number_of_json(raw: str) -> None:
    await refused(shared(), shared_token(f'{{"sub":"u","exp":{raw}}}'.encode()))


async def test_an_end_is_the_end_to_the_second() -> None:
    assert await shared().claims(shared_token(claims(exp=NOW + 0.5)), NOW)
    for past in (NOW, NOW - 0.5, NOW - 59, 0):
        await refused(shared(), shared_token(claims(exp=past)), "token_expired")


async def test_says_expired_only_of_tokens_that_were_good() -> None:
    await refused(
        shared(), shared_token(claims(exp=NOW - 1), secret="another secret of 32 bytes or more")
    )
    await refused(shared(), shared_token(claims(exp=NOW - 1, nbf=NOW + 999)))
    await refused(shared(audience="us"), shared_token(claims(exp=NOW - 1, aud="them")))


@pytest.mark.parametrize("name", ["nbf", "iat"])
async def test_clocks_may_differ_by_a_minute(name: str) -> None:
    assert await shared().claims(shared_token(claims(**{name: NOW + 60})), NOW)
    wrongs: list[Any] = [NOW + 61, "now", True, [], -5, NOW * 1000]
    for wrong in wrongs:
        await refused(shared(), shared_token(claims(**{name: wrong})))


@pytest.mark.parametrize(
    "sub", [None, "", 7, True, ["u"], {}, "x" * 257,
            "a\x00b", "a\nb", "\x7f", "\x1b[31m", "a\u202eb", "\u2028"]
)  # fmt: skip
async def test_refuses_what_names_nobody(sub: Any) -> None:
    await refused(shared(), shared_token(claims(sub=sub)))


@pytest.mark.parametrize(
    "sub", ["x" * 256, "auth0|62", "Zo\u00eb", "a b", "'; drop table keys; --", "../x"]
)
async def test_takes_other_names_as_they_are(sub: str) -> None:
    assert (await shared().claims(shared_token(claims(sub=sub)), NOW))["sub"] == sub


@pytest.mark.parametrize(
    "iss", [None, "", "https://issuer.example/", "HTTPS://ISSUER.EXAMPLE", 7, [ISSUER]]
)
async def test_refuses_other_issuers(iss: Any) -> None:
    known = Known()
    await refused(published(known), token_of(claims(iss=iss), "RS256"))
    assert not known.asked
    await refused(shared(issuer=ISSUER), shared_token(claims(iss=iss)))


@pytest.mark.parametrize(
    "aud",
    [None, "", "other", [], ["other"], [AUDIENCE, 7], [[AUDIENCE]], 7, {AUDIENCE: 1}, "penstock2"],
)
async def test_refuses_tokens_for_others(aud: Any) -> None:
    await refused(published(), token_of(claims(aud=aud), "ES256"))
    await refused(shared(audience=AUDIENCE), shared_token(claims(aud=aud)))


@pytest.mark.parametrize("aud", [AUDIENCE, [AUDIENCE], ["other", AUDIENCE]])
async def test_takes_tokens_for_us_among_others(aud: Any) -> None:
    assert await published().claims(token_of(claims(aud=aud), "ES256"), NOW)
    assert await shared(audience=AUDIENCE).claims(shared_token(claims(aud=aud)), NOW)


async def test_without_a_configured_name_none_is_asked() -> None:
    assert await shared().claims(shared_token(claims(iss="any", aud=["one"])), NOW)


@pytest.mark.parametrize(
    "payload",
    [
        b'{"sub":"u","sub":"admin","exp":1800000060}',
        b'{"sub":"u","exp":1800000060,"exp":1900000000}',
        b'{"sub":"u","s\\u0075b":"admin","exp":1800000060}',
        b'[{"sub":"u"}]', b"null", b"", b"7", b'"u"', b"{}", b'{"sub":"\xff","exp":1800000060}',
        b'{"sub":"u","exp":1800000060}x', b'\xef\xbb\xbf{"sub":"u","exp":1800000060}',
    ],
)  # fmt: skip
async def test_refuses_claims_that_are_not_one_strict_object(payload: bytes) -> None:
    await refused(shared(), shared_token(payload))


async def test_the_algorithm_is_the_configuration_s_not_the_token_s() -> None:
    known = Known()
    for alg in ("HS256", "HS512", "RS384", "PS256", "ES384", "none"):
        honest = alg if alg != "none" else "HS256"
        await refused(published(known), token_of(claims(), honest, header={"alg": alg}))
    assert not known.asked
    for alg in ("RS256", "ES256", "EdDSA", "HS512"):
        await refused(shared(), token_of(claims(), alg))
    await refused(published(algorithms=("RS256",)), token_of(claims(), "ES256"))


async def test_a_mac_with_the_published_key_opens_nothing() -> None:
    public = private("RS256").public_key()
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    for header in ({"alg": "HS256", "kid": "RS256-0"}, {"alg": "RS256", "kid": "RS256-0"}):
        await refused(published(), shared_token(claims(), header=header, secret=pem))


async def test_several_issuers_each_by_its_own_key() -> None:
    other = "another secret of thirty-two bytes, or more"
    tokens = Tokens(
        [
            Authority(Issuer(secret=SECRET, issuer="a"), Signatures()),
            Authority(Issuer(secret=other, issuer="b"), Signatures()),
            Authority(Issuer(**PUBLISHED), Signatures(), Known()),
        ],
        60,
    )
    assert await tokens.claims(shared_token(claims(iss="a")), NOW)
    assert await tokens.claims(shared_token(claims(iss="b"), secret=other), NOW)
    assert await tokens.claims(token_of(claims(), "RS256"), NOW)
    await refused(tokens, shared_token(claims(iss="a"), secret=other))
    await refused(tokens, shared_token(claims(iss="b")))
    await refused(tokens, shared_token(claims()))


async def test_without_issuers_no_token_holds() -> None:
    await refused(Tokens([], 60), shared_token(claims()))


@pytest.mark.parametrize("secret", ["", "x", "x" * 31])
def test_weak_secrets_do_not_start(secret: str) -> None:
    with pytest.raises(Misconfigured, match="secret"):
        Authority(Issuer(secret=secret), Signatures())
    assert Authority(Issuer(secret="x" * 32), Signatures())


@pytest.mark.parametrize(
    "lack", [{"issuer": ""}, {"audience": ""}, {"algorithms": ()}, {"algorithms": ("HS256",)},
             {"algorithms": ("RS256", "none")}]
)  # fmt: skip
def test_half_set_published_issuers_do_not_start(lack: dict[str, Any]) -> None:
    with pytest.raises(Misconfigured):
        Authority(Issuer(**{**PUBLISHED, **lack}), Signatures(), Known())


@given(st.data())
def test_any_changed_byte_is_refused(data: st.DataObject) -> None:
    token = shared_token(claims())
    place = data.draw(st.integers(0, len(token) - 1))
    other = data.draw(st.characters(max_codepoint=255).filter(lambda c: c != token[place]))
    asyncio.run(refused(shared(), token[:place] + other + token[place + 1 :]))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)
CLAIMS = st.sampled_from(["sub", "exp", "nbf", "iat", "iss", "aud", "scope", "tenant", "role"])


@given(st.dictionaries(CLAIMS, JSON))
def test_signed_nonsense_is_refused_or_holds_and_never_crashes(changes: dict[str, Any]) -> None:
    token = shared_token({**claims(), **changes})
    try:
        held = asyncio.run(shared(audience=AUDIENCE).claims(token, NOW))
    except Unauthorized:
        return
    assert held["exp"] > NOW
    assert isinstance(held["sub"], str)
