"""The statements of tenants' own keys on every Tables: put in place, told apart, deleted, sealed anew once."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from penstock.auth import tenant_keys
from penstock.auth.sealing import Sealed
from penstock.auth.tenant_keys import TenantKey
from penstock.cache import sql
from penstock.platforms.migrations import shipped
from penstock.ports import Tables

RAISE = (sql.RAISE, ("tenant-keys",))


@pytest.fixture
async def kept(tables: Tables) -> Tables:
    """The tables with the ledger, whose step makes the generations, and the keys in them."""
    for step in shipped():
        if step.name in ("ledger", "tenant_keys"):
            plain = "\n".join(line for line in step.sql.split("\n") if not line.startswith("--"))
            for statement in plain.split(";"):
                if statement.strip():
                    await tables.batch((statement, ()))
    return tables


def key(tenant: str, provider: str = "p", text: str = "sealed") -> TenantKey:
    return TenantKey(tenant, provider, Sealed("m1", text), "last", 1_800_000_000.5)


async def test_each_tenant_has_its_own_and_a_later_one_takes_the_place(kept: Tables) -> None:
    for one in (key("a"), key("a", "q"), key("ä/ '%"), key("a", text="newer")):
        await kept.batch(tenant_keys.put(one), RAISE)
    assert await tenant_keys.of_tenant(kept, "a") == [key("a", text="newer"), key("a", "q")]
    assert await tenant_keys.of_tenant(kept, "ä/ '%") == [key("ä/ '%")]
    assert await tenant_keys.of_tenant(kept, "nobody") == []
    assert len(await tenant_keys.listing(kept)) == 3
    assert await tenant_keys.listing(kept, "a") == await tenant_keys.of_tenant(kept, "a")
    assert [tuple(row) for row in await kept.rows(sql.GENERATIONS)] == [("tenant-keys", 4)]


async def test_a_deletion_says_whether_there_was_one(kept: Tables) -> None:
    await kept.batch(tenant_keys.put(key("a")))
    found = [await kept.batch(tenant_keys.drop("a", "p"), RAISE) for _ in range(2)]
    assert [len(rows) for rows, _ in found] == [1, 0]


async def test_one_that_was_changed_meanwhile_is_not_sealed_anew(kept: Tables) -> None:
    await kept.batch(tenant_keys.put(key("a")))
    anew = Sealed("m2", "anew")
    stale = tenant_keys.resealed(key("a", text="older"), anew)
    rows = [await kept.batch(one) for one in (stale, tenant_keys.resealed(key("a"), anew))]
    assert [len(first) for (first,) in rows] == [0, 1]
    assert await tenant_keys.of_tenant(kept, "a") == [replace(key("a"), sealed=anew)]
