"""One turn of judging: from states and readings to states and notices. Pure: what it decides is written by one batch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from msgspec import Struct, field
from msgspec.structs import replace

from penstock.config.watched import RECOVER_MINUTES, Rule
from penstock.ledger.alerts.states import Event, Facts, Reading, State, Step, Timing, begun, step

MOST_CHANGES = 500
"""Subjects that change in one turn: what is left, the next one does."""
MOST_TOLD = 50
"""Subjects in one notice; of more it says the number."""
MOST_FIRING = 2_000
"""Of a rule, pending ones included."""
GONE = Timing(0, RECOVER_MINUTES * 60_000)
"""Of a rule that is no more."""
NO_RULE = "no_rule"
"""Why something is told as over that nobody knows to be well."""


class Readings(Struct, frozen=True):
    """What a rule read. Where it is not `whole`, what is missing may be anything, and stays as it is."""

    each: Sequence[Reading]
    whole: bool = True


class Told(Struct, frozen=True):
    """One subject in a notice; `alert` is the same from the first notice of it to its recovery."""

    alert: str
    subject: str
    level: int
    since: int
    facts: Facts = field(default_factory=dict)


class Notice(Struct, frozen=True):
    """What is told: one rule, one event, all subjects that it came to. Its receivers know a repeat by `id`."""

    id: str
    at: int
    event: str
    rule: str
    kind: str
    level: int
    subjects: tuple[Told, ...]
    more: int = 0
    to: tuple[str, ...] = ()


class Turned(Struct, frozen=True):
    """What a turn comes to: states by rule and subject (None: it is over), and what is told."""

    changes: Mapping[tuple[str, str], State | None]
    notices: Sequence[Notice]


Known = Mapping[tuple[str, str], State]


def turned(
    rules: Sequence[Rule],
    known: Known,
    readings: Mapping[str, Readings],
    now: int,
    new: Callable[[str], str],
    most: int = MOST_CHANGES,
) -> Turned:
    """Of rules that read something (those that could not stay as they are), and of states of rules that are no more."""
    changes: dict[tuple[str, str], State | None] = {}
    notices: list[Notice] = []
    by_name = {rule.name: rule for rule in rules}
    for name in sorted({*by_name, *(rule for rule, _ in known)}):
        rule, read = by_name.get(name), readings.get(name)
        if rule is not None and read is None:
            continue
        of = {subject: state for (one, subject), state in known.items() if one == name}
        events: dict[Event, list[State]] = {}
        for subject, before, (stepped, event) in _steps(rule, of, read, now, new):
            if len(changes) >= most:
                break
            state = replace(stepped, to=rule.to) if stepped is not None and rule else stepped
            if event is not None or not _same(state, before):
                changes[name, subject] = state
            if event is not None and (told := state or before) is not None:
                events.setdefault(event, []).append(told)
        notices += [_notice(name, rule, event, told, now, new) for event, told in events.items()]
    return Turned(changes, notices)


def _steps(
    rule: Rule | None, known: Mapping[str, State], read: Readings | None, now: int, new: Callable[[str], str]
) -> Iterable[tuple[str, State | None, Step]]:  # fmt: skip
    timing = Timing(rule.for_ms, rule.recover_ms, rule.repeat_ms) if rule else GONE
    given = {one.subject: one for one in (read.each if read else ())}
    for subject, state in known.items():
        if rule is not None and state.kind != rule.kind:  # another rule has the name now
            yield subject, state, (None, "recovered" if state.firing else None)
            continue
        if subject not in given and read is not None and not read.whole and _lasts(state, now):
            continue
        yield subject, state, step(state, given.get(subject), timing, now)
    room = MOST_FIRING - len(known)
    for subject, reading in given.items():
        if subject not in known and reading.level and room > 0 and rule is not None:
            room -= 1
            yield subject, None, begun(reading, rule.kind, timing, now, lambda: new("alr_"))


def _same(state: State | None, before: State | None) -> bool:
    """Whether nothing changed but what was read, which is written where it is told: else each turn wrote all that fires."""
    if state is None or before is None:
        return state is before
    return replace(state, facts=before.facts) == before


def _lasts(state: State, now: int) -> bool:
    """Whether a budget that is among too many still runs; other kinds know no end."""
    ends = state.facts.get("ends", 0)
    return not isinstance(ends, int) or not ends or ends > now


def _notice(
    name: str, rule: Rule | None, event: Event, told: Sequence[State], now: int, new: Callable[[str], str]
) -> Notice:  # fmt: skip
    first = sorted(told, key=lambda one: (-one.level, one.subject))
    subjects = [Told(one.alert, one.subject, one.level, one.since, _facts(one, rule)) for one in first]  # fmt: skip
    return Notice(
        new("ntc_"), now, event, name, first[0].kind, first[0].level, tuple(subjects[:MOST_TOLD]),
        max(0, len(subjects) - MOST_TOLD), rule.to if rule else _together(told),
    )  # fmt: skip


def _facts(state: State, rule: Rule | None) -> Facts:
    """What is told with a subject: where its rule is no more, that too, for then nobody knows whether it is well."""
    watched = rule is not None and rule.kind == state.kind
    return state.facts if watched else {**state.facts, "reason": NO_RULE}


def _together(told: Sequence[State]) -> tuple[str, ...]:
    """Whoever was told that any of them began; empty: all."""
    each = [one.to for one in told]
    return tuple(sorted({name for to in each for name in to})) if all(each) else ()
