"""What every Crypto keeps to: the signatures that JSON Web Tokens use, and nothing else."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils

from penstock.platforms import crypto
from penstock.platforms.crypto import Signatures
from penstock.ports import Crypto
from tests.contract import edges

MESSAGE = b"header.payload"
HASHES = {"256": hashes.SHA256(), "384": hashes.SHA384(), "512": hashes.SHA512()}
CURVES = {
    "ES256": ("P-256", ec.SECP256R1()),
    "ES384": ("P-384", ec.SECP384R1()),
    "ES512": ("P-521", ec.SECP521R1()),
}
ALGORITHMS = [*(kind + size for kind in ("RS", "PS") for size in HASHES), *CURVES, "EdDSA"]

Signed = tuple[dict[str, Any], bytes]
CRYPTOS: dict[str, Callable[[], Signatures]] = {"memory and embedded": Signatures}


@pytest.fixture(params=[*CRYPTOS, *edges.CRYPTOS])
async def port(request) -> Crypto:
    if request.param not in edges.CRYPTOS:
        return CRYPTOS[request.param]()
    if request.node.originalname in edges.UNFIT:
        pytest.skip(edges.UNFIT[request.node.originalname])
    home = request.getfixturevalue(edges.CRYPTOS[request.param])
    return await edges.crypto(home)


def text(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def number(value: int, size: int = 0) -> str:
    return text(value.to_bytes(size or (value.bit_length() + 7) // 8, "big"))


@cache
def rsa_key(bits: int = 2048) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, bits)


def rsa_jwk(key: rsa.RSAPrivateKey) -> dict[str, Any]:
    numbers = key.public_key().public_numbers()
    return {"kty": "RSA", "n": number(numbers.n), "e": number(numbers.e)}


def sign_rsa(alg: str, bits: int = 2048) -> Signed:
    key, algorithm = rsa_key(bits), HASHES[alg[2:]]
    pad: padding.AsymmetricPadding = padding.PKCS1v15()
    if alg[0] == "P":
        pad = padding.PSS(padding.MGF1(algorithm), algorithm.digest_size)
    return rsa_jwk(key), key.sign(MESSAGE, pad, algorithm)


def sign_ec(alg: str) -> Signed:
    name, curve = CURVES[alg]
    key, size = ec.generate_private_key(curve), (curve.key_size + 7) // 8
    algorithm = HASHES["512" if alg == "ES512" else alg[2:]]
    r, s = utils.decode_dss_signature(key.sign(MESSAGE, ec.ECDSA(algorithm)))
    numbers = key.public_key().public_numbers()
    jwk = {"kty": "EC", "crv": name, "x": number(numbers.x, size), "y": number(numbers.y, size)}
    return jwk, r.to_bytes(size, "big") + s.to_bytes(size, "big")


def sign_eddsa() -> Signed:
    key = ed25519.Ed25519PrivateKey.generate()
    jwk = {"kty": "OKP", "crv": "Ed25519", "x": text(key.public_key().public_bytes_raw())}
    return jwk, key.sign(MESSAGE)


@cache
def signed(alg: str) -> Signed:
    if alg in CURVES:
        return sign_ec(alg)
    return sign_eddsa() if alg == "EdDSA" else sign_rsa(alg)


@pytest.mark.parametrize("alg", ALGORITHMS)
async def test_a_good_signature_holds_and_any_change_breaks_it(port, alg: str) -> None:
    jwk, signature = signed(alg)
    assert await port.verify(alg, jwk, MESSAGE, signature)
    assert await port.verify(alg, jwk, MESSAGE, signature)
    flipped = bytes([signature[0] ^ 1]) + signature[1:]
    for broken in (flipped, signature[:-1], signature + b"\0", b"\0" + signature, b""):
        assert not await port.verify(alg, jwk, MESSAGE, broken)
    assert not await port.verify(alg, jwk, MESSAGE + b".", signature)
    assert not await port.verify(alg, jwk, MESSAGE, bytes(len(signature)))


@pytest.mark.parametrize("alg", ALGORITHMS)
async def test_a_key_is_good_for_its_own_algorithm_alone(port, alg: str) -> None:
    jwk, signature = signed(alg)
    for other in {*ALGORITHMS, "none", "HS256", "", "Ed25519", "ES256K", "RS1"} - {alg}:
        assert not await port.verify(other, jwk, MESSAGE, signature)


async def test_a_der_signature_is_none(port) -> None:
    jwk, raw = signed("ES256")
    half = len(raw) // 2
    r, s = int.from_bytes(raw[:half], "big"), int.from_bytes(raw[half:], "big")
    assert not await port.verify("ES256", jwk, MESSAGE, utils.encode_dss_signature(r, s))


async def test_a_short_key_is_refused(port) -> None:
    jwk, signature = sign_rsa("RS256", 1024)
    assert not await port.verify("RS256", jwk, MESSAGE, signature)


@pytest.mark.parametrize(
    ("alg", "change"),
    [
        ("RS256", {"n": None}),
        ("RS256", {"e": "AA"}),
        ("RS256", {"e": "Ag"}),
        ("RS256", {"n": "not base64!"}),
        ("RS256", {"n": 5}),
        ("RS256", {"kty": "EC"}),
        ("ES256", {"x": "AAAA"}),
        ("ES256", {"crv": "P-384"}),
        ("ES256", {"crv": ["P-256"]}),
        ("ES256", {"y": ""}),
        ("EdDSA", {"x": "AAAA"}),
        ("EdDSA", {"crv": "Ed448"}),
        ("EdDSA", {"x": {}}),
    ],
)
async def test_a_malformed_key_verifies_nothing(port, alg: str, change: dict[str, Any]) -> None:
    jwk, signature = signed(alg)
    assert not await port.verify(alg, jwk | change, MESSAGE, signature)


async def test_a_point_off_its_curve_verifies_nothing(port) -> None:
    jwk, signature = signed("ES256")
    assert not await port.verify("ES256", jwk | {"y": number(1, 32)}, MESSAGE, signature)


async def test_keys_are_kept_up_to_a_bound(port, monkeypatch) -> None:
    parsed = []

    def parse(alg: str, jwk: dict[str, Any]):
        parsed.append(jwk["x"])
        return real(alg, jwk)

    real = crypto.parse
    monkeypatch.setattr(crypto, "parse", parse)
    monkeypatch.setattr(crypto, "MOST_KEYS", 2)
    keys = [sign_eddsa() for _ in range(3)]
    for index in (0, 0, 1, 0, 2, 0, 1):
        assert await port.verify("EdDSA", keys[index][0], MESSAGE, keys[index][1])
    assert parsed == [keys[index][0]["x"] for index in (0, 1, 2, 1)]


KEY, NONCE, BOUND = bytes(range(32)), bytes(12), b"tenant and provider"


async def test_what_is_sealed_opens_where_it_belongs(port: Crypto) -> None:
    for plain in (b"", b"sk-secret", bytes(4096)):
        sealed = await port.seal(KEY, NONCE, plain, BOUND)
        assert len(sealed) == len(plain) + 16
        assert await port.open(KEY, NONCE, sealed, BOUND) == plain


async def test_sealing_is_aes_256_gcm(port: Crypto) -> None:
    """NIST's test case 16, of a key of 256 bits with additional data."""
    key = bytes.fromhex("feffe9928665731c6d6a8f9467308308" * 2)
    plain = bytes.fromhex(
        "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
        "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39"
    )
    bound = bytes.fromhex("feedfacedeadbeeffeedfacedeadbeefabaddad2")
    sealed = await port.seal(key, bytes.fromhex("cafebabefacedbaddecaf888"), plain, bound)
    assert sealed.hex() == (
        "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
        "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662"
        "76fc6ece0f4e1768cddf8853bb2d551b"
    )


async def test_nothing_opens_that_is_not_as_it_was(port: Crypto) -> None:
    sealed = await port.seal(KEY, NONCE, b"sk-secret", BOUND)
    other = bytes(32)
    changed = bytes([sealed[0] ^ 1]) + sealed[1:]
    assert await port.open(other, NONCE, sealed, BOUND) is None
    assert await port.open(KEY, bytes([1] * 12), sealed, BOUND) is None
    assert await port.open(KEY, NONCE, sealed, b"another tenant") is None
    for bad in (changed, sealed[:-1], sealed[:15], b""):
        assert await port.open(KEY, NONCE, bad, BOUND) is None
