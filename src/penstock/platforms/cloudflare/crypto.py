"""Public-key signatures and sealing by WebCrypto."""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode
from collections import OrderedDict
from typing import Any

import msgspec

from penstock.platforms.cloudflare import values

MOST_KEYS = 256
"""Imported keys that are kept."""
BASE64URL = re.compile(r"[A-Za-z0-9_-]+")
RSA_BITS = range(2048, 8193)
"""As `platforms/crypto.py`: shorter keys are weak, longer ones cost a verifier too much."""
HASHES = frozenset({"256", "384", "512"})
CURVES = {
    "ES256": ("P-256", 32, "SHA-256"),
    "ES384": ("P-384", 48, "SHA-384"),
    "ES512": ("P-521", 66, "SHA-512"),
}
"""An algorithm's curve, the bytes of a coordinate, and its hash."""
ED25519 = {"name": "Ed25519"}
GCM = "AES-GCM"

Parameters = dict[str, Any]


class Parsed(msgspec.Struct, frozen=True):
    """A key that fits its algorithm: what WebCrypto is told of it, and how long its signatures are."""

    jwk: dict[str, str]
    imported: Parameters
    verified: Parameters
    size: int


class CloudflareCrypto:
    """`Crypto` for RS256/384/512, PS256/384/512, ES256/384/512 and EdDSA (Ed25519), with the strictness of `Signatures`.

    Its keys are one request's, or one isolate's: a CryptoKey is no I/O, and may be kept.
    """

    def __init__(self) -> None:
        self._keys: OrderedDict[str, tuple[Parsed, Any]] = OrderedDict()

    async def verify(self, alg: str, jwk: dict[str, Any], message: bytes, signature: bytes) -> bool:
        try:
            parsed, key = await self._key(alg, jwk)
            if len(signature) != parsed.size:
                return False
            told = values.options(parsed.verified)
            given, signed = values.value(signature), values.value(message)
            return bool(await values.subtle.verify(told, key, given, signed))
        except (values.JsException, ValueError, TypeError, KeyError):
            return False

    async def seal(self, key: bytes, nonce: bytes, plain: bytes, bound: bytes) -> bytes:
        imported = await self._sealing(key)
        told, given = _gcm(nonce, bound), values.value(plain)
        return values.content(await values.subtle.encrypt(told, imported, given)) or b""

    async def open(self, key: bytes, nonce: bytes, sealed: bytes, bound: bytes) -> bytes | None:
        imported = await self._sealing(key)
        told, given = _gcm(nonce, bound), values.value(sealed)
        try:
            return values.content(await values.subtle.decrypt(told, imported, given))
        except values.JsException:
            return None

    async def _sealing(self, key: bytes) -> Any:
        uses = values.array(["encrypt", "decrypt"])
        told = values.options({"name": GCM})
        return await values.subtle.importKey("raw", values.value(key), told, False, uses)

    async def _key(self, alg: str, jwk: dict[str, Any]) -> tuple[Parsed, Any]:
        members = [jwk.get(name) for name in ("kty", "crv", "n", "e", "x", "y")]
        name = msgspec.json.encode([alg, members]).decode()
        found = self._keys.get(name)
        if found is not None:
            self._keys.move_to_end(name)
            return found
        parsed = parse(alg, jwk)
        key = await values.subtle.importKey(
            "jwk",
            values.options(parsed.jwk),
            values.options(parsed.imported),
            False,
            values.array(["verify"]),
        )
        self._keys[name] = parsed, key
        if len(self._keys) > MOST_KEYS:
            self._keys.popitem(last=False)
        return parsed, key


def _gcm(nonce: bytes, bound: bytes) -> Any:
    iv, data = values.value(nonce), values.value(bound)
    return values.options({"name": GCM, "iv": iv, "additionalData": data})


def parse(alg: str, jwk: dict[str, Any]) -> Parsed:
    """What WebCrypto needs for that key and algorithm; raises ValueError, TypeError or KeyError for a key unfit for it."""
    if alg == "EdDSA" and (jwk["kty"], jwk["crv"]) == ("OKP", "Ed25519"):
        told = _members(jwk, {"x": 32})
        return Parsed(told | {"kty": "OKP", "crv": "Ed25519"}, ED25519, ED25519, 64)
    if alg in CURVES and (jwk["kty"], jwk["crv"]) == ("EC", CURVES[alg][0]):
        curve, size, digest = CURVES[alg]
        told = _members(jwk, {"x": size, "y": size}) | {"kty": "EC", "crv": curve}
        return Parsed(
            told,
            {"name": "ECDSA", "namedCurve": curve},
            {"name": "ECDSA", "hash": digest},
            2 * size,
        )
    if alg[:2] in ("RS", "PS") and alg[2:] in HASHES and jwk["kty"] == "RSA":
        return _rsa(alg, jwk)
    raise ValueError("The key does not fit the algorithm.")


def _rsa(alg: str, jwk: dict[str, Any]) -> Parsed:
    modulus = _bytes(jwk["n"])
    exponent = int.from_bytes(_bytes(jwk["e"]), "big")
    bits = int.from_bytes(modulus, "big").bit_length()
    if bits not in RSA_BITS or exponent < 3 or not exponent % 2:
        raise ValueError("The key is too short, too long or has an exponent that is none.")
    kind = "RSA-PSS" if alg[0] == "P" else "RSASSA-PKCS1-v1_5"
    verified: Parameters = {"name": kind}
    if alg[0] == "P":
        verified["saltLength"] = int(alg[2:]) // 8
    told = {"kty": "RSA", "n": jwk["n"], "e": jwk["e"]}
    return Parsed(told, {"name": kind, "hash": f"SHA-{alg[2:]}"}, verified, (bits + 7) // 8)


def _members(jwk: dict[str, Any], sizes: dict[str, int]) -> dict[str, str]:
    """These members of a key, each of its exact length."""
    if any(len(_bytes(jwk[name])) != size for name, size in sizes.items()):
        raise ValueError("A member of the key has the wrong length.")
    return {name: jwk[name] for name in sizes}


def _bytes(text: str) -> bytes:
    """Strict base64url without padding; raises ValueError, TypeError."""
    if not BASE64URL.fullmatch(text):
        raise ValueError("A member of the key is not base64url.")
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))
