"""Tenants' own keys: used instead of ours, for that tenant alone, at no cost of ours, and never shown."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from penstock.config import decode, defaults
from penstock.errors import Unavailable
from penstock.gateway import build
from penstock.wire.http import JSON, Request, Response
from tests.path.world import SECRET, World, body, pieces, read, streamed, whole

KEY = "sk-of-acme-and-nobody-else"
BASE = f"""
[auth]
issuers = [{{ mode = "hs256", secret = "{SECRET}" }}]
[providers.other]
kind = "openai"
base_url = "http://other.test/v1"
api_key = "sk-other"
[[targets]]
provider = "p"
model = "gpt-4o-mini"
[[targets]]
provider = "p"
model = "text-embedding-3-small"
verb = "embed"
[[targets]]
provider = "other"
model = "gpt-4o"
[routes.auto]
targets = ["p/gpt-4o-mini", "other/gpt-4o"]
[routes.embed]
verb = "embed"
targets = ["p/text-embedding-3-small"]
[providers.p]
kind = "openai"
base_url = "http://p.test/v1"
api_key = "sk-ours"
"""


def made(upstream: Callable[[Request], Any] = lambda request: whole("hi"), more: str = "") -> World:
    return World(upstream, BASE + more, env={})


def keys(world: World) -> list[str | None]:
    return [request.header("authorization") for request in world.platform.fetch.requests]


async def put(world: World, tenant: str = "acme", provider: str = "p", key: str = KEY) -> Response:
    told = {"tenant": tenant, "provider": provider, "key": key}
    token = world.token("root", scope="admin")
    return await world.ask("/admin/tenant-keys", told, method="PUT", token=token)


async def drop(world: World, tenant: str = "acme", provider: str = "p") -> Response:
    query, token = f"tenant={tenant}&provider={provider}", world.token("root", scope="admin")
    return await world.ask("/admin/tenant-keys", method="DELETE", query=query, token=token)


async def ask(world: World, tenant: str = "acme", text: str = "hello", **more: Any) -> Response:
    headers = [("cache-control", "no-store")]
    return await world.chat(
        text, model="auto", token=world.token(tenant=tenant), headers=headers, **more
    )


async def test_it_goes_instead_of_ours_for_that_tenant_alone_and_costs_us_nothing() -> None:
    world = made()
    assert (await put(world)).status == 200
    mine = await ask(world)
    assert (mine.status, mine.header("x-penstock-cost-nanos")) == (200, "0")
    theirs = await ask(world, "globex")
    assert int(theirs.header("x-penstock-cost-nanos") or 0) > 0
    plain = await ask(world, "default")
    assert plain.status == 200
    assert keys(world) == [f"Bearer {KEY}", "Bearer sk-ours", "Bearer sk-ours"]
    rows = await world.ledger("tenant, stage, target, provider, model, input, output, amount_nanos")
    own = [row for row in rows if row[0] == "acme" and row[1] == "final"]
    assert own == [("acme", "final", "own:p/gpt-4o-mini", "p", "gpt-4o-mini", 10, 5, 0)]


async def test_streams_and_embeddings_use_it_too() -> None:
    def upstream(request: Request) -> Response:
        if request.target.endswith(b"/embeddings"):
            reply = {"data": [{"index": 0, "embedding": [0.5]}], "usage": {"prompt_tokens": 1}}
            return Response(200, [JSON], json.dumps(reply).encode())
        return streamed(pieces("Hello"))

    world = made(upstream)
    await put(world)
    assert b"[DONE]" in await read(await ask(world, stream=True))
    told = {"model": "embed", "input": "x"}
    response = await world.ask("/v1/embeddings", told, token=world.token(tenant="acme"))
    assert (response.status, response.header("x-penstock-cost-nanos")) == (200, "0")
    assert keys(world) == [f"Bearer {KEY}"] * 2


@pytest.mark.parametrize("status", [401, 429, 503])
async def test_ours_is_never_used_where_it_fails(status: int) -> None:
    world = made(lambda request: Response(status, [JSON, ("retry-after", "30")], b"{}"))
    await put(world)
    response = await ask(world)
    assert response.status == 502
    assert set(keys(world)) == {f"Bearer {KEY}"}  # nor is the other provider paid by us
    before = len(keys(world))
    await ask(world, "globex")
    assert keys(world)[before:][:1] == ["Bearer sk-ours"]  # its refusal cooled nothing of ours


async def test_ours_follows_where_the_operator_says_so() -> None:
    def upstream(request: Request) -> Response:
        bad = request.header("authorization") == f"Bearer {KEY}"
        return Response(429, [JSON], b"{}") if bad else whole("hi")

    world = made(upstream, 'tenant_keys = "first"\n')
    await put(world)
    response = await ask(world)
    assert int(response.header("x-penstock-cost-nanos") or 0) > 0
    assert keys(world) == [f"Bearer {KEY}", "Bearer sk-ours"]
    rows = await world.ledger("stage, target")
    assert ("final", "p/gpt-4o-mini") in rows


async def test_it_goes_to_the_providers_own_address_alone() -> None:
    world = made(
        more='deployments = [{ url = "http://elsewhere.test/v1", key = "sk-elsewhere" }]\n'
    )
    await put(world)
    await ask(world)
    await ask(world, "globex")
    found = [request.target.split(b"/")[2] for request in world.platform.fetch.requests]
    assert found == [b"p.test", b"elsewhere.test"]
    assert keys(world) == [f"Bearer {KEY}", "Bearer sk-elsewhere"]


async def test_money_budgets_do_not_count_it_and_token_budgets_do() -> None:
    more = """
[[budgets]]
per = "tenant"
period = "day"
money = "0.000000001"
[[budgets]]
per = "tenant"
period = "day"
tokens = 5000
"""
    world = made(more=more)
    await put(world)
    assert (await ask(world)).status == 200
    assert (await ask(world, "globex")).status == 429  # the money budget
    assert (await ask(world, max_tokens=6000)).status == 429  # the token budget


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


async def test_a_tenant_that_nobody_can_be_has_none() -> None:
    world = made(more='[routes.open]\ntargets = ["p/gpt-4o-mini"]\nauth = "optional"\n')
    await put(world)
    response = await world.chat("hi", model="open", token=None)
    assert response.status == 200
    assert keys(world) == ["Bearer sk-ours"]


async def test_kept_answers_follow_their_owner_as_ever() -> None:
    world = made()
    await put(world)
    mine, other = world.token("a", tenant="acme"), world.token("b", tenant="acme")
    for token, cache in ((mine, "miss"), (mine, "hit"), (other, "miss")):
        response = await world.chat("same", model="auto", token=token)
        assert response.header("x-penstock-cache") == cache


async def test_without_a_master_key_none_is_taken() -> None:
    world = made()
    config = replace(world.gateway.config, platform="server")
    world.gateway = build(config, world.platform, lambda *_: None)
    response = await put(world)
    assert response.status == 503
    assert b"PENSTOCK_MASTER_KEY" in await read(response)


async def test_an_unpriced_model_may_be_called_with_it_under_a_budget() -> None:
    more = """
any_model = true
[[budgets]]
per = "tenant"
period = "day"
money = "1"
"""
    world = made(more=more)
    await put(world)
    for tenant, status in (("acme", 200), ("globex", 400)):
        token = world.token(tenant=tenant)
        response = await world.chat("hi", model="p/nobody-knows", token=token)
        assert response.status == status
