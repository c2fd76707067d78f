"""What the contract of Meter leaves open, or asks of the place where the count lives."""

from __future__ import annotations

import asyncio

import pytest

from penstock.errors import Unavailable
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
