"""How tenants' own keys are kept: sealed to their place, shown to nobody, forgotten everywhere."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from penstock.config import decode, defaults
from penstock.errors import Unavailable
from penstock.gateway import build
from tests.path.tenants import BASE, KEY, ask, drop, keys, made, put
from tests.path.world import body, read


async def test_a_row_that_was_copied_to_another_tenant_opens_nothing() -> None:
    world = made()
    await put(world)
    copy = "insert into tenant_keys select 'globex', provider, master, sealed, last4, at from tenant_keys"
    raised = "update generations set number = number + 1"
    await world.platform.tables.batch((copy, ()), (raised, ()))
    world.platform.clock.advance(11)
    response = await ask(world, "globex")
    assert (response.status, (await body(response))["error"]["code"]) == (
        503,
        "tenant_key_unreadable",
    )
    assert keys(world) == []
    assert (await ask(world)).status == 200


async def test_what_is_kept_and_shown_is_never_the_key() -> None:
    world = made()
    shown = await body(await put(world))
    assert (shown["last4"], shown["tenant"], shown["provider"]) == (KEY[-4:], "acme", "p")
    admin = world.token("root", scope="admin")
    listed = await body(await world.get("/admin/tenant-keys", token=admin))
    assert [one["last4"] for one in listed["keys"]] == [KEY[-4:]]
    other = await body(await world.get("/admin/tenant-keys", "tenant=globex", admin))
    assert other == {"keys": []}
    await ask(world)
    await world.gateway.journal.flush()
    for table in ("tenant_keys", "ledger", "decisions", "generations"):
        assert KEY not in str(await world.platform.tables.rows(f"select * from {table}"))
    assert KEY not in str([shown, listed, await read(await world.get("/metrics", token=admin))])
    rows = await world.platform.tables.rows("select sealed from tenant_keys")
    await put(world)
    again = await world.platform.tables.rows("select sealed from tenant_keys")
    assert rows != again  # a nonce of its own each time


async def test_only_an_admin_may() -> None:
    world = made()
    token = world.token(tenant="acme")
    told = {"tenant": "acme", "provider": "p", "key": KEY}
    assert (await world.get("/admin/tenant-keys", token=token)).status == 403
    refused = await world.ask("/admin/tenant-keys", told, method="PUT", token=token)
    assert refused.status == 403
    gone = await world.ask(
        "/admin/tenant-keys", method="DELETE", query="tenant=acme&provider=p", token=token
    )
    assert gone.status == 403


@pytest.mark.parametrize(
    "told",
    [
        {"tenant": "", "provider": "p", "key": KEY},
        {"tenant": "a\nb", "provider": "p", "key": KEY},
        {"tenant": "acme", "provider": "nobody", "key": KEY},
        {"tenant": "acme", "provider": "hashed", "key": KEY},
        {"tenant": "acme", "provider": "p", "key": "short"},
        {"tenant": "acme", "provider": "p", "key": f"{KEY}\r\nx-evil: 1"},
        {"tenant": "acme", "provider": "p", "key": "k" * 5000},
        {"tenant": "acme", "provider": "p", "key": f"ключ-{KEY}"},
        {"tenant": "acme", "provider": "p", "key": 7},
        {"tenant": "acme", "provider": "p"},
        {"tenant": "acme", "provider": "p", "key": KEY, "url": "http://evil.test"},
    ],
)
async def test_what_cannot_be_one_is_refused_without_its_text(told: dict[str, Any]) -> None:
    world = made()
    token = world.token("root", scope="admin")
    response = await world.ask("/admin/tenant-keys", told, method="PUT", token=token)
    assert response.status == 400
    assert KEY.encode() not in await read(response)
    assert await world.platform.tables.rows("select * from tenant_keys") == []


async def test_a_deleted_one_is_forgotten_everywhere_within_ten_seconds() -> None:
    world = made()
    other = build(world.gateway.config, world.platform, lambda *_: None)
    first = world.gateway
    await put(world)
    world.gateway = other
    world.platform.clock.advance(6)
    await ask(world)
    world.gateway = first
    assert (await body(await drop(world)))["deleted"] is True
    assert (await body(await drop(world)))["deleted"] is False
    await ask(world)
    world.gateway = other
    world.platform.clock.advance(6)
    await ask(world)
    assert keys(world) == [f"Bearer {KEY}", "Bearer sk-ours", "Bearer sk-ours"]


async def test_a_reload_keeps_it_and_off_forgets_it() -> None:
    world = made()
    await put(world)
    for more, wanted in (("", KEY), ('tenant_keys = "off"\n', "sk-ours"), ("", KEY)):
        config, _ = defaults(decode(BASE + more, {}), {})
        before = world.gateway
        world.gateway = build(config, before.platform, before.report, before.edge, before)
        await ask(world)
        assert keys(world)[-1] == f"Bearer {wanted}"


async def test_where_nobody_can_tell_ours_is_not_used() -> None:
    world = made()
    await put(world)
    tables = world.platform.tables
    rows = tables.rows
    config = world.gateway.config

    async def away(sql: str, *args: Any) -> Any:
        if "generations" in sql or "tenant_keys" in sql:
            raise Unavailable
        return await rows(sql, *args)

    tables.rows = away  # type: ignore[method-assign]  # a store that goes away
    world.gateway = build(config, world.platform, lambda *_: None)
    response = await ask(world)
    assert response.status == 503
    assert keys(world) == []


async def test_without_a_master_key_none_is_taken() -> None:
    world = made()
    config = replace(world.gateway.config, platform="server")
    world.gateway = build(config, world.platform, lambda *_: None)
    response = await put(world)
    assert response.status == 503
    assert b"PENSTOCK_MASTER_KEY" in await read(response)
