"""Keys that tenants have of their own at providers: kept sealed, bound to tenant and provider, and never shown again."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from penstock.auth import sealing, sql
from penstock.auth.jwt import is_name
from penstock.auth.sealing import NONCE_BYTES, Master, Sealed
from penstock.errors import BadRequest
from penstock.ports import Crypto, Ids, Row, Statement, Tables

SHORTEST, LONGEST = 16, 4_096
"""Of a key, in characters: of a shorter one its last four would say too much."""
SHOWN = 4


class TenantKey(Struct, frozen=True):
    """A key as it is kept. `at` is when it was put there, in seconds since the epoch."""

    tenant: str
    provider: str
    sealed: Sealed
    last4: str
    at: float

    @property
    def place(self) -> tuple[str, str]:
        """What it is sealed to: in another tenant's row it does not open."""
        return self.tenant, self.provider


async def made(
    crypto: Crypto, ids: Ids, master: Master, tenant: str, provider: str, key: str, now: float
) -> TenantKey:
    """A key, sealed; raises BadRequest for what cannot be one."""
    if not is_name(tenant):
        raise _refused("'tenant' must be 1 to 256 printable characters.", "tenant")
    plain = key.isascii() and key.isprintable() and " " not in key
    if not (plain and SHORTEST <= len(key) <= LONGEST):
        raise _refused(
            f"'key' must be {SHORTEST} to {LONGEST} printable ASCII characters without spaces.",
            "key",
        )
    nonce = ids.secret(NONCE_BYTES)
    sealed = await sealing.seal(crypto, master, nonce, key, (tenant, provider))
    return TenantKey(tenant, provider, sealed, key[-SHOWN:], round(now * 1000) / 1000)


async def opened(crypto: Crypto, known: Sequence[Master], key: TenantKey) -> str | None:
    """The key itself; None where it does not open."""
    return await sealing.opened(crypto, known, key.sealed, key.place)


def put(key: TenantKey) -> Statement:
    """Keeps a key, in the place of the one before it."""
    values = (key.tenant, key.provider, key.sealed.master, key.sealed.text, key.last4)
    return sql.PUT_OWN, (*values, round(key.at * 1000))


def drop(tenant: str, provider: str) -> Statement:
    """Forgets a key; returns a row where there was one."""
    return sql.DROP_OWN, (tenant, provider)


def resealed(key: TenantKey, anew: Sealed) -> Statement:
    """The same key under another master key, unless it was changed meanwhile."""
    values = (anew.master, anew.text, key.tenant, key.provider, key.sealed.text)
    return sql.RESEAL_OWN, values


async def of_tenant(tables: Tables, tenant: str) -> list[TenantKey]:
    """All keys of a tenant."""
    return [_key(row) for row in await tables.rows(sql.OWN_OF, tenant)]


async def listing(tables: Tables, tenant: str = "") -> list[TenantKey]:
    """All keys, or those of a tenant."""
    found: list[TenantKey] = []
    after = ("", "")
    while rows := await tables.rows(sql.PAGE_OWN, *after, tenant):
        found.extend(map(_key, rows))
        after = found[-1].place
    return found


def _key(row: Row) -> TenantKey:
    tenant, provider, master, text, last4, at = row
    return TenantKey(tenant, provider, Sealed(master, text), last4, at / 1000)


def _refused(message: str, param: str) -> BadRequest:
    return BadRequest(message, code="invalid_field", param=param)
