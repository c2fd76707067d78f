"""What the contract of Meter leaves open, or asks of the place where the count lives."""

from __future__ import annotations

import asyncio

import pytest

from penstock.errors import Unavailable
from penstock.platforms.cloudflare import sql
from penstock.ports import Demand, Denial, Lease, Meter
from tests.edge.home import EdgeHome


def rate(key: str, limit: int, window: int = 3600) -> Demand:
    return Demand("rate", "chat", key, limit, window)


def tokens(amount: int, key: str = "u") -> Demand:
    return Demand("tokens", "tokens", key, 1000, 3600, amount)


@pytest.mark.parametrize("limit", [1, 437, 1_000])
async def test_of_a_thousand_at_once_exactly_the_limit_is_admitted(
    meter: Meter, limit: int
) -> None:
    answers = await asyncio.gather(*(meter.take([rate("u", limit)]) for _ in range(1_000)))
    assert sum(isinstance(answer, Lease) for answer in answers) == limit
    assert isinstance(await meter.take([rate("u", limit)]), Denial)


async def test_the_objects_own_clock_tells_the_wait(meter: Meter) -> None:
    assert isinstance(await meter.take([rate("u", 1)]), Lease)
    refused = await meter.take([rate("u", 1)])
    assert isinstance(refused, Denial)
    assert 3500 < refused.retry_after <= 3600


async def test_what_was_used_of_an_amount_of_nothing_counts(meter: Meter) -> None:
    lease = await meter.take([tokens(0)])
    assert isinstance(lease, Lease)
    await meter.give(lease, used=300)
    [standing] = (await meter.take([tokens(0)])).standings
    assert standing.remaining == 700


async def test_a_denial_by_one_object_gives_back_what_another_granted(meter: Meter) -> None:
    first, second = rate("a:{one}", 1), rate("b:{two}", 1)
    assert isinstance(await meter.take([second]), Lease)
    refused = await meter.take([first, second])
    assert isinstance(refused, Denial)
    assert [standing.remaining for standing in refused.standings] == [1, 0]
    assert isinstance(await meter.take([first]), Lease)


async def test_keys_and_policies_that_look_like_sql_or_json_are_only_names(meter: Meter) -> None:
    strange = ['"', "'; drop table entries; --", "]", "ü\0", "{", "}{"]
    for key in strange:
        assert isinstance(await meter.take([rate(key, 1)]), Lease)
    for key in strange:
        assert isinstance(await meter.take([rate(key, 1)]), Denial)


async def test_statements_are_run_all_or_none(edge_home: EdgeHome) -> None:
    add = ("insert into t (a) values ($1)", (1,))
    await edge_home.ask(
        "statements", "all or none", ("create table t (a integer check (a > 0))", ())
    )
    for spoilt in [("insert into t (a) values ($1)", (0,)), ("select nothing", ())]:
        with pytest.raises(Unavailable):
            await edge_home.ask("statements", "all or none", add, spoilt)
    counted = await edge_home.ask("statements", "all or none", add, ("select count(*) from t", ()))
    assert counted == [[], [[1]]]


TABLES = "select name from sqlite_master where name in ('at_alarm', 'looks')"
LOOKED = "update looks set number = number + 1 returning case when number < 3 then $1 + 50000 end"


async def emptied(home: EdgeHome, where: str) -> None:
    async with asyncio.timeout(300):
        while await home.ask("statements", where, (TABLES, ())) != [[]]:
            continue


@pytest.mark.parametrize("answer", ["select null where $1 > 0", LOOKED])
async def test_an_object_is_asked_by_its_alarm_until_nothing_of_it_counts_and_then_emptied(
    edge_home: EdgeHome, answer: str
) -> None:
    where = f"alarmed by {answer[:6]}"
    steps = [
        ("create table at_alarm (statement text)", ()),
        ("create table looks (number integer)", ()),
        ("insert into at_alarm (statement) values ($1)", (answer,)),
        ("insert into looks (number) values (0)", ()),
    ]
    assert await edge_home.ask("new", where, 1, *steps) == ""
    await emptied(edge_home, where)


async def test_a_new_object_leaves_itself_the_statement(meter: Meter, edge_home: EdgeHome) -> None:
    assert isinstance(await meter.take([rate("{new}", 5)]), Lease)
    asked = ("select statement from at_alarm", ())
    assert await edge_home.ask("statements", "counts:new", asked) == [[[sql.LASTS]]]
