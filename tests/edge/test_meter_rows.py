"""The meter's statements against the memory home's counts, where a log has many rows: in CPython's SQLite, which is quick."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import apsw
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.platforms.cloudflare import sql
from penstock.platforms.memory.counts import Leak, Log

WINDOW = 60_000_000
LIMIT = 20
START = 1_790_000_000_000_000
BOUND = f"< {sql.MOST_LOG}"

takes = st.tuples(st.just("take"), st.integers(0, 20_000_000), st.integers(0, 6))
changes = st.tuples(st.just("change"), st.integers(0, 19), st.integers(0, 9))
scenarios = st.lists(st.one_of(takes, takes, takes, changes), max_size=60)


class Counts:
    """An object's storage, whose logs begin another row after two entries."""

    def __init__(self) -> None:
        self.database = apsw.Connection(":memory:")
        for statement in sql.SCHEMA:
            self.run(statement)

    def run(self, text: str, *args: Any) -> list[Sequence[Any]]:
        """Whole numbers go as JavaScript has them."""
        assert text not in (sql.TAKE, sql.LATE) or BOUND in text
        given = [float(arg) if isinstance(arg, int) else arg for arg in args]
        return list(self.database.execute(text.replace(BOUND, "< 40"), given))

    def take(self, now: int, kind: str, amount: int) -> tuple[int, int, int]:
        """(wait, what remains, when it is whole again) of one demand."""
        asked = json.dumps([[0, 0, kind, "n", LIMIT, WINDOW, amount]])
        [(_, at, *outcome)] = self.run(sql.DECIDE, now, asked, 1)
        assert at == now
        self.run(sql.TAKE, now, asked)
        return tuple(outcome)

    def change(self, at: int, kind: str, amount: int, used: int, now: int) -> None:
        if kind == "g":
            self.run(sql.REFILL, "n", (used - amount) * WINDOW, at, LIMIT)
        elif amount:
            self.run(sql.CHANGE, str(at + WINDOW), used - amount, "n")
        else:
            self.run(sql.LATE, "n", used, now, at + WINDOW)

    def rows(self) -> int:
        return len(self.run("select 1 from counts"))


@pytest.mark.parametrize(("kind", "make"), [("l", Log), ("g", Leak)])
@given(scenario=scenarios)
def test_they_count_as_memory_does(kind: str, make: type[Log | Leak], scenario: list) -> None:
    counts, model, now = Counts(), make(), START
    taken: list[tuple[int, int]] = []
    for what, first, second in scenario:
        if what == "take":
            now += first
            if kind == "g":
                taken.clear()  # what is given back later leaks here from when it was taken, there from the last take
            outcome = model.take(now, WINDOW, LIMIT, second)
            assert counts.take(now, kind, second) == outcome
            if not outcome[0]:
                taken.append((now, second))
        elif taken:
            at, amount = taken.pop(first % len(taken))
            # Later than a window what was used of nothing counts no more, which memory leaves to its shelf.
            if second != amount and (amount or kind == "g" or at + WINDOW > now):
                model.change(at, WINDOW, amount, second)
                counts.change(at, kind, amount, second, now)
    assert counts.take(now, kind, 0) == model.take(now, WINDOW, LIMIT, 0)


def test_rows_are_used_again_rather_than_added() -> None:
    counts = Counts()
    for second in range(600):
        counts.take(START + second * 1_000_000, "l", int(second % 3 == 0))
    assert 2 < counts.rows() <= LIMIT


DAY = sql.SWEEP_MS * 1_000


def named(kind: str, window: int) -> str:
    return json.dumps([kind, "chat", window, "rate:u"])


@pytest.mark.parametrize(("kind", "window"), [("l", 3_600), ("p", 660), ("g", 604_800)])
def test_an_object_is_kept_as_long_as_something_of_it_counts(kind: str, window: int) -> None:
    counts = Counts()
    asked = json.dumps([[0, 0, kind, named(kind, window), LIMIT, window * 1_000_000, 1]])
    counts.run(sql.TAKE, START, asked)
    ends = START + window * 1_000_000
    assert counts.run(sql.LASTS, ends - 1) == [(max(ends, ends - 1 + DAY),)]
    assert counts.run(sql.LASTS, START) == [(max(ends, START + DAY),)]
    assert counts.run(sql.LASTS, ends) == [(None,)]


def test_so_is_one_with_a_mark() -> None:
    counts = Counts()
    counts.run(sql.MARK, "key", START + 9 * DAY)
    assert counts.run(sql.LASTS, START) == [(START + 9 * DAY,)]
    assert counts.run(sql.LASTS, START + 9 * DAY) == [(None,)]


def test_nothing_of_an_object_counts_where_all_was_given_back() -> None:
    counts, window = Counts(), 3_600_000_000
    counts.run(sql.TAKE, START, json.dumps([[0, 0, "l", named("l", 3_600), LIMIT, window, 1]]))
    counts.run(sql.CHANGE, str(START + window), -1, named("l", 3_600))
    assert counts.run(sql.LASTS, START) == [(None,)]
    assert Counts().run(sql.LASTS, START) == [(None,)]


def test_the_statement_is_left_once() -> None:
    counts = Counts()
    for _ in range(2):
        counts.run(sql.LEAVE, sql.LASTS)
    assert counts.run("select statement from at_alarm") == [(sql.LASTS,)]
