"""Notices on their way: one for each change however many processes judge and wherever one dies, and receivers that are away."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from penstock.errors import Failed, NotSent, Unavailable, Unheard
from penstock.gateway import alerting
from penstock.gateway.upkeep import upkeep
from penstock.ledger import alerts
from penstock.ledger.alerts import LEASE_MS, MOST_WAITING, TURN_MS
from penstock.ports import Row, Statement
from penstock.wire.http import Response
from tests.path.alerts import CHANNELS, MAIL, SLACK, Watched
from tests.path.test_alerts import BUDGET, only
from tests.path.world import read

NEAR = "update budgets set spent = 900000000"
WELL = "update budgets set spent = 0"


async def near(channels: str = CHANNELS, **more: Any) -> Watched:
    """A budget that is near its end, of which nobody was told yet."""
    made = Watched(only("budget") + BUDGET.replace("day", "month"), channels)
    await read(await made.chat())
    await made.minutes()
    await made.platform.tables.batch((NEAR, ()))
    return made


async def outcomes(made: Watched) -> list[tuple[Any, ...]]:
    sql = "select channel, attempts, status, outcome from alert_deliveries order by id"
    return [*map(tuple, await made.platform.tables.rows(sql))]


async def test_many_processes_tell_once() -> None:
    made = await near()
    others = [made.beside() for _ in range(4)]
    made.platform.clock.advance(60)
    await asyncio.gather(*[upkeep(one) for one in (made.gateway, *others)])
    await made.minutes(20, *others)
    await made.platform.tables.batch((WELL, ()))
    await made.minutes(20, *others)
    assert made.events == [("budget", "firing"), ("budget", "recovered")]
    assert len({one["id"] for one in made.sent}) == 2


async def test_two_that_judge_at_once_change_nothing_twice() -> None:
    made = await near()
    made.platform.clock.advance(60)
    first = await alerts.turn(made.platform.tables, alerting._now(made.gateway))
    assert first is not None
    # It stands still until its turn is another's; what it then writes is refused.
    made.platform.clock.advance(TURN_MS / 1000)
    await upkeep(made.gateway)
    from penstock.errors import Conflict
    from penstock.ledger.alerts.turns import Turned

    with pytest.raises(Conflict, match=alerts.MOVED):
        await alerts.write(made.platform.tables, first, Turned({}, []), 0, "[]", ("ops",))
    assert made.events == [("budget", "firing")]


class Dying:
    """Tables whose batches with a word in them fail once: before they are written, or after."""

    def __init__(self, made: Watched, word: str, *, after: bool) -> None:
        self.tables, self.word, self.after = made.platform.tables, word, after
        self.died = 0

    async def batch(self, *statements: Statement) -> Sequence[Sequence[Row]]:
        dies = self.word in statements[0][0] and not self.died
        if dies and not self.after:
            self.died += 1
            raise Unheard
        done = await MEMORY_BATCH(self.tables, *statements)
        if dies:
            self.died += 1
            raise Unheard
        return done


from penstock.platforms.memory.tables import MemoryTables  # noqa: E402 - beside what it is for

MEMORY_BATCH = MemoryTables.batch


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize(
    "word", ["set version", "set lease_until", "set due_at", "set outcome"],
    ids=["the turn's end", "its claim", "the claim of a notice", "its end"],
)  # fmt: skip
async def test_a_crash_between_any_two_steps_loses_no_notice(word, after, monkeypatch) -> None:
    made = await near()
    dying = Dying(made, word, after=after)
    monkeypatch.setattr(MemoryTables, "batch", lambda _, *statements: dying.batch(*statements))
    made.platform.clock.advance(60)
    with pytest.raises(Unavailable):
        await upkeep(made.gateway)
    assert dying.died == 1
    await made.minutes(5)
    told = {one["id"] for one in made.sent}
    assert len(told) == 1
    assert {event for _, event in made.events} == {"firing"}
    # Where it was sent before the crash it comes once more, under the same id.
    assert len(made.sent) == (2 if word == "set outcome" and not after else 1)


async def test_a_receiver_that_is_away_is_told_all_in_order_when_it_is_back() -> None:
    made = await near()

    def away(request: Any) -> Response:
        raise NotSent

    made.answer = away
    await made.minutes(10)
    await made.platform.tables.batch((WELL, ()))
    await made.minutes(10)
    assert made.sent == []
    assert [row[3] for row in await outcomes(made)] == ["", ""]
    tries = len(made.posts)
    assert tries < 12
    made.answer = lambda request: Response(204)
    made.answer = lambda request: Response(200)
    await made.minutes(31)
    assert made.events == [("budget", "firing"), ("budget", "recovered")]
    told = await made.told()
    assert told["channels"][0]["delivered"] == 2
    assert [one["deliveries"][0]["status"] for one in told["notices"]] == ["http 200", "http 200"]


async def test_a_clock_that_was_ahead_holds_up_nothing() -> None:
    made = await near()
    made.platform.clock.advance(300 * 86_400.0)
    made.answer = lambda request: Response(503)
    await read(await made.chat())
    await made.platform.tables.batch(("update budgets set spent = 900000000", ()))
    await made.minutes(2)
    assert [row[3] for row in await outcomes(made)] == [""]
    made.answer = lambda request: Response(200)
    made.platform.clock.advance(-300 * 86_400.0)
    await made.minutes(2)
    assert made.events == [("budget", "firing")]
    await made.platform.tables.batch((WELL, ()))
    await made.minutes(8)
    assert made.events[1:] == [("budget", "recovered")]


async def test_a_channel_is_left_behind_by_tries_where_no_time_passes(monkeypatch) -> None:
    monkeypatch.setattr("penstock.ledger.alerts.MOST_ATTEMPTS", 3)
    made = await near()
    made.answer = lambda request: Response(503)
    for _ in range(6):
        await made.minutes()
        await made.platform.tables.batch(("update alert_deliveries set due_at = 0", ()))
    assert [row[3] for row in await outcomes(made)] == ["given_up"]
    assert len(made.posts) == 3


async def test_one_that_stays_away_is_given_up_after_a_day_and_counted(caplog) -> None:
    made = await near()
    made.answer = lambda request: Response(500, body=b"a secret of theirs")
    await made.minutes(60)
    made.platform.clock.advance(24 * 3600)
    await made.minutes(2)
    [row, *_] = await outcomes(made)
    assert (row[2], row[3]) == ("http 500", "given_up")
    assert (await made.told())["channels"][0]["given_up"] == 1
    assert "given up" in caplog.text
    assert "secret" not in caplog.text
    assert "hooks.test" not in caplog.text


async def test_a_channel_that_hangs_holds_up_no_other() -> None:
    made = await near(CHANNELS + SLACK)
    never = asyncio.Event()

    async def hang(request: Any) -> Response:
        if b"hooks.test" in request.target:
            await never.wait()
        return Response(200)

    made.answer = hang
    made.platform.clock.advance(60)
    running = asyncio.ensure_future(upkeep(made.gateway))
    await made.platform.clock.run(40)
    await running
    assert sorted((row[0], row[3]) for row in await outcomes(made)) == [
        ("chat", "delivered"),
        ("ops", ""),
    ]


async def test_what_waits_for_a_channel_has_a_bound() -> None:
    made = await near()
    rows = [
        ("insert into alert_deliveries (id, notice, channel, at, due_at, attempts, status, outcome, ended_at)"
         " values ($1, 'ntc_0', 'ops', 0, $2, 0, '', '', 0)", (f"ntc_0{each:05}:ops", int((made.platform.clock.now() + 1_800) * 1000)))
        for each in range(MOST_WAITING)
    ]  # fmt: skip
    await made.platform.tables.batch(*rows)
    await made.minutes()
    counted = (await made.told())["channels"][0]
    assert (counted["waiting"], counted["dropped"]) == (MOST_WAITING, 1)


async def test_a_channel_that_is_no_more_ends_what_waits_for_it() -> None:
    made = await near(CHANNELS + SLACK)
    made.answer = lambda request: Response(500)
    await made.minutes()
    made.gateway.config = Watched(only("budget") + BUDGET).gateway.config
    made.answer = lambda request: Response(200)
    await made.minutes(3)
    assert ("chat", 2, "no_channel", "given_up") in await outcomes(made)


async def test_mail_that_is_refused_is_tried_again() -> None:
    made = await near(MAIL)
    refusals = [Failed(processed="no", upstream_status=451)]

    def refuses(letter: Any, server: Any) -> Sequence[str]:
        if refusals:
            raise refusals.pop()
        return ["me@example.com"]

    made.platform.mail.handler = refuses
    await made.minutes()
    assert await outcomes(made) == [("post", 1, "smtp 451", "")]
    await made.minutes()
    assert await outcomes(made) == [("post", 2, "taken, not for 1", "delivered")]
    [letter] = made.platform.mail.letters
    assert letter.id.endswith(".post")


async def test_old_notices_are_dropped() -> None:
    made = await near()
    await made.minutes()
    assert len(await outcomes(made)) == 1
    made.platform.clock.advance(41 * 24 * 3600)
    made.platform.clock.advance(3600 - made.platform.clock.now() % 3600 - 60)
    await made.minutes()
    found = await made.platform.tables.rows("select event from alert_notices")
    assert ("firing",) not in found


def test_a_lease_outlasts_what_it_is_for() -> None:
    from penstock.gateway import sending
    from penstock.platforms import mail

    assert max(sending.WHOLE_SECONDS, mail.WHOLE_SECONDS) * 1000 < LEASE_MS
