"""What becomes of one subject of one rule: nothing, pending, firing, and well again. A state machine, told what was read; it reads nothing itself.

It fires once what it watches is bad for as long as the rule says, and is over once it was clearly well (`holds` is false) for
as long as the rule says: so what wavers about a threshold fires once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

from msgspec import Struct, field
from msgspec.structs import replace

Event = Literal["firing", "worse", "reminder", "recovered"]
Facts = Mapping[str, str | int | float]
WARNING, CRITICAL = 1, 2


class Reading(Struct, frozen=True):
    """How a subject stands now: `level` is 0 where it is not bad, and `holds` says whether it is not clearly well either."""

    subject: str
    level: int
    holds: bool = False
    facts: Facts = field(default_factory=dict)


class State(Struct, frozen=True):
    """What is pending or firing; times in milliseconds. `alert` names this time from its first notice to its recovery."""

    alert: str
    kind: str
    subject: str
    since: int
    level: int
    firing: bool = False
    told_at: int = 0
    well_since: int = 0
    facts: Facts = field(default_factory=dict)
    to: tuple[str, ...] = ()
    """The channels of its rule, for when that is no more."""


class Timing(Struct, frozen=True):
    """How long it must be bad, and well; and after how long it is told again (0: never)."""

    for_ms: int
    recover_ms: int
    repeat_ms: int = 0


Step = tuple[State | None, Event | None]


def begun(reading: Reading, kind: str, timing: Timing, now: int, new: Callable[[], str]) -> Step:
    """Of a subject that was well."""
    if not reading.level:
        return None, None
    state = State(new(), kind, reading.subject, now, reading.level, facts=reading.facts)
    return step(state, reading, timing, now)


def step(state: State, reading: Reading | None, timing: Timing, now: int) -> Step:
    """Of one that was not; None was read where nothing is known of it any more, which counts as well."""
    state, level = _not_ahead(state, now), reading.level if reading is not None else 0
    if not state.firing:
        return _pending(state, reading, timing, now) if level else (None, None)
    if reading is not None and (level or reading.holds):
        return _lasting(state, reading, timing, now)
    since = state.well_since or now
    if now - since >= timing.recover_ms:
        return None, "recovered"
    return replace(state, well_since=since), None


def _not_ahead(state: State, now: int) -> State:
    """Without times that are still to come, which a clock wrote that was ahead: else it would last until they came."""
    since, told_at, well_since = (min(at, now) for at in (state.since, state.told_at, state.well_since))  # fmt: skip
    return replace(state, since=since, told_at=told_at, well_since=well_since)


def _pending(state: State, reading: Reading | None, timing: Timing, now: int) -> Step:
    assert reading is not None
    state = replace(state, level=reading.level, facts=reading.facts)
    if now - state.since < timing.for_ms:
        return state, None
    return replace(state, firing=True, told_at=now), "firing"


def _lasting(state: State, reading: Reading, timing: Timing, now: int) -> Step:
    worse = reading.level > state.level
    # What was told as critical stays so until it is over: else each wavering would be told.
    state = replace(state, well_since=0, facts=reading.facts, level=max(reading.level, state.level))
    if worse:
        return replace(state, told_at=now), "worse"
    if timing.repeat_ms and now - state.told_at >= timing.repeat_ms:
        return replace(state, told_at=now), "reminder"
    return state, None
