"""What is WebCrypto's own about `Crypto`: its keys are imported once, and kept up to a bound."""

from __future__ import annotations

import pytest

from penstock.platforms.memory.world import FakeClock
from tests.contract.test_crypto import ALGORITHMS, MESSAGE, sign_eddsa, sign_rsa, signed
from tests.edge.home import EdgeHome, port

MOST_KEYS = 256


async def test_keys_are_kept_up_to_a_bound(edge_home: EdgeHome) -> None:
    crypto = await port(edge_home, FakeClock(), "crypto")
    for _ in range(MOST_KEYS + 4):
        jwk, signature = sign_eddsa()
        assert await crypto.verify("EdDSA", jwk, MESSAGE, signature)
        assert await crypto.verify("EdDSA", jwk, MESSAGE, signature)
    assert await crypto.kept() == MOST_KEYS


@pytest.mark.parametrize("alg", ALGORITHMS)
async def test_what_a_key_says_of_its_use_is_not_asked(edge_home: EdgeHome, alg: str) -> None:
    """A JWKS names use, operations and algorithm: the caller has looked at them, WebCrypto must not refuse them."""
    crypto = await port(edge_home, FakeClock(), "crypto")
    jwk, signature = signed(alg)
    told = jwk | {"use": "enc", "key_ops": ["sign"], "alg": "none", "ext": False, "kid": "a"}
    assert await crypto.verify(alg, told, MESSAGE, signature)


async def test_an_exponent_of_one_verifies_nothing(edge_home: EdgeHome) -> None:
    crypto = await port(edge_home, FakeClock(), "crypto")
    jwk, _ = sign_rsa("RS256")
    for exponent in ("AQ", "AAAA", ""):
        assert not await crypto.verify("RS256", jwk | {"e": exponent}, MESSAGE, bytes(256))
