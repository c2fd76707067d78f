"""Public-key signatures and sealing on CPython, by the `cryptography` library."""

from __future__ import annotations

import json
import re
from base64 import urlsafe_b64decode
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from cryptography.exceptions import InvalidSignature, InvalidTag, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

MOST_KEYS = 256
"""Parsed keys that are kept."""
BASE64URL = re.compile(r"[A-Za-z0-9_-]*")
RSA_BITS = range(2048, 8193)
"""Shorter keys are weak, longer ones cost a verifier too much."""

Check = Callable[[bytes, bytes], None]
"""Of a message and a signature; raises InvalidSignature."""

HASHES: dict[str, hashes.HashAlgorithm] = {
    "256": hashes.SHA256(),
    "384": hashes.SHA384(),
    "512": hashes.SHA512(),
}
CURVES: dict[str, tuple[str, ec.EllipticCurve]] = {
    "ES256": ("P-256", ec.SECP256R1()),
    "ES384": ("P-384", ec.SECP384R1()),
    "ES512": ("P-521", ec.SECP521R1()),
}


class Signatures:
    """`Crypto` for RS256/384/512, PS256/384/512, ES256/384/512 and EdDSA (Ed25519).

    False for whatever is not a good signature by that key: also where the algorithm is none of these, the key is of
    another type, malformed, too small or on another curve, or an ECDSA signature is not r‖s at its exact length.
    """

    def __init__(self) -> None:
        self._checks: OrderedDict[str, Check] = OrderedDict()

    async def verify(self, alg: str, jwk: dict[str, Any], message: bytes, signature: bytes) -> bool:
        try:
            self._check(alg, jwk)(message, signature)
        except (InvalidSignature, UnsupportedAlgorithm, ValueError, TypeError, KeyError):
            return False
        return True

    async def seal(self, key: bytes, nonce: bytes, plain: bytes, bound: bytes) -> bytes:
        return AESGCM(key).encrypt(nonce, plain, bound)

    async def open(self, key: bytes, nonce: bytes, sealed: bytes, bound: bytes) -> bytes | None:
        try:
            return AESGCM(key).decrypt(nonce, sealed, bound)
        except InvalidTag:
            return None

    def _check(self, alg: str, jwk: dict[str, Any]) -> Check:
        members = [jwk.get(name) for name in ("kty", "crv", "n", "e", "x", "y")]
        key = json.dumps([alg, *members])
        check = self._checks.get(key)
        if check is None:
            check = parse(alg, jwk)
            self._checks[key] = check
            if len(self._checks) > MOST_KEYS:
                self._checks.popitem(last=False)
        else:
            self._checks.move_to_end(key)
        return check


def parse(alg: str, jwk: dict[str, Any]) -> Check:
    """How that key checks that algorithm; raises ValueError, TypeError or KeyError for a key unfit for it."""
    if alg == "EdDSA" and (jwk["kty"], jwk["crv"]) == ("OKP", "Ed25519"):
        return _eddsa(jwk)
    if alg in CURVES and (jwk["kty"], jwk["crv"]) == ("EC", CURVES[alg][0]):
        return _ecdsa(alg, jwk)
    if alg[:2] in ("RS", "PS") and alg[2:] in HASHES and jwk["kty"] == "RSA":
        return _rsa(alg, jwk)
    raise ValueError("The key does not fit the algorithm.")


def _eddsa(jwk: dict[str, Any]) -> Check:
    public = ed25519.Ed25519PublicKey.from_public_bytes(_bytes(jwk["x"]))
    return lambda message, signature: public.verify(signature, message)


def _ecdsa(alg: str, jwk: dict[str, Any]) -> Check:
    curve = CURVES[alg][1]
    size = (curve.key_size + 7) // 8
    x, y = _bytes(jwk["x"]), _bytes(jwk["y"])
    if len(x) != size or len(y) != size:
        raise ValueError("A coordinate has the wrong length.")
    public = ec.EllipticCurvePublicNumbers(_number(x), _number(y), curve).public_key()
    algorithm = ec.ECDSA(HASHES["512" if alg == "ES512" else alg[2:]])

    def check(message: bytes, signature: bytes) -> None:
        if len(signature) != 2 * size:
            raise InvalidSignature
        r, s = _number(signature[:size]), _number(signature[size:])
        public.verify(utils.encode_dss_signature(r, s), message, algorithm)

    return check


def _rsa(alg: str, jwk: dict[str, Any]) -> Check:
    numbers = rsa.RSAPublicNumbers(_number(_bytes(jwk["e"])), _number(_bytes(jwk["n"])))
    public = numbers.public_key()
    if public.key_size not in RSA_BITS:
        raise ValueError("The key is too short or too long.")
    algorithm = HASHES[alg[2:]]
    pad: padding.AsymmetricPadding = padding.PKCS1v15()
    if alg.startswith("PS"):
        pad = padding.PSS(padding.MGF1(algorithm), algorithm.digest_size)
    return lambda message, signature: public.verify(signature, message, pad, algorithm)


def _bytes(text: str) -> bytes:
    """Strict base64url without padding; raises ValueError."""
    if not BASE64URL.fullmatch(text):
        raise ValueError("A member of the key is not base64url.")
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _number(data: bytes) -> int:
    return int.from_bytes(data, "big")
