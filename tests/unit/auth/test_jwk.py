"""Which keys may check which signatures."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given
from hypothesis import strategies as st

from penstock.auth import base64url, jwk
from penstock.auth.jwk import fit
from tests.unit.auth.signing import ALGORITHMS, jwk_of, number


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_keeps_only_what_a_check_needs(alg: str) -> None:
    key = fit(jwk_of(alg, x5t="thumb", extra=[1]), alg)
    assert key is not None
    assert (key.alg, key.kid) == (alg, f"{alg}-0")
    assert set(key.jwk) <= {"kty", "crv", "n", "e", "x", "y", "k"}


@pytest.mark.parametrize("alg", ALGORITHMS)
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("use", "enc"),
        ("use", ""),
        ("use", None),
        ("use", ["sig"]),
        ("key_ops", ["encrypt"]),
        ("key_ops", ["sign"]),
        ("key_ops", []),
        ("key_ops", "verify"),
        ("key_ops", None),
        ("alg", "RSA-OAEP"),
        ("alg", "none"),
        ("alg", None),
        ("kid", 7),
        ("kty", "oct?"),
        ("kty", None),
    ],
)
def test_refuses_keys_made_for_other_things(alg: str, name: str, value: Any) -> None:
    assert fit(jwk_of(alg, **{name: value}), alg) is None


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_refuses_keys_of_another_kind(alg: str) -> None:
    for other in ALGORITHMS:
        same = jwk_of(other)["kty"] == jwk_of(alg)["kty"] != "EC"
        if not same and other != alg:
            assert fit(jwk_of(other), alg) is None


@pytest.mark.parametrize("alg", ["RS256", "ES256", "EdDSA"])
def test_refuses_a_published_private_key(alg: str) -> None:
    assert fit(jwk_of(alg, d="AQAB"), alg) is None


@pytest.mark.parametrize("alg", ["none", "HS1", "RS1", "ES256K", "", "RSA-OAEP", "dir"])
def test_knows_no_other_algorithms(alg: str) -> None:
    assert all(fit(jwk_of(known, alg=alg), alg) is None for known in ALGORITHMS)


def test_refuses_short_rsa_keys() -> None:
    weak = rsa.generate_private_key(65537, 1024).public_key().public_numbers()  # the point of it
    key = {"kty": "RSA", "n": number(weak.n, 128), "e": "AQAB"}
    assert fit(key, "RS256") is None
    assert (
        fit({**key, "n": base64url.encode(bytes(128) + weak.n.to_bytes(128, "big"))}, "RS256")
        is None
    )


@pytest.mark.parametrize(
    "e", ["AQ", "Ag", "AAAA", "", "AQAA", base64url.encode(b"\x01" * 5), 65537]
)
def test_refuses_odd_exponents(e: Any) -> None:
    assert fit(jwk_of("RS256", e=e), "RS256") is None


def test_refuses_even_and_huge_moduli() -> None:
    assert fit(jwk_of("RS256", n=number(1 << 2047, 256)), "RS256") is None
    assert fit(jwk_of("RS256", n=number((1 << 8192) | 1, 1025)), "RS256") is None


@pytest.mark.parametrize("alg", ["ES256", "ES384", "ES512", "EdDSA"])
@pytest.mark.parametrize("curve", ["P-256", "P-384", "P-521", "secp256k1", "Ed448", "X25519", None])
def test_refuses_other_curves(alg: str, curve: Any) -> None:
    key = jwk_of(alg)
    if key["crv"] != curve:
        assert fit({**key, "crv": curve}, alg) is None


@pytest.mark.parametrize("alg", ["ES256", "ES384", "ES512", "EdDSA"])
def test_refuses_coordinates_of_other_lengths(alg: str) -> None:
    key = jwk_of(alg)
    x = base64url.decode(key["x"]) or b""
    for wrong in (x[1:], x + b"\x00", b"\x00" + x, b""):
        assert fit({**key, "x": base64url.encode(wrong)}, alg) is None
    for wrong_type in (7, None, [key["x"]], key["x"] + "="):
        assert fit({**key, "x": wrong_type}, alg) is None


@pytest.mark.parametrize(("alg", "size"), [("HS256", 32), ("HS384", 48), ("HS512", 64)])
def test_refuses_secrets_shorter_than_their_hash(alg: str, size: int) -> None:
    assert fit({"kty": "oct", "k": base64url.encode(bytes(size))}, alg) is not None
    assert fit({"kty": "oct", "k": base64url.encode(bytes(size - 1))}, alg) is None
    assert fit({"kty": "oct"}, alg) is None


MEMBERS = ["kty", "crv", "n", "e", "x", "y", "k", "alg", "use", "key_ops", "kid", "d"]
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=50),
    st.lists(st.text(max_size=5), max_size=3),
    st.sampled_from(["RSA", "EC", "OKP", "oct", "P-256", "Ed25519", "sig", "AQAB"]),
)


@given(
    st.dictionaries(st.sampled_from(MEMBERS), VALUES),
    st.sampled_from(ALGORITHMS),
    st.booleans(),
)
def test_no_key_crashes_the_reading(changes: dict[str, Any], alg: str, whole: bool) -> None:
    key = fit({**jwk_of(alg), **changes} if whole else changes, alg)
    assert key is None or (key.alg == alg and key.signature_bytes > 0)


def test_names_every_asymmetric_algorithm() -> None:
    assert {alg for alg in ALGORITHMS if not alg.startswith("HS")} == jwk.ASYMMETRIC
