"""Tenants' own keys: used instead of ours, for that tenant alone, at no cost of ours, and never shown."""

from __future__ import annotations

import asyncio
import json

import pytest

from penstock.errors import Broken
from penstock.ledger import invoices
from penstock.upstream.reconcile import Reconciler
from penstock.wire.http import JSON, Request, Response
from tests.path.tenants import KEY, ask, keys, made, put
from tests.path.world import body, pieces, read, streamed, whole


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


async def test_it_is_on_no_invoice_of_ours_and_its_usage_is_told_all_the_same() -> None:
    world = made()
    await put(world)
    await ask(world)
    await ask(world, "globex", "another")
    (row,) = await invoices.ours(world.platform.tables, 0, 2**52)
    assert (row.used.requests, row.used.input) == (1, 10)
    usage = await body(await world.get("/v1/usage", token=world.token(tenant="acme")))
    assert (usage["totals"]["tokens"], usage["totals"]["cost"]) == (15, 0)


async def test_a_crashed_call_of_it_is_not_looked_up_with_our_key() -> None:
    def upstream(request: Request) -> Response:
        assert request.method == "POST", "nobody is to be asked what a tenant's call took"
        raise Broken

    world = made(upstream, 'usage_lookup = "/usage/{id}"\n')
    await put(world)
    await ask(world)
    assert (await world.stages())["estimated"] == 1
    world.platform.clock.advance(3600)
    platform, providers = world.platform, world.gateway.config.providers
    done = await Reconciler(platform.tables, platform.fetch, platform.clock, providers).once()
    assert done.corrected == 0


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


async def test_ours_does_not_follow_where_its_price_is_unknown() -> None:
    more = """
any_model = true
tenant_keys = "first"
[[budgets]]
per = "tenant"
period = "day"
money = "1"
"""
    world = made(lambda request: Response(401, [JSON], b"{}"), more)
    await put(world)
    token = world.token(tenant="acme")
    response = await world.chat("hi", model="p/nobody-knows", token=token)
    assert response.status == 502
    assert keys(world) == [f"Bearer {KEY}"]


@pytest.mark.parametrize("path", ["chat", "embed"])
async def test_a_bad_key_of_one_tenant_is_nobody_elses_failure(path: str) -> None:
    """On a route whose answers are shared, others wait for the call of whoever asked first."""
    gate = asyncio.Event()

    async def upstream(request: Request) -> Response:
        if request.header("authorization") == f"Bearer {KEY}":
            await gate.wait()
            return Response(401, [JSON], b"{}")
        if request.target.endswith(b"/embeddings"):
            reply = {"data": [{"index": 0, "embedding": [0.5]}], "usage": {"prompt_tokens": 1}}
            return Response(200, [JSON], json.dumps(reply).encode())
        return whole("hi")

    shared = """
[routes.all]
targets = ["p/gpt-4o-mini"]
cache = { shared = true }
[routes.vectors]
verb = "embed"
targets = ["p/text-embedding-3-small"]
cache = { shared = true }
"""
    world = made(upstream, shared)
    await put(world)

    async def one(tenant: str) -> int:
        token = world.token(tenant=tenant)
        if path == "chat":
            return (await world.chat("same", model="all", token=token)).status
        told = {"model": "vectors", "input": "same"}
        return (await world.ask("/v1/embeddings", told, token=token)).status

    first = asyncio.create_task(one("acme"))
    await asyncio.sleep(0)
    second = asyncio.create_task(one("globex"))
    for _ in range(20):
        await asyncio.sleep(0)
    # At the edge nobody waits for another's call.
    assert [first.done(), second.done()] == [False, not world.platform.shared_loop]
    gate.set()
    assert (await first, await second) == (502, 200)
