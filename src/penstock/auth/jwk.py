"""Public keys as JWK: which of them may check which signatures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from penstock.auth import base64url

RSA_BITS = range(2048, 8192 + 1)
_EXPONENT_BITS = 32
_SECRET_BYTES = {"HS256": 32, "HS384": 48, "HS512": 64}
_CURVES = {"ES256": ("P-256", 32), "ES384": ("P-384", 48), "ES512": ("P-521", 66)}
_RSA = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"})
_EDWARDS = ("Ed25519", 32)

ASYMMETRIC = _RSA | _CURVES.keys() | {"EdDSA"}


class Key(Struct, frozen=True):
    """A key fit for one algorithm: nothing in `jwk` but what a check needs."""

    alg: str
    kid: str | None
    jwk: dict[str, Any]
    signature_bytes: int


def fit(jwk: Mapping[str, Any], alg: str) -> Key | None:
    """The key where it may check signatures of `alg`, else None.

    Type, curve and sizes fit the algorithm; `alg`, `use` and `key_ops` allow it; a published key
    has no private part.
    """
    kid = jwk.get("kid")
    if not _allowed(jwk, alg) or not (kid is None or isinstance(kid, str)):
        return None
    if alg in _SECRET_BYTES:
        found = _secret(jwk, alg)
    elif "d" in jwk:
        found = None
    elif alg in _RSA:
        found = _rsa(jwk)
    elif alg in _CURVES:
        found = _point(jwk, "EC", *_CURVES[alg], ("x", "y"))
    else:
        found = _point(jwk, "OKP", *_EDWARDS, ("x",)) if alg == "EdDSA" else None
    return None if found is None else Key(alg, kid, *found)


def _allowed(jwk: Mapping[str, Any], alg: str) -> bool:
    operations = jwk.get("key_ops", ["verify"])
    return (
        jwk.get("alg", alg) == alg
        and jwk.get("use", "sig") == "sig"
        and isinstance(operations, list)
        and "verify" in operations
    )


def _secret(jwk: Mapping[str, Any], alg: str) -> tuple[dict[str, Any], int] | None:
    size = _SECRET_BYTES[alg]
    secret = _bytes(jwk, "k")
    if jwk.get("kty") != "oct" or len(secret) < size:
        return None
    return {"kty": "oct", "k": jwk["k"]}, size


def _rsa(jwk: Mapping[str, Any]) -> tuple[dict[str, Any], int] | None:
    modulus = int.from_bytes(_bytes(jwk, "n"), "big")
    exponent = int.from_bytes(_bytes(jwk, "e"), "big")
    odd = modulus & exponent & 1
    if jwk.get("kty") != "RSA" or not odd or modulus.bit_length() not in RSA_BITS:
        return None
    if exponent < 3 or exponent.bit_length() > _EXPONENT_BITS:
        return None
    return {"kty": "RSA", "n": jwk["n"], "e": jwk["e"]}, (modulus.bit_length() + 7) // 8


def _point(
    jwk: Mapping[str, Any], kty: str, curve: str, size: int, names: tuple[str, ...]
) -> tuple[dict[str, Any], int] | None:
    if jwk.get("kty") != kty or jwk.get("crv") != curve:
        return None
    if any(len(_bytes(jwk, name)) != size for name in names):
        return None
    return {"kty": kty, "crv": curve, **{name: jwk[name] for name in names}}, 2 * size


def _bytes(jwk: Mapping[str, Any], name: str) -> bytes:
    value = jwk.get(name)
    return (base64url.decode(value) or b"") if isinstance(value, str) else b""
