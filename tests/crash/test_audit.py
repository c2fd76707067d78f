"""The comparison itself: it finds nothing in right books, and each thing that must not be in wrong ones."""

from __future__ import annotations

from dataclasses import replace

import httpx
import pytest

from tests.crash.asks import POOR, Ask, asks, probe
from tests.crash.audit import Case, Kind, audit
from tests.crash.books import Books, Budget, Call, Row
from tests.crash.callers import Told
from tests.crash.points import BRIEF, BY_NAME, POINTS, first_of
from tests.crash.series import dealt

BLANK = Row("req_1", 0, "", "", "", "", "", 0, 0, 0, 0, 0, "", "")
USED = (7, 0, 0, 3)
RESERVE = BLANK._replace(stage="reserve", owner="o", tenant="t", route="r", amount=100)
SENT = BLANK._replace(stage="dispatched", attempt=1, input=20, output=20)
SETTLED = RESERVE._replace(
    stage="final", attempt=1, ended="settled", input=7, output=3, amount=40, sub="rich"
)
RELEASED = SETTLED._replace(ended="released", input=0, output=0, amount=0)
ESTIMATED = SETTLED._replace(ended="estimated", input=20, output=20, amount=90)
CORRECTION = SETTLED._replace(stage="correction", input=-13, output=-17, amount=-50)
HIT = SETTLED._replace(request_id="req_2", cache="hit", amount=0)
CALL = Call("req_1", 1, 40, USED, "one two mark-0001")
UNBILLED = CALL._replace(charged=0)
OPEN = Books([RESERVE, SENT])
ANSWERED = Told(
    Ask("mark-0001", "/", {"model": "m"}, key="k"), True, 200,
    httpx.Headers({"x-request-id": "req_1", "x-penstock-cache": "miss", "x-penstock-cost-nanos": "40"}), b"hi",
)  # fmt: skip
AGAIN = replace(ANSWERED, headers=httpx.Headers({"x-penstock-replayed": "req_1"}))
IN_FLIGHT = replace(ANSWERED, status=409, body=b'{"code":"idempotency_in_flight"}')


def books(*ends: Row, budgets: tuple[Budget, ...] = (), held: tuple[str, ...] = ()) -> Books:
    return Books([RESERVE, SENT, *ends], budgets, held, {"k": "req_1"})


RIGHT = {
    "settled": Case("asked", [OPEN], books(SETTLED), [CALL]),
    "a hit of the cache": Case("asked", [OPEN], books(SETTLED, HIT), [CALL]),
    "never sent, as the provider says": Case("asked", [OPEN], books(RELEASED), []),
    "sent and refused": Case("asked", [OPEN], books(RELEASED), [UNBILLED]),
    "never sent, and nobody to say so": Case("silent", [OPEN], books(ESTIMATED), []),
    "estimated": Case("silent", [OPEN], books(ESTIMATED), [CALL]),
    "corrected": Case("late", [OPEN], books(ESTIMATED, CORRECTION), [CALL]),
    "corrected to nothing": Case(
        "late", [OPEN], books(ESTIMATED, CORRECTION._replace(amount=-90)), []
    ),
    "budgets": Case(
        "asked", [OPEN], books(SETTLED, budgets=(
            Budget("user:day:nanos:o", 0, 40), Budget("tenant:day:tokens:t", 0, 10), Budget("route:day:nanos:else", 0, 0),
        )), [CALL],
    ),
    "told and repeated": Case(
        "asked", [books(SETTLED)], books(SETTLED), [CALL], [ANSWERED], [AGAIN]
    ),
    "cut, and at work until its lease is over": Case(
        "asked", [OPEN], books(SETTLED), [CALL], [replace(ANSWERED, whole=False)], [IN_FLIGHT]
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", RIGHT)
def test_nothing_is_found_in_right_books(name: str) -> None:
    assert audit(RIGHT[name]) == []


WRONG: list[tuple[Kind, str, Case]] = [
    ("lost", "no hold at all", Case("asked", [], Books(), [CALL])),
    ("lost", "released", Case("asked", [OPEN], books(RELEASED), [CALL])),
    ("lost", "sent unannounced", Case("asked", [], books(SETTLED), [CALL._replace(attempt=2)])),
    ("lost", "answered first", Case("asked", [OPEN], books(SETTLED), [CALL], [ANSWERED], [AGAIN])),
    ("stuck", "open", Case("silent", [OPEN], OPEN, [])),
    ("stuck", "held", Case("asked", [OPEN], books(SETTLED, held=("req_1",)), [CALL])),
    ("stuck", "reserved", Case(
        "asked", [OPEN], books(SETTLED, budgets=(Budget("user:day:nanos:o", 1, 40),)), [CALL])),
    ("stuck", "a key that waits for ever", Case(
        "asked", [OPEN], books(RELEASED), [], [replace(ANSWERED, whole=False)], [IN_FLIGHT], late=True)),
    ("doubled", "two final rows", Case(
        "asked", [OPEN], books(SETTLED, SETTLED._replace(attempt=2)), [CALL])),
    ("doubled", "settled for nothing", Case("asked", [OPEN], books(SETTLED), [])),
    ("doubled", "estimated though the provider says no", Case("asked", [OPEN], books(ESTIMATED), [])),
    ("doubled", "estimated, and not in the air", Case("silent", [], books(ESTIMATED), [])),
    ("doubled", "a key charged twice", Case(
        "asked", [OPEN], books(SETTLED, *[row._replace(request_id="req_3") for row in (RESERVE, SENT, SETTLED)]),
        [CALL, CALL._replace(hold="req_3")], [replace(ANSWERED, whole=False)])),
    ("wrong", "another amount", Case("asked", [OPEN], books(SETTLED._replace(amount=41)), [CALL])),
    ("wrong", "other tokens", Case("asked", [OPEN], books(SETTLED._replace(output=4)), [CALL])),
    ("wrong", "too low an estimate", Case(
        "silent", [OPEN], books(ESTIMATED._replace(amount=39)), [CALL])),
    ("wrong", "beyond its reserve", Case(
        "silent", [OPEN], books(ESTIMATED._replace(amount=101)), [CALL])),
    ("wrong", "never corrected", Case(
        "late", [OPEN], books(ESTIMATED._replace(input=7, output=3)), [CALL])),
    ("wrong", "not corrected to nothing", Case("late", [OPEN], books(ESTIMATED), [])),
    ("wrong", "released at a price", Case(
        "asked", [OPEN], books(RELEASED._replace(amount=1)), [])),
    ("wrong", "a budget beside the ledger", Case(
        "asked", [OPEN], books(SETTLED, budgets=(Budget("user:day:nanos:o", 0, 39),)), [CALL])),
    ("wrong", "told another cost", Case(
        "asked", [books(SETTLED._replace(amount=39))], books(SETTLED), [CALL], [ANSWERED], [AGAIN])),
    ("wrong", "another answer under a key", Case(
        "asked", [books(SETTLED)], books(SETTLED), [CALL], [ANSWERED], [replace(AGAIN, body=b"ho")])),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "name", "case"), WRONG, ids=[name for _, name, _ in WRONG])
def test_each_wrong_is_found(kind: Kind, name: str, case: Case) -> None:
    assert {finding.kind for finding in audit(case)} == {kind}


def test_the_load_is_the_same_for_a_seed_and_holds_every_kind() -> None:
    def some(seed: str) -> list[Ask]:
        found = asks(seed)
        return [next(found) for _ in range(60)]

    assert some("1:2") == some("1:2")
    assert some("1:2") != some("1:3")
    round_of = some("1:2")[:30]
    assert {bool(ask.key) for ask in round_of} == {True, False}
    assert any(ask.leave_after for ask in round_of)
    assert {ask.sub for ask in round_of} >= {POOR}
    assert probe(1).key == ""


def test_every_point_is_dealt_before_any_comes_again() -> None:
    names = [point.name for point in dealt(2 * len(POINTS), 3)]
    assert sorted(names[: len(POINTS)]) == sorted(BY_NAME) == sorted(names[len(POINTS) :])
    assert dealt(5, 3) == dealt(7, 3)[:5]
    assert len(BY_NAME) == len(POINTS)
    assert set(BRIEF) <= BY_NAME.keys()
    assert {name for point in POINTS for name in first_of(point)} <= BY_NAME.keys()
