"""Shadows: the other target's answer after the caller's, at the operator's cost alone, within the day's money; judged, kept."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from penstock.errors import Broken
from penstock.gateway.labels import Given
from penstock.gateway.upkeep import upkeep
from penstock.ledger import budgets, days, labels, logs
from penstock.routing import judging
from penstock.wire.http import JSON, Request, Response
from tests.path.shadows import (
    EASY,
    HARD,
    SHADOW,
    Upstream,
    asked_of,
    hosts,
    made,
    outcomes,
    settled,
    upstream,
)
from tests.path.world import body, read, whole


@pytest.mark.parametrize("stream", [False, True])
async def test_the_other_target_is_asked_and_both_answers_are_judged(stream: bool) -> None:
    world = made()
    easy = await world.chat(EASY, stream=stream)
    await read(easy)
    await read(await world.chat(HARD, stream=stream))
    [first, second] = await settled(world)
    assert sorted(hosts(world)) == ["cheap", "cheap", "dear", "dear", *["judge"] * 4]
    for label in (first, second):
        assert (label.weak_target, label.strong_target) == ("cheap/gpt-4o-mini", "dear/gpt-4o")
        # In both orders, averaged: a place is worth nothing.
        assert [label.weak, label.strong] == pytest.approx([0.4, 0.8])
        assert (label.weak_nanos, label.strong_nanos) == (
            10 * 150 + 5 * 600,
            10 * 2500 + 5 * 10_000,
        )
        assert (label.prompt, label.weak_answer, label.strong_answer) == ("", "", "")
        assert (label.owner, label.tenant, label.route) == ("default/alice", "default", "auto")
        assert label.judge == "judge/gpt-4o-mini"
        assert json.loads(label.features)["version"] == 1
    assert first.request_id == easy.header("x-request-id")
    assert first.features != second.features
    assert outcomes(world) == {"labelled": 2}
    admin = await world.get("/metrics", token=world.token(role="admin"))
    assert b'penstock_shadows_total{route="auto",outcome="labelled"} 2' in await read(admin)


async def test_the_callers_usage_and_budgets_do_not_move_and_the_operator_sees_the_cost() -> None:
    budget = '[[budgets]]\nper = "user"\nperiod = "day"\nmoney = "1.00"\n'
    world = made(more=budget)
    await world.chat(HARD)
    await settled(world)
    mine = await body(await world.get("/v1/usage"))
    assert (mine["totals"]["requests"], mine["totals"]["costNanos"]) == (1, "75000")
    rows = await world.ledger("owner, service, stage, amount_nanos")
    shadow = [row for row in rows if row[1] == "shadow" and row[2] == "final"]
    assert {row[0] for row in shadow} == {"/shadow"}
    assert len(shadow) == 3
    stand = {
        one.per: one
        for one in await budgets.current(
            world.platform.tables, int(world.platform.clock.now() * 1000)
        )
    }
    assert (stand["user"].spent, stand["user"].reserved) == (75_000, 0)
    assert (stand["shadow"].name, stand["shadow"].reserved) == ("auto", 0)
    assert stand["shadow"].spent == sum(row[3] for row in shadow) == 4_500 * 3
    everyone = await body(
        await world.get("/admin/usage", "by=user", token=world.token(role="admin"))
    )
    assert {row["user"] for row in everyone["rows"]} == {"alice", "shadow"}


async def test_it_never_passes_the_days_money_however_many_come_at_once() -> None:
    # A call of the dear target holds 0.041 dollars: two have room in a tenth of one.
    world = made(shadow=SHADOW.replace("1.00", "0.1"))
    going = asyncio.Event()

    async def slow(request: Request) -> Response:
        if asked_of(request) == "dear":
            await going.wait()
        return upstream(request)

    world.platform.fetch.handler = slow
    for number in range(6):
        assert (await world.chat(f"{EASY} {number}")).status == 200
    for _ in range(1_000):
        await asyncio.sleep(0)
    assert outcomes(world) == {"budget": 4}
    going.set()
    assert len(await settled(world)) == 2
    rows = await world.ledger("owner, stage, amount_nanos")
    spent = sum(row[2] for row in rows if row[:2] == ("/shadow", "final"))
    now = int(world.platform.clock.now() * 1000)
    [stand] = await budgets.current(world.platform.tables, now)
    assert (stand.spent, stand.reserved, stand.cap) == (spent, 0, 100_000_000)
    world.platform.clock.advance(days.DAY_MS / 1000)
    await world.chat(f"{EASY} tomorrow")
    assert len(await settled(world)) == 3


async def test_what_the_days_money_does_not_hold_is_not_asked() -> None:
    world = made(shadow=SHADOW.replace("1.00", "0.000000001"))
    await world.chat(HARD)
    assert await settled(world) == []
    assert outcomes(world) == {"budget": 1}
    assert hosts(world) == ["dear"]


@pytest.mark.parametrize(
    "told",
    [
        {"tools": [{"type": "function", "function": {"name": "f"}}]},
        {"headers": [("cache-control", "no-store")]},
        {"n": 2},
        {"made_up": 1},
        {"text": [{"type": "image_url", "image_url": {"url": "http://a.test/x.png"}}]},
        {"text": "x" * 70_000},
    ],
)
async def test_what_is_left_out(told: dict[str, Any]) -> None:
    world = made()
    assert (await world.chat(told.pop("text", HARD), **told)).status == 200
    assert await settled(world) == []
    assert set(hosts(world)) <= {"cheap", "dear"}
    assert len(hosts(world)) == 1


async def test_hits_followers_other_routes_and_anonymous_callers_get_none() -> None:
    world = made(shadow=f'{SHADOW}\nauth = "optional"')
    await asyncio.gather(world.chat(EASY), world.chat(EASY))
    await world.chat(EASY)
    await world.chat(EASY, model="dear/gpt-4o")
    assert (await world.chat(EASY, token=None)).status == 200
    assert len(await settled(world)) == 1
    assert hosts(world).count("judge") == 2


async def test_a_tenant_with_keys_of_its_own_has_none_whoever_answered() -> None:
    master = f'[tenant_keys]\nmaster = ["{"m" * 40}"]\n'
    world = made(more=master)
    key = {"tenant": "acme", "provider": "dear", "key": "sk-of-acme-and-nobody-else"}
    admin = world.token(role="admin")
    put = await world.ask("/admin/tenant-keys", key, method="PUT", token=admin)
    assert put.status == 200
    assert (await world.chat(EASY, token=world.token(tenant="acme"))).status == 200
    assert await settled(world) == []
    assert hosts(world) == ["cheap"]


@pytest.mark.parametrize(
    "answer",
    [
        lambda request: whole("", "stop"),
        lambda request: whole("cut", "length"),
        lambda request: Response(500, [JSON], b"{}"),
    ],
)
async def test_an_answer_that_did_not_end_well_gets_none(answer: Upstream) -> None:
    world = made(answer)
    await world.chat(EASY)
    assert await settled(world) == []
    assert "judge" not in hosts(world)


async def test_a_stream_that_was_left_gets_none() -> None:
    world = made()
    response = await world.chat(EASY, stream=True)
    assert not isinstance(response.body, bytes)
    await response.body.__anext__()
    await response.aclose()
    assert await settled(world) == []
    assert hosts(world) == ["cheap"]


@pytest.mark.parametrize("failing", ["dear", "judge"])
async def test_what_fails_behind_concerns_nobody_and_is_settled(failing: str) -> None:
    def answer(request: Request) -> Response:
        if asked_of(request) == failing:
            raise Broken
        return upstream(request)

    world = made(answer)
    assert (await world.chat(EASY)).status == 200
    assert await settled(world) == []
    assert outcomes(world) == {"failed": 1}
    assert (await world.stages())["estimated"] == 1
    rows = await world.ledger("request_id, stage")
    assert len({row[0] for row in rows if row[1] == "reserve"}) == len(
        {row[0] for row in rows if row[1] == "final"}
    )


@pytest.mark.parametrize(
    "said",
    ["", "A is better", '{"a": 2, "b": 0}', '{"a": 1}', '{"a": 1, "b": 0, "c": 1}', '{"a": NaN, "b": 0}', '[1, 0]',
     '{"a": 1, "b": 0} because', '{"a": true, "b": 0}'],
)  # fmt: skip
async def test_a_judge_says_two_scores_and_nothing_else(said: str) -> None:
    world = made(lambda request: whole(said) if asked_of(request) == "judge" else upstream(request))
    await world.chat(EASY)
    assert await settled(world) == []
    assert outcomes(world) == {"unjudged": 1}
    assert hosts(world).count("judge") == 1


async def test_texts_are_kept_where_the_tenant_agreed_and_no_shadow_where_it_did_not() -> None:
    more = '[tenants.acme]\ntexts = "labels"\n[tenants.globex]\nshadow = false\n[tenants.all]\ntexts = "all"\n'
    world = made(more=more)
    for tenant in ("acme", "globex", "all", "default"):
        await world.chat(EASY, token=world.token(tenant=tenant))
    found = {label.tenant: label for label in await settled(world)}
    assert set(found) == {"acme", "all", "default"}
    for tenant in ("acme", "all"):
        assert json.loads(found[tenant].prompt) == [{"role": "user", "content": EASY}]
        assert (found[tenant].weak_answer, found[tenant].strong_answer) == (
            "from cheap",
            "from dear",
        )
    assert found["default"].prompt == ""
    await world.gateway.journal.flush()
    kept = await world.platform.tables.rows("select tenant, owner, messages from prompts")
    assert [row[:2] for row in kept] == [("all", "all/alice")]
    lines, _ = await logs.page(world.platform.tables, (0, ""), 2**52, {"all"})
    assert [line.messages for line in lines if line.messages] == [
        [{"role": "user", "content": EASY}]
    ]
    for table in ("ledger", "decisions", "labels", "feedback"):
        rows = await world.platform.tables.rows(f"select * from {table}")
        others = [row for row in rows if "acme" not in str(row) and "'all" not in str(row)]
        assert "say hello" not in str(others)


async def test_what_is_kept_is_dropped_when_it_is_old_and_when_it_is_to_be_forgotten() -> None:
    world = made(more='[labels]\nretention_days = 2\n[tenants.default]\ntexts = "all"\n')
    await world.chat(EASY)
    await settled(world)
    await world.gateway.journal.flush()
    tables = world.platform.tables
    assert await labels.forget(tables, "acme") == 0
    assert (await labels.forget(tables, "default"), await logs.forget(tables, "default")) == (1, 1)
    await world.chat(HARD)
    await settled(world)
    await world.gateway.journal.flush()
    world.platform.clock.advance(2 * days.DAY_MS / 1000 + 1)
    await upkeep(world.gateway)
    assert await settled(world) == []
    assert await tables.rows("select request_id from prompts") == []


async def test_an_exact_match_asks_only_what_has_a_reference_and_no_judge() -> None:
    shadow = 'shadow = { share = 1.0, money = "1.00", judge = "exact", references = "x" }'
    world = made(shadow=shadow)
    assert world.gateway.labels is not None
    world.gateway.labels.given = Given(
        {}, {"auto": {judging.named("Say  hello!"): "The answer: From Dear."}}
    )
    await world.chat("say hello")
    await world.chat("say nothing")
    world.gateway.labels.given = Given({}, {"auto": {judging.named("say more"): "from DEAR!"}})
    await world.chat("say more")
    [first, second] = await settled(world)
    assert (first.weak, first.strong, second.weak, second.strong) == (0.0, 0.0, 0.0, 1.0)
    assert sorted(hosts(world)) == ["cheap", "cheap", "cheap", "dear", "dear"]


async def test_a_function_of_the_operators_scores_each_answer() -> None:
    shadow = 'shadow = { share = 1.0, money = "1.00", judge = "mine:score" }'
    world = made(shadow=shadow)
    await world.chat("say one")
    assert hosts(world) == ["cheap"]  # what has no function here is not asked

    async def score(messages: Any, answer: str) -> float:
        assert messages[0]["content"] == "say two"
        return 0.25 if "cheap" in answer else 1.0

    assert world.gateway.labels is not None
    world.gateway.labels.given = Given({"auto": score})
    await world.chat("say two")
    [label] = await settled(world)
    assert (label.weak, label.strong, label.judge) == (0.25, 1.0, "mine:score")


async def test_a_stop_ends_what_runs_behind_and_settles_it() -> None:
    world = made()
    hanging = asyncio.Event()

    async def hang(request: Request) -> Response:
        if asked_of(request) == "dear":
            hanging.set()
            await asyncio.Event().wait()
        return upstream(request)

    world.platform.fetch.handler = hang
    assert (await world.chat(EASY)).status == 200
    await hanging.wait()
    await world.gateway.stop()
    assert await settled(world) == []
    stages = await world.stages()
    assert (stages["reserve"], stages["settled"], stages["estimated"]) == (2, 1, 1)
    stand = await budgets.current(world.platform.tables, int(world.platform.clock.now() * 1000))
    assert [(one.per, one.reserved) for one in stand] == [("shadow", 0)]


async def test_no_more_than_so_many_run_at_once_and_the_lot_decides() -> None:
    world = made(shadow=SHADOW.replace("1.0,", "0.5,"))
    going = asyncio.Event()

    async def slow(request: Request) -> Response:
        if asked_of(request) == "dear":
            await going.wait()
        return upstream(request)

    world.platform.fetch.handler = slow
    for number in range(90):
        await world.chat(f"{EASY} {number}")
    going.set()
    found = await settled(world)
    told = outcomes(world)
    assert len(found) == told["labelled"] == 16
    assert 20 <= sum(told.values()) <= 70
