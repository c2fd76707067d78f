"""Sealing: what is kept so that only who has a master key can read it, and only where it belongs."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

from msgspec import Struct

from penstock.auth import base64url
from penstock.ports import Crypto

NONCE_BYTES = 12
ID_DIGITS = 12


class Master(Struct, frozen=True):
    """A key that others are sealed with. Its id tells it from others, and nothing of it."""

    id: str
    key: bytes


class Sealed(Struct, frozen=True):
    """A sealed secret as it is kept, and the id of the master key that opens it."""

    master: str
    text: str


def masters(secrets: Sequence[bytes]) -> tuple[Master, ...]:
    """The master keys that follow from some secrets, the newest first."""
    return tuple([Master(_named(one), _derived(b"key", one)) for one in secrets])


async def seal(
    crypto: Crypto, master: Master, nonce: bytes, secret: str, place: Sequence[str]
) -> Sealed:
    """A secret that opens at this place alone. The nonce is random, and never used again."""
    assert len(nonce) == NONCE_BYTES
    data = await crypto.seal(master.key, nonce, secret.encode(), _bound(place))
    return Sealed(master.id, base64url.encode(nonce + data))


async def opened(
    crypto: Crypto, known: Sequence[Master], sealed: Sealed, place: Sequence[str]
) -> str | None:
    """The secret; None where no master key of ours opens it, or it was sealed for another place."""
    master = next((one for one in known if one.id == sealed.master), None)
    if master is None:
        return None
    data = base64url.decode(sealed.text)
    if data is None or len(data) <= NONCE_BYTES:
        return None
    plain = await crypto.open(master.key, data[:NONCE_BYTES], data[NONCE_BYTES:], _bound(place))
    return None if plain is None else plain.decode()


def _named(secret: bytes) -> str:
    return _derived(b"id", secret).hex()[:ID_DIGITS]


def _derived(use: bytes, secret: bytes) -> bytes:
    """32 bytes for one use of a secret that is random enough by itself."""
    return sha256(b"penstock master " + use + b"\0" + secret).digest()


def _bound(place: Sequence[str]) -> bytes:
    """Names in a row, none of which can run into the next."""
    return b"".join([len(name.encode()).to_bytes(4, "big") + name.encode() for name in place])
