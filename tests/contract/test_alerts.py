"""The statements of alerts on every Tables: one turn at a time, changes whole or not at all, deliveries in order."""

from __future__ import annotations

import asyncio

import pytest

from penstock.errors import Conflict
from penstock.ledger import alerts, book, days
from penstock.ledger.alerts import BACKOFF_MS, LEASE_MS, MOST_WAITING, MOVED, PATIENCE_MS, TURN_MS
from penstock.ledger.alerts import sql as statements
from penstock.ledger.alerts.reads import Names, outcomes
from penstock.ledger.alerts.states import State
from penstock.ledger.alerts.turns import Notice, Told, Turned
from penstock.ledger.decisions import Decision, row
from penstock.ports import Tables
from penstock.wire.chat import Usage

NOW = 1_800_000_000_000
STATE = State("alr_1", "budget", "é ☃'", NOW, 1, True, NOW, 0, {"cap": 2**53 - 1, "name": "a"})


@pytest.fixture
def kept(books: Tables) -> Tables:
    return books


def notice(number: int, at: int = NOW, to: tuple[str, ...] = ()) -> Notice:
    told = Told("alr_1", "s", 1, at, {"share": 0.5})
    return Notice(f"ntc_{number:04}", at, "firing", "budget", "budget", 1, (told,), 0, to)


async def write(kept: Tables, *notices: Notice, channels: tuple[str, ...] = ("one", "two")) -> None:
    turn = await alerts.turn(kept, NOW)
    assert turn is not None
    done = Turned({("budget", STATE.subject): STATE}, notices)
    await alerts.write(kept, turn, done, 0, "[]", channels)


async def test_a_turn_is_one_processes_until_its_time_is_over(kept: Tables) -> None:
    found = await asyncio.gather(*(alerts.turn(kept, NOW) for _ in range(8)))
    [turn] = [one for one in found if one is not None]
    assert await alerts.turn(kept, NOW + TURN_MS - 1) is None
    later = await alerts.turn(kept, NOW + TURN_MS)
    assert later is not None
    await alerts.write(kept, later, Turned({}, ()), NOW + 2 * TURN_MS, "[[1,2,[]]]", ())
    assert await alerts.turn(kept, NOW + 2 * TURN_MS - 1) is None
    next_one = await alerts.turn(kept, NOW + 2 * TURN_MS)
    assert next_one is not None
    assert (next_one.version, next_one.samples) == (turn.version + 1, "[[1,2,[]]]")


async def test_a_turn_that_was_anothers_writes_nothing(kept: Tables) -> None:
    first = await alerts.turn(kept, NOW)
    second = await alerts.turn(kept, NOW + TURN_MS)
    assert first is not None
    assert second is not None
    await alerts.write(kept, second, Turned({}, [notice(1)]), 0, "[]", ("one",))
    late = Turned({("budget", "s"): STATE}, [notice(2)])
    with pytest.raises(Conflict) as refused:
        await alerts.write(kept, first, late, 0, "[]", ("one",))
    assert refused.value.name == MOVED
    assert await alerts.states(kept) == {}
    assert [one.id for one, _ in await alerts.last(kept, 9)] == ["ntc_0001"]


async def test_states_come_back_as_they_were_and_go(kept: Tables) -> None:
    await write(kept, notice(1))
    await write(kept)
    assert await alerts.states(kept) == {("budget", STATE.subject): STATE}
    turn = await alerts.turn(kept, NOW)
    assert turn is not None
    await alerts.write(kept, turn, Turned({("budget", STATE.subject): None}, ()), 0, "[]", ())
    assert await alerts.states(kept) == {}


async def test_a_notice_goes_to_its_channels_alone_and_each_delivery_to_one_process(
    kept: Tables,
) -> None:
    await write(kept, notice(1), notice(2, to=("two", "gone")))
    found = await asyncio.gather(*(alerts.claim(kept, NOW) for _ in range(6)))
    claimed = [(one[0].notice, one[0].channel) for one in found if one is not None]
    assert sorted(claimed) == [
        ("ntc_0001", "one"),
        ("ntc_0001", "two"),
    ]  # the second waits for the first
    for one in found:
        if one is not None:
            assert one[1] == notice(1)
            await alerts.delivered(kept, one[0], "http 200", NOW)
    last = await alerts.claim(kept, NOW)
    assert last is not None
    assert (last[0].notice, last[0].channel, last[0].attempts) == ("ntc_0002", "two", 1)
    assert await alerts.claim(kept, NOW) is None
    assert (await alerts.counts(kept)) == {"one": {"delivered": 1}, "two": {"delivered": 1, "waiting": 1}}  # fmt: skip


async def test_what_fails_is_due_again_later_and_given_up_at_last(kept: Tables) -> None:
    await write(kept, notice(1, to=("one",)))
    now = NOW
    for wait in BACKOFF_MS[:3]:
        found = await alerts.claim(kept, now)
        assert found is not None
        assert not await alerts.failed(kept, found[0], "http 500", now)
        assert not await alerts.due(kept, now + wait - 1)
        now += wait
        assert await alerts.due(kept, now)
    lost = await alerts.claim(kept, now)  # and nothing is heard of it
    assert lost is not None
    assert await alerts.claim(kept, now + LEASE_MS - 1) is None
    again = await alerts.claim(kept, now + LEASE_MS)
    assert again is not None
    # What the first one says of it late changes nothing.
    assert not await alerts.failed(kept, lost[0], "http 500", now)
    assert await alerts.failed(kept, again[0], "x" * 100, NOW + PATIENCE_MS)
    [(_, [told])] = await alerts.last(kept, 1)
    assert told == {"channel": "one", "attempts": 5, "status": "x" * 60, "outcome": "given_up"}


async def test_a_channel_has_room_for_so_many(kept: Tables) -> None:
    for first in range(0, MOST_WAITING + 20, 100):
        await write(kept, *[notice(first + n, to=("one",)) for n in range(100)])
    counted = (await alerts.counts(kept))["one"]
    assert counted == {"waiting": MOST_WAITING, "dropped": 100}


async def test_words_add_up_over_processes(kept: Tables) -> None:
    await asyncio.gather(*(alerts.tell(kept, {"provider:a": 2, "backend:b": 1}, NOW) for _ in range(5)))  # fmt: skip
    await alerts.tell(kept, {"provider:a": 1}, NOW + 60_000)
    assert await alerts.words(kept, NOW) == {"provider:a": 11, "backend:b": 5}
    assert await alerts.words(kept, NOW + 60_000) == {"provider:a": 1}
    assert not await alerts.sweep(kept, NOW + 2 * days.HOUR_MS)
    assert await alerts.words(kept, 0) == {}


async def test_old_notices_go_once_nothing_of_them_waits(kept: Tables) -> None:
    await write(kept, notice(1, to=("one",)), notice(2, to=("one",)))
    found = await alerts.claim(kept, NOW)
    assert found is not None
    await alerts.delivered(kept, found[0], "http 200", NOW)
    assert not await alerts.sweep(kept, NOW + 41 * days.DAY_MS)
    assert [one.id for one, _ in await alerts.last(kept, 9)] == ["ntc_0002"]


async def test_errors_are_summed_by_hour_and_route(kept: Tables) -> None:
    def ended(number: int, status: int, **more) -> Decision:
        return Decision(f"req_{number}", "chat", status=status, **more)

    told = {"route": "auto", "target": "p/m"}
    each = [
        ended(1, 200, **told), ended(2, 502, **told), ended(3, 400, **told), ended(4, 200, route="nobody/knows", target="x/y"),
        ended(5, 504, route="auto", target="p/other"),
    ]  # fmt: skip
    await kept.batch(*[row(one, NOW, "t/a") for one in each])
    names = Names(frozenset({"auto"}), frozenset({"p"}), {})
    hour = NOW // days.HOUR_MS * days.HOUR_MS
    found = await outcomes(kept, names, NOW + 60_000, 1)
    assert found == {(hour, "auto"): (2, 3), (hour, "other"): (0, 1)}


async def test_who_answered_is_read_of_the_ledger(kept: Tables) -> None:
    whose = book.Account("req_1", "t/a", "t", "a", "", "auto", "chat")
    for number, (target, ended, cache, at) in enumerate(
        [("a/m", "settled", "", NOW), ("b/m", "released", "", NOW), ("c/m", "settled", "hit", NOW), ("d/m", "settled", "", NOW - 1)]
    ):  # fmt: skip
        of = book.Account(f"req_{number}", *[getattr(whose, name) for name in whose.__struct_fields__[1:]])  # fmt: skip
        what = book.Charged(target[0], "m", target)
        await kept.batch(book.final(of, 1, ended, at, what, Usage(), 0, cache))  # type: ignore[arg-type]  # as told
    assert [*map(tuple, await kept.rows(statements.ANSWERED, NOW))] == [("a",)]
