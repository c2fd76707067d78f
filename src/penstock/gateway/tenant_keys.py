"""Tenants' own keys as this process knows them, and how an operator changes them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence

from penstock.auth import sealing, tenant_keys
from penstock.auth.caller import Caller
from penstock.auth.sealing import Master
from penstock.auth.tenant_keys import TenantKey
from penstock.cache import sql
from penstock.cache.generations import Generations
from penstock.config import Config
from penstock.errors import BadRequest, Unavailable
from penstock.ports import Crypto, Ids, Platform, Tables
from penstock.routing.offers import OWN_KINDS

SCOPE = "tenant-keys"
"""The number that every change raises: every process reads it at least every 10 s, and while it is 0 there are none."""
MOST_TENANTS = 10_000
NONE: Mapping[str, str] = {}
_RAISE = sql.RAISE, (SCOPE,)


class Known:
    """The keys of tenants that asked lately, as they were at one number; it outlives a configuration."""

    def __init__(self) -> None:
        self.number = 0
        self.tenants: OrderedDict[str, Sequence[TenantKey]] = OrderedDict()
        self.opened: OrderedDict[TenantKey, str] = OrderedDict()


class TenantKeys:
    """Which keys a caller's tenant has."""

    def __init__(self, config: Config, made: bytes, generations: Generations, known: Known) -> None:
        self._providers = takers(config)
        self._masters = masters(config, made)
        self._generations = generations
        self._known = known

    @property
    def none(self) -> bool:
        """Whether no tenant has any, as far as it was read lately."""
        generations = self._generations
        return SCOPE not in generations.numbers and generations.known and not generations.old

    async def of(self, caller: Caller, platform: Platform) -> Mapping[str, str]:
        """The tenant's keys by provider; raises Unavailable where nobody can tell, for then ours must not be used."""
        generations = self._generations
        if generations.old or not generations.known:
            await generations.read()
        number = generations.numbers.get(SCOPE, 0)
        if not number and generations.known:
            return NONE
        if not generations.known:
            raise Unavailable("Whether there is a key of your own cannot be told now: ask again.")
        if caller.anonymous:
            return NONE
        found = await self._kept(caller.tenant, number, platform.tables)
        mine = [key for key in found if key.provider in self._providers]
        return (
            {key.provider: await self._open(key, platform.crypto) for key in mine} if mine else NONE
        )

    async def _kept(self, tenant: str, number: int, tables: Tables) -> Sequence[TenantKey]:
        known = self._known
        if known.number != number:
            known.number = number
            known.tenants.clear()
            known.opened.clear()
        if tenant in known.tenants:
            known.tenants.move_to_end(tenant)
            return known.tenants[tenant]
        found = await tenant_keys.of_tenant(tables, tenant)
        if known.number == number:  # what was read before a change says nothing after it
            known.tenants[tenant] = found
            if len(known.tenants) > MOST_TENANTS:
                known.tenants.popitem(last=False)
        return found

    async def _open(self, key: TenantKey, crypto: Crypto) -> str:
        opened = self._known.opened
        if key in opened:
            return opened[key]
        plain = await tenant_keys.opened(crypto, self._masters, key)
        if plain is None:
            raise Unavailable(
                f"Your tenant's own key for '{key.provider}' cannot be opened, so nothing was sent:"
                " have it put there again.",
                code="tenant_key_unreadable",
            )
        opened[key] = plain
        if len(opened) > MOST_TENANTS:
            opened.popitem(last=False)
        return plain


def takers(config: Config) -> frozenset[str]:
    """The providers for which a tenant can have a key of its own."""
    return frozenset(
        name
        for name, at in config.providers.items()
        if at.kind in OWN_KINDS and at.tenant_keys != "off"
    )


def masters(config: Config, made: bytes) -> tuple[Master, ...]:
    """The master keys, the newest first. Only a secret that does not lie beside the tables is one by itself."""
    given = [one.encode() for one in config.tenant_keys.master]
    return sealing.masters([*given, made] if config.platform == "embedded" else given)


class Keeper:
    """What an operator does with tenants' keys."""

    def __init__(
        self, config: Config, made: bytes, tables: Tables, crypto: Crypto, ids: Ids
    ) -> None:
        self._takers = takers(config)
        self._masters = masters(config, made)
        self._tables = tables
        self._crypto = crypto
        self._ids = ids

    async def put(self, tenant: str, provider: str, key: str, now: float) -> TenantKey:
        """Keeps a key; raises BadRequest."""
        if provider not in self._takers:
            raise BadRequest(
                "'provider' names none that takes tenants' own keys.",
                code="unknown_provider",
                param="provider",
            )
        made = await tenant_keys.made(
            self._crypto, self._ids, self._newest, tenant, provider, key, now
        )
        await self._tables.batch(tenant_keys.put(made), _RAISE)
        return made

    async def drop(self, tenant: str, provider: str) -> bool:
        """Forgets a key; False where there was none."""
        rows, _ = await self._tables.batch(tenant_keys.drop(tenant, provider), _RAISE)
        return bool(rows)

    async def reseal(self) -> tuple[int, list[TenantKey]]:
        """Has all keys sealed by the newest master key: how many were not, and those that do not open."""
        done, lost = 0, []
        for key in await tenant_keys.listing(self._tables):
            if key.sealed.master == self._newest.id:
                continue
            plain = await tenant_keys.opened(self._crypto, self._masters, key)
            if plain is None:
                lost.append(key)
                continue
            nonce = self._ids.secret(sealing.NONCE_BYTES)
            anew = await sealing.seal(self._crypto, self._newest, nonce, plain, key.place)
            rows, _ = await self._tables.batch(tenant_keys.resealed(key, anew), _RAISE)
            done += len(rows)
        return done, lost

    @property
    def _newest(self) -> Master:
        if not self._masters:
            raise Unavailable(
                "No master key is configured: set PENSTOCK_MASTER_KEY or tenant_keys.master."
            )
        return self._masters[0]


def plain(keys: Sequence[TenantKey]) -> list[dict[str, object]]:
    """Keys as they are shown: never themselves."""
    return [
        {
            "tenant": key.tenant,
            "provider": key.provider,
            "last4": key.last4,
            "at": int(key.at),
            "master": key.sealed.master,
        }
        for key in keys
    ]
