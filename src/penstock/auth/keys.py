"""API keys and revocations: rows are the record, the meter's marks make them felt at once."""

from __future__ import annotations

import re
from collections.abc import Iterable
from hashlib import sha256

from msgspec import Struct

from penstock.auth import base64url, sql
from penstock.auth.caller import DEFAULT_TENANT, FREE
from penstock.auth.jwt import is_name
from penstock.auth.scopes import DEFAULT
from penstock.errors import BadRequest
from penstock.ports import Ids, Meter, Row, Tables

PREFIX = "pk-"
_SECRET_BYTES = 32
_SHAPE = re.compile(r"pk-[A-Za-z0-9_-]{43}", re.ASCII)
_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]{1,64}")
_LONGEST_LABEL = 128

HELD_SECONDS = 86_400
"""How long a revoked key is marked: longer than any cache or stream; then its row refuses it."""

KEPT_SECONDS = 86_400
"""After its end a revocation is kept for so long: clocks differ."""
SWEEP_ROWS = 500


class ApiKey(Struct, frozen=True, kw_only=True):
    """A key as it is kept: never the key itself. Times in seconds since the epoch, 0 = never."""

    id: str
    hash: str
    sub: str
    tenant: str
    tier: str
    scopes: frozenset[str]
    name: str
    created_at: float
    expires_at: float
    revoked_at: float


def hash_of(credential: str) -> str:
    """What a credential is revoked by: SHA-256 in hex of the key, or of what the token signs.

    Not of its signature too: from one ECDSA signature its holder can make a second, as good one.
    """
    return sha256((credential.rpartition(".")[0] or credential).encode()).hexdigest()


def looks_like_key(credential: str) -> bool:
    """Whether this could be one of our keys, told without asking any store."""
    return _SHAPE.fullmatch(credential) is not None


async def create(
    tables: Tables,
    ids: Ids,
    *,
    now: float,
    sub: str,
    tenant: str = DEFAULT_TENANT,
    tier: str = FREE,
    scopes: Iterable[str] = DEFAULT,
    name: str = "",
    expires_at: float = 0.0,
) -> tuple[str, ApiKey]:
    """Makes a key and returns it, this once, with its row; raises BadRequest for a bad name."""
    granted = frozenset(scopes)
    _check(sub, tenant, tier, name, granted)
    key = PREFIX + base64url.encode(ids.secret(_SECRET_BYTES))
    made = ApiKey(
        id=ids.new("key_"),
        hash=hash_of(key),
        sub=sub,
        tenant=tenant,
        tier=tier,
        scopes=granted,
        name=name,
        created_at=_ms(now) / 1000,
        expires_at=_ms(expires_at) / 1000,
        revoked_at=0.0,
    )
    values = (made.id, made.hash, sub, tenant, tier, " ".join(sorted(granted)), name)
    await tables.batch((sql.CREATE, (*values, _ms(now), _ms(expires_at))))
    return key, made


async def listing(
    tables: Tables, *, sub: str | None = None, tenant: str | None = None
) -> list[ApiKey]:
    """All keys, or those of a subject or a tenant, oldest first."""
    found: list[ApiKey] = []
    after: tuple[int, str] = (-1, "")
    while rows := await tables.rows(sql.PAGE, *after, sub or "", tenant or ""):
        found.extend(map(_key, rows))
        after = (rows[-1][7], rows[-1][0])
    return found


async def newest(tables: Tables, before: str, most: int, tenant: str = "") -> list[ApiKey]:
    """The newest first, of all or of a tenant, from those before a key's id."""
    return [_key(row) for row in await tables.rows(sql.NEWEST, before, tenant, most)]


async def find(tables: Tables, credential: str) -> ApiKey | None:
    """The key of this hash, whether it still holds or not."""
    rows = await tables.rows(sql.FIND, credential)
    return _key(rows[0]) if rows else None


async def revoke(tables: Tables, meter: Meter, key_id: str, *, now: float) -> ApiKey | None:
    """Ends a key everywhere, from the next request on; None where there is none. Repeatable."""
    until = now + HELD_SECONDS
    rows, _ = await tables.batch(
        (sql.REVOKE, (_ms(now), key_id)),
        (sql.RECORD_KEY, (_ms(until), _ms(now), key_id)),
    )
    if not rows:
        return None
    key = _key(rows[0])
    await meter.mark(key.hash, until)
    return key


async def revoke_token(
    tables: Tables, meter: Meter, credential: str, exp: float, *, now: float
) -> None:
    """Ends a token, by its hash, for the rest of its life."""
    if exp <= now:
        return
    until = _ms(exp) + 1
    await tables.batch((sql.RECORD, (credential, until, _ms(now))))
    await meter.mark(credential, until / 1000)


async def load_marks(tables: Tables, meter: Meter, *, now: float) -> int:
    """Marks every revocation that still counts, for a meter that came up empty; their number."""
    count = 0
    after = ""
    while rows := await tables.rows(sql.MARKS, _ms(now), after):
        for credential, until in rows:
            await meter.mark(credential, until / 1000)
        count += len(rows)
        after = rows[-1][0]
    return count


async def sweep(tables: Tables, *, now: float) -> bool:
    """Drops revocations of credentials that have ended by themselves long since; whether there may be more."""
    [swept] = await tables.batch((sql.SWEEP_REVOCATIONS, (_ms(now - KEPT_SECONDS), SWEEP_ROWS)))
    return len(swept) == SWEEP_ROWS


async def is_revoked(tables: Tables, credential: str, *, now: float) -> bool:
    """What the meter would say, read from the record while the meter is out of reach."""
    return bool(await tables.rows(sql.IS_REVOKED, credential, _ms(now)))


def _check(sub: str, tenant: str, tier: str, name: str, granted: frozenset[str]) -> None:
    for field, value in (("sub", sub), ("tenant", tenant), ("tier", tier)):
        if not is_name(value):
            raise BadRequest(
                f"'{field}' must be 1 to 256 printable characters.",
                code="invalid_field",
                param=field,
            )
    if len(name) > _LONGEST_LABEL or not name.isprintable():
        raise BadRequest(
            f"'name' must be at most {_LONGEST_LABEL} printable characters.",
            code="invalid_field",
            param="name",
        )
    if not all(_SCOPE.fullmatch(scope) for scope in granted):
        raise BadRequest("A scope is a word such as 'chat'.", code="invalid_field", param="scopes")


def _key(row: Row) -> ApiKey:
    key_id, credential, sub, tenant, tier, granted, name, created, expires, revoked = row
    return ApiKey(
        id=key_id,
        hash=credential,
        sub=sub,
        tenant=tenant,
        tier=tier,
        scopes=frozenset(granted.split()),
        name=name,
        created_at=created / 1000,
        expires_at=expires / 1000,
        revoked_at=revoked / 1000,
    )


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
