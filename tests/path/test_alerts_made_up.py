"""Alerts beside thousands of names that callers made up (`any_model`): no rule is blinded by them."""

from __future__ import annotations

import pytest

from penstock.errors import NotSent
from penstock.ledger.reports.usage import MOST_ROWS
from penstock.wire.http import Response
from tests.path.alerts import HOUR, NOW, Watched
from tests.path.world import read

MANY = MOST_ROWS + 1
FINALS = """
insert into ledger (request_id, attempt, stage, ended, at, service, provider, route, model, target, amount_nanos)
with recursive n(i) as (select 1 union all select i + 1 from n where i < $1)
select 'made' || i || $2, 1, 'final', 'settled', $3, 'chat', 'other', 'aaa/' || i, 'm' || i, 'aaa/' || i, 1 from n
"""


def rule(kind: str, more: str = "") -> str:
    return f'[[alerts]]\nkind = "{kind}"\n{more}\n'


async def made_up(made: Watched, number: int, at: float) -> None:
    await made.platform.tables.batch((FINALS, (number, f"at{at}", int(at * 1000))))


@pytest.mark.parametrize("past", [False, True])
async def test_money_of_a_route_is_told_beside_many_that_callers_made_up(past: bool) -> None:
    made = Watched(rule("spend_rate", 'money = "2.00"\neach = "route"'))
    await made_up(made, MANY, NOW - 5 * HOUR if past else NOW)
    await made.spent(3_000_000_000)
    await made.minutes()
    assert [one["subjects"][0]["subject"] for one in made.sent] == ["auto"]


async def test_so_are_hits_that_became_fewer() -> None:
    made = Watched(rule("hit_rate", 'each = "route"'))
    for hour in range(2, 20):
        await made.spent(0, NOW - hour * HOUR, hits=50, misses=50)
    await made_up(made, MANY, NOW)
    await made.spent(0, hits=20, misses=480)
    await made.minutes()
    assert made.events == [("hit_rate", "firing")]


def down(request: object) -> Response:
    raise NotSent


async def test_a_provider_that_answers_among_many_made_up_targets_is_not_down() -> None:
    made = Watched(rule("provider_down", 'provider = "cheap"'))
    made.provider = down
    for minute in range(6):
        for each in range(4):
            await read(await made.chat(f"{minute} {each}"))
        await made_up(made, 1_500, made.platform.clock.now())
        await made.spent(1)
        await made.minutes()
    assert made.sent == []
