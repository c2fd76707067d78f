"""An issuer for tests: keys of every kind, and signatures right and wrong."""

from __future__ import annotations

import hmac
import json
from functools import cache
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils

from penstock.auth import base64url
from penstock.config import Auth, Config, Issuer
from penstock.wire.http import Request

NOW = 1_800_000_000.0
SECRET = "a secret of more than thirty-two bytes, for tests"
ISSUER = "https://issuer.example"
AUDIENCE = "penstock"
JWKS_URL = "https://issuer.example/keys"
ALGORITHMS = ["HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512"]
ALGORITHMS += ["ES256", "ES384", "ES512", "EdDSA"]
ASYMMETRIC = [alg for alg in ALGORITHMS if not alg.startswith("HS")]

_HASHES = {"256": hashes.SHA256(), "384": hashes.SHA384(), "512": hashes.SHA512()}
CURVES = {
    "ES256": ("P-256", ec.SECP256R1(), 32),
    "ES384": ("P-384", ec.SECP384R1(), 48),
    "ES512": ("P-521", ec.SECP521R1(), 66),
}


@cache
def private(alg: str, which: int = 0) -> Any:
    """A private key for an algorithm; `which` tells several apart."""
    if alg in CURVES:
        return ec.generate_private_key(CURVES[alg][1])
    if alg == "EdDSA":
        return ed25519.Ed25519PrivateKey.generate()
    if alg == "RSA":
        return rsa.generate_private_key(65537, 2048)
    return private("RSA", which) if alg[:2] in ("RS", "PS") else bytes(range(which, which + 64))


def jwk_of(alg: str, which: int = 0, /, **more: Any) -> dict[str, Any]:
    """The key that checks: public, but for HS."""
    return {"kid": f"{alg}-{which}", **_members(alg, private(alg, which)), **more}


def _members(alg: str, key: Any) -> dict[str, Any]:
    if alg.startswith("HS"):
        return {"kty": "oct", "k": base64url.encode(key)}
    if alg == "EdDSA":
        return {
            "kty": "OKP",
            "crv": "Ed25519",
            "x": base64url.encode(key.public_key().public_bytes_raw()),
        }
    numbers = key.public_key().public_numbers()
    if alg in CURVES:
        curve, _, size = CURVES[alg]
        return {
            "kty": "EC",
            "crv": curve,
            "x": number(numbers.x, size),
            "y": number(numbers.y, size),
        }
    return {"kty": "RSA", "n": number(numbers.n, 256), "e": number(numbers.e, 3)}


def number(value: int, size: int) -> str:
    return base64url.encode(value.to_bytes(size, "big"))


def signature(alg: str, message: bytes, which: int = 0) -> bytes:
    """The right signature of a message."""
    key = private(alg, which)
    if alg.startswith("HS"):
        return hmac.digest(key, message, f"sha{alg[2:]}")
    if alg == "EdDSA":
        return bytes(key.sign(message))
    digest = _HASHES[alg[2:]]
    if alg in CURVES:
        r, s = utils.decode_dss_signature(key.sign(message, ec.ECDSA(digest)))
        size = CURVES[alg][2]
        return r.to_bytes(size, "big") + s.to_bytes(size, "big")
    pad: padding.AsymmetricPadding = padding.PKCS1v15()
    if alg.startswith("PS"):
        pad = padding.PSS(padding.MGF1(digest), digest.digest_size)
    return bytes(key.sign(message, pad, digest))


def message_of(header: Any, payload: Any) -> str:
    """What is signed; bytes stand as they are, all else as JSON."""
    raw = (
        part if isinstance(part, bytes) else json.dumps(part).encode() for part in (header, payload)
    )
    return ".".join(map(base64url.encode, raw))


def token_of(
    payload: Any, alg: str = "HS256", which: int = 0, header: Any = None, **more: Any
) -> str:
    """A token that an honest issuer would make, but for `header` (all of it) or `more` of one."""
    plain = {"alg": alg, "kid": f"{alg}-{which}", "typ": "JWT", **more}
    message = message_of(plain if header is None else header, payload)
    return f"{message}.{base64url.encode(signature(alg, message.encode(), which))}"


def shared_token(payload: Any, header: Any = None, secret: str = SECRET) -> str:
    """An HS256 token of the issuer that shares SECRET."""
    message = message_of({"alg": "HS256", "typ": "JWT"} if header is None else header, payload)
    mac = hmac.digest(secret.encode(), message.encode(), "sha256")
    return f"{message}.{base64url.encode(mac)}"


def claims(**more: Any) -> dict[str, Any]:
    """Claims that hold for an hour; None leaves one out."""
    plain = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "user-1",
        "iat": int(NOW),
        "exp": int(NOW) + 3600,
        **more,
    }
    return {name: value for name, value in plain.items() if value is not None}


def shared_config(**more: Any) -> Config:
    """A gateway whose issuer shares SECRET."""
    return Config(auth=Auth(issuers=(Issuer(mode="hs256", secret=SECRET, **more),)))


def published_config(**more: Any) -> Config:
    """A gateway whose issuer publishes its keys."""
    issuer = Issuer(mode="jwks", issuer=ISSUER, audience=AUDIENCE, jwks_url=JWKS_URL, **more)
    return Config(auth=Auth(issuers=(issuer,)))


def request_with(*headers: tuple[str, str], query: str = "", client: str = "192.0.2.7") -> Request:
    return Request("POST", b"/v1/chat/completions", query=query, headers=headers, client=client)


def bearer(token: str, **more: Any) -> Request:
    return request_with(("authorization", f"Bearer {token}"), **more)
