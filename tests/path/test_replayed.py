"""A log of what was served, replayed: the same route costs what the ledger says it did, free units and cache included."""

from __future__ import annotations

import json
from typing import Any

import pytest

from penstock.ledger import logs
from penstock.limits.replay import Replay, choices, sides
from penstock.wire.http import JSON, Request, Response
from penstock.wire.json import encode
from penstock.wire.logs import Line, logged
from tests.path.tenants import put
from tests.path.world import SECRET, World, body, completion

COUNT = 150
FREE = 30
"""Neurons a day."""
HOME = f"""
[auth]
issuers = [{{ mode = "hs256", secret = "{SECRET}" }}]
[providers.cf]
kind = "workers_ai"
base_url = "http://cf.test"
account = "acc"
api_key = "k"
free_neurons_per_day = {FREE}
[providers.dear]
kind = "openai"
base_url = "http://dear.test/v1"
api_key = "sk-dear"
[[targets]]
provider = "cf"
model = "@cf/meta/llama-3.1-8b-instruct-fp8-fast"
[[targets]]
provider = "dear"
model = "gpt-4o"
[routes.auto]
policy = "heuristic"
simple = "cf/@cf/meta/llama-3.1-8b-instruct-fp8-fast"
medium = "cf/@cf/meta/llama-3.1-8b-instruct-fp8-fast"
strong = "dear/gpt-4o"
"""
MANY = "[limits]\nchat = { requests = 100000, window = 3600 }\n[tiers.free]\nrequests_per_hour = 100000\n"


def answer(request: Request) -> Response:
    """Longer for longer questions, so that no two cost alike."""
    size = len(request.body) if isinstance(request.body, bytes) else 0
    used = {
        "prompt_tokens": 100 + size % 97,
        "completion_tokens": 60 + size % 89,
        "total_tokens": 0,
    }
    told: Any = completion("Well.") | {"usage": used}
    if b"cf.test" in request.target:
        told = {"success": True, "result": {"response": "Well.", "usage": used}}
    return Response(200, [JSON], json.dumps(told).encode())


async def served() -> World:
    world = World(answer, env={}, more=HOME + MANY)
    for number in range(COUNT):
        text = ("explain " if number % 3 == 0 else "tell me ") + "of it " * (number % 5)
        token = world.token(f"u{number % 4}")
        response = await world.chat(text, token=token)
        assert response.status == 200
        world.platform.clock.advance(3_700 if number % 100 == 99 else 20)
    return world


async def exported(world: World) -> list[Line]:
    await world.gateway.journal.flush()
    lines, place = await logs.page(world.platform.tables, (0, ""), 2**52, ())
    assert (await logs.page(world.platform.tables, place, 2**52, ()))[0] == []
    return lines


def replayed(world: World, lines: list[Line], *names: str) -> Replay:
    config = world.gateway.config
    between = sides(config, "auto")
    chosen = choices(config, between, names, {})
    replay = Replay(config, chosen, between.strong, 3600, int(world.platform.clock.now() * 1000))
    for number, line in enumerate(lines, 1):
        one = logged(number, encode(line))
        replay.add(one, one.line.output_tokens or 0)
    return replay


async def test_the_same_route_costs_what_the_ledger_says() -> None:
    world = await served()
    lines = await exported(world)
    paid = sum(row[0] for row in await world.ledger("amount_nanos, stage") if row[1] == "final")
    hits = sum(line.cached for line in lines)
    assert hits > 5
    assert paid > 0
    replay = replayed(world, lines, "route:auto", "heuristic", "logged", "strong")
    for name in ("route:auto", "heuristic", "logged"):
        books = replay.cached[name]
        assert (books.requests, books.hits, books.guessed, books.nanos) == (COUNT, hits, 0, paid)
    [(used,)] = await world.platform.tables.rows("select sum(used) from allotments")
    assert replay.cached["route:auto"].neurons == used
    assert 0 < replay.cached["route:auto"].free < COUNT
    assert replay.plain["strong"].nanos > replay.cached["strong"].nanos > paid


async def test_what_providers_cached_and_callers_share_costs_what_the_ledger_says() -> None:
    def cached(request: Request) -> Response:
        plain = answer(request).body
        assert isinstance(plain, bytes)
        told = json.loads(plain)
        told["usage"]["prompt_tokens_details"] = {"cached_tokens": 64}
        return Response(200, [JSON], json.dumps(told).encode())

    shared = HOME + "[routes.auto.cache]\nshared = true\nttl = 60\n" + MANY
    world = World(cached, env={}, more=shared)
    for number in range(40):
        text = f"explain {number % 3}"
        assert (await world.chat(text, token=world.token(f"u{number % 4}"))).status == 200
        world.platform.clock.advance(7)
    lines = await exported(world)
    paid = sum(row[0] for row in await world.ledger("amount_nanos, stage") if row[1] == "final")
    hits = sum(line.cached for line in lines)
    assert 10 < hits < 40
    replay = replayed(world, lines, "route:auto", "logged", "weak")
    for name in ("route:auto", "logged"):
        books = replay.cached[name]
        assert (books.hits, books.guessed, books.nanos) == (hits, 0, paid)


async def test_what_a_tenants_own_key_paid_for_is_no_cost_of_ours() -> None:
    master = f'[tenant_keys]\nmaster = ["{"m" * 40}"]\n'
    world = World(answer, env={}, more=HOME + MANY + master)
    assert (await put(world, "acme", "dear", "sk-of-acme-and-nobody-else")).status == 200
    for tenant in ("acme", "globex"):
        assert (await world.chat("explain it", token=world.token(tenant=tenant))).status == 200
    lines = await exported(world)
    paid = sum(row[0] for row in await world.ledger("amount_nanos, stage") if row[1] == "final")
    replay = replayed(world, lines, "route:auto", "logged", "strong")
    for name in ("route:auto", "logged", "strong"):
        assert (replay.plain[name].guessed, replay.plain[name].nanos) == (0, paid)
    assert replay.own == 1


async def test_a_log_says_neither_text_nor_who_unless_the_tenant_agreed() -> None:
    world = await served()
    lines = await exported(world)
    text = b"".join(map(encode, lines)).decode()
    assert [line.messages for line in lines] == [None] * COUNT
    for secret in ("tell me", "explain", "u1", "default/"):
        assert secret not in text
    assert {line.caller for line in lines} == {
        line.caller for line in lines if len(line.caller) == 12
    }
    assert {line.complexity for line in lines if not line.cached} == {"simple", "complex"}


async def test_refused_released_and_other_requests_are_no_part_of_it() -> None:
    world = World(lambda request: Response(400, [JSON], b"{}"))
    assert (await world.chat()).status == 400
    world.platform.fetch.handler = answer
    told = {"model": "embed", "input": "x"}
    assert (await body(await world.ask("/v1/embeddings", told))).get("error")
    assert await exported(world) == []


@pytest.mark.parametrize("cap", [0, FREE])
async def test_free_units_are_counted_by_the_utc_day(cap: int) -> None:
    world = World(answer, env={}, more=HOME.replace(f"= {FREE}", f"= {cap}"))
    days = ["2026-11-01T23:59:59Z", "2026-11-02T00:00:00Z", "2026-11-02T01:00:00+01:00"]
    lines = [Line(time=time, input_tokens=20_000, output_tokens=500) for time in days]
    books = replayed(world, lines, "weak").plain["weak"]
    assert books.neurons == 2 * cap * 1_000_000
    # The third falls on the second's day, and finds nothing free.
    each = replayed(world, lines[2:], "weak").plain["weak"].nanos
    assert books.nanos == 3 * each + cap * 11_000
    assert books.free == 0
