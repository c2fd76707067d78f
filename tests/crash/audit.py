"""Holds the gateway's books beside the provider's meter: cases.md's words, as a pure function."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from tests.crash.asks import FLAKY
from tests.crash.books import Books, Call, Row
from tests.crash.callers import Told
from tests.crash.points import Mode

Kind = Literal["lost", "doubled", "stuck", "wrong"]
IN_FLIGHT = b"idempotency_in_flight"
Keyed = dict[str, list[Row]]


class Finding(NamedTuple):
    """Something that must not be."""

    kind: Kind
    what: str


@dataclass(frozen=True)
class Case:
    """A run's evidence: the books after each crash and at the end, the bill, what callers were told and when."""

    mode: Mode
    crashed: Sequence[Books]
    books: Books
    bill: Sequence[Call]
    told: Sequence[Told] = ()
    """Until the first crash."""
    repeats: Sequence[Told] = ()
    """At the last process."""
    late: bool = False
    """Whether that process looked at the keys only after every lease."""


def audit(case: Case) -> list[Finding]:
    """All that is wrong; nothing where every call is in the books once, for what it cost."""
    return [*_calls(case), *_budgets(case.books), *_keys(case), *_promises(case), *_replays(case)]


def _calls(case: Case) -> Iterator[Finding]:
    rows, calls = _by_request(case.books.rows), defaultdict(list)
    for call in case.bill:
        calls[call.hold].append(call)
    was_open = set[str]().union(*[books.open for books in case.crashed])
    for hold in sorted({*calls, *rows}):
        mine = [row for row in rows.get(hold, []) if not row.cache]
        for finding in _hold(mine, calls[hold], case.mode, hold in was_open):
            yield Finding(finding.kind, f"{hold}: {finding.what}")


def _hold(
    rows: Sequence[Row], calls: Sequence[Call], mode: Mode, was_open: bool
) -> Iterator[Finding]:
    """One hold, its rows and its calls."""
    charged = sum(call.charged for call in calls)
    finals = [row for row in rows if row.stage == "final"]
    announced = {row.attempt for row in rows if row.stage == "dispatched"}
    if any(call.attempt not in announced for call in calls):
        yield Finding("lost", "a call was sent before its dispatched row")
    if not finals:
        if charged:
            yield Finding("lost", f"{charged} were billed and nothing says so")
        if any(row.stage == "reserve" for row in rows):
            yield Finding("stuck", "its hold is still open")
    elif len(finals) > 1:
        yield Finding("doubled", f"it has {len(finals)} final rows")
    elif charged:
        yield from _billed(finals[0], rows, calls, mode)
    else:
        yield from _unbilled(finals[0], rows, mode, was_open)


def _billed(
    final: Row, rows: Sequence[Row], calls: Sequence[Call], mode: Mode
) -> Iterator[Finding]:
    charged, stands = sum(call.charged for call in calls), _stands(rows)
    if final.ended == "released":
        yield Finding("lost", f"{charged} were billed, and it was released")
    elif final.ended == "settled" or mode != "silent":
        if stands != charged:
            yield Finding("wrong", f"it was charged {charged} and {final.ended} at {stands}")
        if _tokens(rows) != _sum([call.tokens for call in calls if call.charged]):
            yield Finding("wrong", f"it took other tokens than {_tokens(rows)}")
    if final.ended == "estimated" and final.amount < charged:
        yield Finding("wrong", f"it was charged {charged}, and estimated at only {final.amount}")
    reserved = sum(row.amount for row in rows if row.stage == "reserve")
    if final.amount > reserved:
        yield Finding("wrong", f"it came to {final.amount}, more than its reserve of {reserved}")


def _unbilled(final: Row, rows: Sequence[Row], mode: Mode, was_open: bool) -> Iterator[Finding]:
    stands = _stands(rows)
    if final.ended == "released":
        if stands:
            yield Finding("wrong", f"it was released at {stands}")
    elif final.ended == "settled" or not was_open or mode == "asked":
        yield Finding("doubled", f"nothing was billed, and it {final.ended} at {stands}")
    elif mode == "late" and stands:
        yield Finding("wrong", f"nothing was billed, and its estimate stands at {stands}")


def _budgets(books: Books) -> Iterator[Finding]:
    """Nothing is reserved once no hold is open, and what was spent is the sum of the ledger."""
    for request_id in books.held:
        yield Finding("stuck", f"{request_id} still holds of a budget")
    for budget in books.budgets:
        if budget.reserved:
            yield Finding("stuck", f"{budget.name} has {budget.reserved} reserved")
        spent = _spent(budget.name, books.rows)
        alike = sum(other.spent for other in books.budgets if other.name == budget.name)
        if alike != spent:
            yield Finding("wrong", f"{budget.name} has spent {alike}, and the ledger says {spent}")


def _spent(name: str, rows: Sequence[Row]) -> int:
    per, _, unit, whose = name.split(":", 3)
    of = {"user": "owner", "tenant": "tenant", "route": "route"}[per]
    ended = [row for row in rows if row.stage in ("final", "correction") and not row.cache]
    mine = [row for row in ended if getattr(row, of) == whose]
    return sum(row.amount if unit == "nanos" else sum(row.tokens) for row in mine)


def _keys(case: Case) -> Iterator[Finding]:
    """What was asked once, or under one key however often, was charged once at most."""
    for told in case.told:
        mark = told.ask.mark
        if mark.startswith("mark-"):
            times = sum(1 for call in case.bill if call.charged and mark in call.text)
            if times > 1:
                yield Finding("doubled", f"{mark} was charged {times} times")


def _promises(case: Case) -> Iterator[Finding]:
    """Whoever had an answer whole before the crash finds it in the books right after it, at the amount told."""
    if not case.crashed:
        return
    rows = case.crashed[0].rows
    for told in case.told:
        if not (told.whole and told.status == 200 and told.headers["x-penstock-cache"] == "miss"):
            continue
        if told.replayed:
            continue
        mine = [row for row in rows if _request(row.request_id) == told.request_id]
        ends = [row for row in mine if row.stage == "final"]
        cost = told.headers.get("x-penstock-cost-nanos")
        if not ends:
            yield Finding("lost", f"{told.request_id} was answered before it was in the books")
        elif cost is not None and int(cost) != sum(row.amount for row in ends):
            yield Finding("wrong", f"{told.request_id} was told to cost {cost}")


def _replays(case: Case) -> Iterator[Finding]:
    """Whoever had an answer whole under a key gets the same bytes at the next process."""
    had = {told.ask.key: told for told in case.told if told.whole and told.status == 200}
    for again in case.repeats:
        first = had.get(again.ask.key)
        if first is None:
            good = (502, 409) if again.ask.body["model"] == FLAKY else (200, 409)
            if again.status not in good or (case.late and _waits(again, case.books)):
                yield Finding("stuck", f"{again.ask.key} gets {again.status}: {again.body[:200]!r}")
        elif (again.status, again.body) != (200, first.body) or not again.replayed:
            yield Finding("wrong", f"{again.ask.key} was answered, and repeated as {again.status}")


def _waits(told: Told, books: Books) -> bool:
    """Whether a key is said to be at work though nothing of it can be: what was ended as billed has a minute for its last bytes."""
    if IN_FLIGHT not in told.body:
        return False
    whose = books.claims.get(told.ask.key, "")
    return not any(
        row.ended in ("settled", "estimated") and _request(row.request_id) == whose
        for row in books.rows
    )


def _by_request(rows: Sequence[Row]) -> Keyed:
    found: Keyed = defaultdict(list)
    for row in rows:
        found[row.request_id].append(row)
    return found


def _stands(rows: Sequence[Row]) -> int:
    return sum(row.amount for row in rows if row.stage in ("final", "correction"))


def _tokens(rows: Sequence[Row]) -> tuple[int, ...]:
    return _sum([row.tokens for row in rows if row.stage in ("final", "correction")])


def _sum(of: Sequence[tuple[int, ...]]) -> tuple[int, ...]:
    return tuple(map(sum, zip(*of, strict=True)))


def _request(hold: str) -> str:
    """The request that a hold is of: its later calls are numbered."""
    return hold.partition(".")[0]
