"""Who signs the tokens: one shared secret beside the gateway, Ed25519 keys with a JWKS where the service runs alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple, Protocol

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from penstock.auth import base64url, jwk
from penstock.auth.jwt import Authority, Tokens
from penstock.auth.mint import mint
from penstock.config import Issuer
from penstock.errors import Conflict, Misconfigured
from penstock.ports import Platform
from penstock.wire.json import encode
from penstock_services.auth import sql
from penstock_services.callers import LEEWAY_SECONDS, shared
from penstock_services.web import now_ms

ACCESS_SECONDS = 900
HOUR_MS = 3_600_000
LIFE_MS = 30 * 24 * HOUR_MS
"""After that a key gets a successor."""
LEAD_MS = 2 * HOUR_MS
"""A successor is published so long before it signs: a gateway reads the keys anew every hour."""
TAIL_MS = (ACCESS_SECONDS + LEEWAY_SECONDS) * 1000 + HOUR_MS
"""A key that signs no more is published so long: until the last of its tokens has ended."""
FRESH_SECONDS = 60.0
"""How long keys are believed before the tables are asked again: another process may have made one."""
NONCE_BYTES = 12


class Signer(Protocol):
    """Signs the service's tokens and reads them again."""

    async def sign(self, claims: Mapping[str, Any]) -> str: ...
    async def read(self, token: str) -> dict[str, Any]:
        """The claims of a token of its own; raises Unauthorized."""

    async def published(self) -> list[dict[str, Any]]:
        """The public keys as JWK."""


class Shared:
    """HS256 by the gateway's own secret, so that a login and `penstock token` are of one issuer."""

    def __init__(self, issuer: Issuer, world: Platform) -> None:
        self._issuer = issuer
        self._clock = world.clock
        self._tokens = shared(issuer, world.crypto)

    async def sign(self, claims: Mapping[str, Any]) -> str:
        named = marked(claims, self._issuer.issuer, self._issuer.audience)
        now = self._clock.now()
        return mint(named, self._issuer.secret, now=now, lifetime=ACCESS_SECONDS)

    async def read(self, token: str) -> dict[str, Any]:
        return await self._tokens.claims(token, self._clock.now())

    async def published(self) -> list[dict[str, Any]]:
        return []


class KeyRow(NamedTuple):
    """One key as the tables keep it; times in milliseconds."""

    number: int
    kid: str
    public: str
    sealed: str
    created_at: int


class Plan(NamedTuple):
    """Which of the keys signs, which are published, which are dropped, and whether one more is due."""

    signer: KeyRow | None
    published: tuple[KeyRow, ...]
    dropped: tuple[KeyRow, ...]
    due: bool


def plan(keys: Sequence[KeyRow], now: int) -> Plan:
    """By their ages alone: the newest that was published long enough signs, the first one at once."""
    ripe = [key for key in keys if key.created_at + LEAD_MS <= now] or list(keys[:1])
    signer = ripe[-1] if ripe else None
    over = now - LEAD_MS - TAIL_MS
    published = tuple(
        key
        for place, key in enumerate(keys, 1)
        if place == len(keys) or keys[place].created_at > over
    )
    dropped = tuple(key for key in keys if key not in published)
    due = not keys or keys[-1].created_at + LIFE_MS <= now
    return Plan(signer, published, dropped, due)


class Keys:
    """Ed25519 keys in the service's tables, made on the first run and replaced every month, with an overlap."""

    def __init__(self, issuer: Issuer, world: Platform) -> None:
        self._issuer = issuer
        self._world = world
        self._seal = ChaCha20Poly1305(
            HKDF(SHA256(), 32, None, b"penstock signing keys").derive(world.secret)
        )
        self._tokens = Tokens([Authority(issuer, world.crypto, self)], LEEWAY_SECONDS)
        self._plan = plan((), 0)
        self._read_at: float | None = None

    async def sign(self, claims: Mapping[str, Any]) -> str:
        signer = (await self._current()).signer
        assert signer is not None
        now = int(self._world.clock.now())
        body = marked(claims, self._issuer.issuer, self._issuer.audience)
        body |= {"iat": now, "exp": now + ACCESS_SECONDS}
        head = {"alg": "EdDSA", "typ": "JWT", "kid": signer.kid}
        message = ".".join(base64url.encode(encode(part)) for part in (head, body))
        return f"{message}.{base64url.encode(self._opened(signer).sign(message.encode()))}"

    async def read(self, token: str) -> dict[str, Any]:
        return await self._tokens.claims(token, self._world.clock.now())

    async def published(self) -> list[dict[str, Any]]:
        return [public_jwk(key) for key in (await self._current()).published]

    async def find(self, kid: str | None, alg: str) -> jwk.Key | None:
        """As penstock's own reader of tokens asks for a key."""
        for key in (await self._current()).published:
            if key.kid == kid:
                return jwk.fit(public_jwk(key), alg)
        return None

    async def _current(self) -> Plan:
        tick = self._world.clock.tick()
        if self._read_at is None or tick - self._read_at >= FRESH_SECONDS:
            self._plan = await self._renewed()
            self._read_at = tick
        return self._plan

    async def _renewed(self) -> Plan:
        now = now_ms(self._world)
        made = plan(keys := await self._rows(), now)
        if made.due:
            key = self._made(keys[-1].number + 1 if keys else 1, now)
            # Where another process was first, its key is as good.
            with suppress(Conflict):
                await self._world.tables.batch((sql.NEW_KEY, key))
            made = plan(await self._rows(), now)
        if made.dropped:
            await self._world.tables.batch(*((sql.DROP_KEY, (k.number,)) for k in made.dropped))
        return made

    async def _rows(self) -> list[KeyRow]:
        return [KeyRow(*row) for row in await self._world.tables.rows(sql.KEYS)]

    def _made(self, number: int, now: int) -> KeyRow:
        seed, nonce = self._world.ids.secret(32), self._world.ids.secret(NONCE_BYTES)
        public = Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()
        kid = self._world.ids.new("key_")
        sealed = nonce + self._seal.encrypt(nonce, seed, kid.encode())
        return KeyRow(number, kid, base64url.encode(public), base64url.encode(sealed), now)

    def _opened(self, key: KeyRow) -> Ed25519PrivateKey:
        sealed = base64url.decode(key.sealed) or b""
        try:
            seed = self._seal.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], key.kid.encode())
        except Exception as error:
            raise Misconfigured(
                "The signing keys were sealed with another secret: restore SERVICES_SECRET, or the"
                " file `secret` in the data directory."
            ) from error
        return Ed25519PrivateKey.from_private_bytes(seed)


def public_jwk(key: KeyRow) -> dict[str, Any]:
    """The public half as it is published."""
    marks = {"kid": key.kid, "alg": "EdDSA", "use": "sig"}
    return {"kty": "OKP", "crv": "Ed25519", "x": key.public, **marks}


def marked(claims: Mapping[str, Any], issuer: str, audience: str) -> dict[str, Any]:
    """The claims with `iss` and `aud`, where there are such."""
    marks = {"iss": issuer, "aud": audience}
    return {**claims, **{name: mark for name, mark in marks.items() if mark}}
