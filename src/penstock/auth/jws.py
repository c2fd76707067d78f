"""Signed messages in compact form (RFC 7515), read as strictly as RFC 8725 asks."""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import Struct

from penstock.auth import base64url, jwk
from penstock.auth.jwk import Key
from penstock.errors import BadRequest
from penstock.ports import Crypto
from penstock.wire.json import decode_object

LONGEST = 8192
_TYPES = frozenset({"jwt", "at+jwt"})
_LONGEST_KID = 256
# Keys that a token brings along, and extensions that change what is signed.
_REFUSED = frozenset({"jwk", "jku", "x5u", "x5c", "crit", "b64", "zip"})


class Signed(Struct, frozen=True):
    """A message that nobody has checked yet."""

    alg: str
    kid: str | None
    payload: bytes
    message: bytes
    """What the signature is of."""
    signature: bytes


def read(token: str) -> Signed | None:
    """The parts of a compact JWS, or None for anything that is not exactly one."""
    if len(token) > LONGEST or not token.isascii():
        return None
    parts = token.split(".")
    if len(parts) != 3:
        return None
    head, payload, signature = (base64url.decode(part) for part in parts)
    if head is None or payload is None or not signature:
        return None
    header = read_object(head)
    if header is None or not _plain(header):
        return None
    message = token[: token.rindex(".")].encode()
    return Signed(header["alg"], header.get("kid"), payload, message, signature)


def read_object(data: bytes) -> dict[str, Any] | None:
    """A JSON object without a name twice, or None."""
    try:
        return decode_object(data)[0]
    except BadRequest:
        return None


async def check(signed: Signed, key: Key, crypto: Crypto) -> bool:
    """Whether this key made the signature; algorithm, key id and sizes must fit first."""
    if signed.alg != key.alg or len(signed.signature) != key.signature_bytes:
        return False
    if None not in (signed.kid, key.kid) and signed.kid != key.kid:
        return False
    if key.jwk["kty"] == "oct":
        return right_mac(signed, base64url.decode(key.jwk["k"]) or b"")
    if key.jwk["kty"] == "EC" and not _nonzero_halves(signed.signature):
        return False
    return await crypto.verify(signed.alg, key.jwk, signed.message, signed.signature)


async def verify(
    token: str, key: Mapping[str, Any], algorithms: Iterable[str], crypto: Crypto
) -> bytes | None:
    """The payload of a token that this JWK signed with one of these algorithms, else None."""
    signed = read(token)
    if signed is None or signed.alg not in algorithms:
        return None
    fitting = jwk.fit(key, signed.alg)
    if fitting is None or not await check(signed, fitting, crypto):
        return None
    return signed.payload


def right_mac(signed: Signed, secret: bytes) -> bool:
    """Whether an HS256, HS384 or HS512 message was made with this secret."""
    mac = hmac.digest(secret, signed.message, f"sha{signed.alg[2:]}")
    return hmac.compare_digest(mac, signed.signature)


def _plain(header: dict[str, Any]) -> bool:
    kid = header.get("kid", "")
    kind = header.get("typ", "jwt")
    return (
        isinstance(header.get("alg"), str)
        and isinstance(kid, str)
        and len(kid) <= _LONGEST_KID
        and isinstance(kind, str)
        and kind.lower() in _TYPES
        and not _REFUSED & header.keys()
    )


def _nonzero_halves(signature: bytes) -> bool:
    half = len(signature) // 2
    return any(signature[:half]) and any(signature[half:])
