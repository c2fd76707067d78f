"""The state machine of alerts: what holds of it whatever it reads."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count, pairwise

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from penstock.config.alerting import Alert, Alerting, Channel
from penstock.config.values import Config
from penstock.config.watched import Rule, rules
from penstock.gateway.notices import lines
from penstock.ledger.alerts.states import Event, Reading, State, Timing, begun, step
from penstock.ledger.alerts.turns import (
    MOST_CHANGES,
    MOST_TOLD,
    NO_RULE,
    Notice,
    Readings,
    Told,
    turned,
)

MINUTE = 60_000
timings = st.builds(
    Timing, st.integers(0, 5).map(MINUTE.__mul__), st.integers(0, 5).map(MINUTE.__mul__),
    st.sampled_from([0, 10 * MINUTE]),
)  # fmt: skip
readings = st.lists(
    st.one_of(
        st.none(),
        st.builds(Reading, st.just("s"), st.integers(0, 2), st.booleans()),
    ),
    max_size=60,
)


def played(
    each: list[Reading | None], timing: Timing
) -> Iterator[tuple[int, Reading | None, State | None, Event | None]]:
    state: State | None = None
    names = count()
    for minute, reading in enumerate(each):
        now = minute * MINUTE
        if state is not None:
            state, event = step(state, reading, timing, now)
        elif reading is not None:
            state, event = begun(reading, "budget", timing, now, lambda: f"alr_{next(names)}")
        else:
            event = None
        yield now, reading, state, event


@given(readings, timings)
def test_firing_and_recovery_alternate(each: list[Reading | None], timing: Timing) -> None:
    events = [event for *_, event in played(each, timing) if event in ("firing", "recovered")]
    assert events[::2] == ["firing"] * len(events[::2])
    assert events[1::2] == ["recovered"] * len(events[1::2])


@given(readings, timings)
def test_what_fires_is_over_once_it_is_well_for_long_enough(
    each: list[Reading | None], timing: Timing
) -> None:
    well: list[Reading | None] = [None] * (timing.recover_ms // MINUTE + 1)
    *_, last = played([*each, *well], timing)
    assert last[2] is None


@given(readings, timings)
def test_between_notices_of_one_alert_it_is_worse_or_the_time_is_over(
    each: list[Reading | None], timing: Timing
) -> None:
    told_at, level = 0, 0
    for now, reading, state, event in played(each, timing):
        if event == "firing":
            assert reading is not None
            told_at, level = now, reading.level
        elif event == "worse":
            assert state is not None
            assert state.level > level
            told_at, level = now, state.level
        elif event == "reminder":
            assert timing.repeat_ms
            assert now - told_at >= timing.repeat_ms
            told_at = now


@given(st.lists(st.booleans(), min_size=1, max_size=60), timings)
def test_what_wavers_about_its_threshold_fires_once(ups: list[bool], timing: Timing) -> None:
    # It never goes clearly below: each time it is bad, or holds.
    each: list[Reading | None] = [Reading("s", int(up), True) for up in ups]
    events = [event for *_, event in played(each, timing)]
    assert events.count("firing") <= 1
    assert "recovered" not in events


@given(readings, timings)
def test_it_fires_only_after_it_was_bad_for_as_long_as_the_rule_says(
    each: list[Reading | None], timing: Timing
) -> None:
    bad_since: int | None = None
    for now, reading, _, event in played(each, timing):
        bad = reading is not None and reading.level > 0
        bad_since = (now if bad_since is None else bad_since) if bad else None
        if event == "firing":
            assert bad_since is not None
            assert now - bad_since >= timing.for_ms


@given(readings)
def test_without_reminders_and_times_nothing_is_told_twice_in_a_row(
    each: list[Reading | None],
) -> None:
    told = [event for *_, event in played(each, Timing(0, 0)) if event is not None]
    assert all(
        (one, other) not in {("firing", "firing"), ("recovered", "recovered")}
        for one, other in pairwise(told)
    )
    assert "reminder" not in told


def rule(**more) -> Rule:
    channels = {"ops": Channel("webhook", "https://x.test"), "two": Channel("slack", "https://y.test")}  # fmt: skip
    alert = Alert("budget", **more)
    [made] = rules(Config(alerting=Alerting(channels=channels), alerts=(alert,)))
    return made


def names():
    made = count()
    return lambda prefix: f"{prefix}{next(made)}"


def test_many_subjects_are_one_notice() -> None:
    each = Readings([Reading(f"s{n:03}", 1 + n % 2) for n in range(200)])
    done = turned([rule()], {}, {"budget": each}, 0, names())
    [notice] = done.notices
    assert (len(notice.subjects), notice.more) == (MOST_TOLD, 200 - MOST_TOLD)
    assert notice.level == 2
    assert notice.subjects[0].level == 2
    assert len(done.changes) == 200


def test_more_than_a_turn_can_change_is_left_to_the_next() -> None:
    each = Readings([Reading(f"s{n}", 1) for n in range(MOST_CHANGES + 7)])
    known: dict[tuple[str, str], State] = {}
    told = 0
    for now in (0, MINUTE, 2 * MINUTE):
        done = turned([rule()], known, {"budget": each}, now, names())
        known |= {key: state for key, state in done.changes.items() if state is not None}
        told += sum(len(one.subjects) + one.more for one in done.notices)
    assert told == len(known) == MOST_CHANGES + 7


def test_what_could_not_be_read_stays_as_it_is() -> None:
    known = {("budget", "s"): State("alr_1", "budget", "s", 0, 1, True, 0)}
    assert not turned([rule()], known, {}, MINUTE * 100, names()).changes
    part = {"budget": Readings([], whole=False)}
    assert not turned([rule()], known, part, MINUTE * 100, names()).changes


def test_a_budget_that_is_over_is_well_though_not_all_are_read() -> None:
    state = State("alr_1", "budget", "s", 0, 1, True, 0, 1, {"ends": MINUTE})
    part = {"budget": Readings([], whole=False)}
    done = turned([rule()], {("budget", "s"): state}, part, MINUTE * 10, names())
    assert [one.event for one in done.notices] == ["recovered"]


def test_what_a_clock_wrote_that_was_ahead_lasts_no_longer() -> None:
    ahead = 365 * 24 * 60 * MINUTE
    timing = Timing(0, MINUTE, 10 * MINUTE)
    state = State("alr_1", "budget", "s", ahead, 1, True, ahead, ahead)
    well, event = step(state, None, timing, MINUTE)
    assert well is not None
    assert event is None
    assert step(well, None, timing, 2 * MINUTE) == (None, "recovered")
    bad, _ = step(replace(state, well_since=0), Reading("s", 1), timing, MINUTE)
    assert bad is not None
    assert step(bad, Reading("s", 1), timing, 11 * MINUTE)[1] == "reminder"
    pending, _ = step(State("alr_2", "budget", "s", ahead, 1), Reading("s", 1), Timing(2, 0), 1)
    assert pending is not None
    assert step(pending, Reading("s", 1), Timing(2, 0), 3)[1] == "firing"


def test_that_a_rule_is_no_more_is_told_to_whom_it_told() -> None:
    mine = rule(to=("two",), name="mine")
    made = turned([mine], {}, {"mine": Readings([Reading("s", 1)])}, 0, names())
    known = {key: state for key, state in made.changes.items() if state is not None}
    going = turned([], known, {}, MINUTE, names())
    known |= {key: state for key, state in going.changes.items() if state is not None}
    [over] = turned([], known, {}, 6 * MINUTE, names()).notices
    assert (over.event, over.to) == ("recovered", ("two",))
    assert over.subjects[0].facts["reason"] == NO_RULE
    assert lines(over) == ["s: watched by no rule any more, after 6 min"]


def test_a_name_that_another_kind_of_rule_has_now_ends_what_was_told_by_it() -> None:
    facts: dict[str, str | int | float] = {
        "used_share": 0.9,
        "unit": "nanos",
        "cap": 1,
        "forecast_share": 0.0,
        "ends": 9,
    }
    known = {("budget", "all"): State("alr_1", "errors", "all", 0, 1, True, 0)}
    reads = {"budget": Readings([Reading("all", 1, facts=facts)])}
    done = turned([rule()], known, reads, MINUTE, names())
    assert [(one.event, one.kind) for one in done.notices] == [("recovered", "errors")]
    assert done.changes == {("budget", "all"): None}
    [begins] = turned([rule()], {}, reads, 2 * MINUTE, names()).notices
    assert (begins.event, begins.kind) == ("firing", "budget")


def test_a_notice_of_another_version_can_be_told() -> None:
    for kind in ("budget", "errors", "spend_rate", "hit_rate", "provider_down", "backend_down", "new"):  # fmt: skip
        notice = Notice("ntc_1", 0, "firing", kind, kind, 1, (Told("alr_1", "s", 1, 0, {"a": 1}),))
        assert lines(notice) == ["s"]


def test_a_notice_goes_where_its_rule_says() -> None:
    def of(made: Rule) -> Notice:
        [one] = turned([made], {}, {made.name: Readings([Reading("s", 1)])}, 0, names()).notices
        return one

    assert of(rule()).to == ("ops", "two")
    assert of(rule(to=("two",), name="mine")).to == ("two",)
