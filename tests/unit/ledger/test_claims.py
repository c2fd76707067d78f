"""Claims as a state machine: whoever makes moves in whatever order, one request of a key is sent."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from penstock.errors import Conflict
from penstock.ledger import claims
from penstock.ledger.claims import LAST_BYTES_MS, PATIENCE_MS, Claim, Found, Step, judge
from penstock.platforms.memory.tables import MemoryTables
from penstock.platforms.migrations import shipped

AT = 1_000_000
OPEN = Found("r", "f", "open", AT)
RESERVED = Step("r", "reserve", "", AT, AT + 5_000)


def final(ended: str, at: int = AT, request_id: str = "r") -> Step:
    return Step(request_id, "final", ended, at, 0)


def test_what_the_row_itself_says() -> None:
    assert judge(OPEN._replace(state="large"), [], AT) == "large"
    assert judge(OPEN._replace(state="lost"), [final("released")], AT) == "unknown"


def test_a_claim_without_a_hold_is_believed_for_a_while() -> None:
    assert judge(OPEN, [], AT + PATIENCE_MS - 1) == "in_flight"
    assert judge(OPEN, [], AT + PATIENCE_MS) == "unstarted"


def test_a_hold_is_believed_as_long_as_its_lease() -> None:
    assert judge(OPEN, [RESERVED], AT + 4_999) == "in_flight"
    assert judge(OPEN, [RESERVED], AT + 5_000) == "unknown"


def test_a_settled_hold_is_believed_until_its_last_bytes_are_out() -> None:
    steps = [RESERVED, final("settled")]
    assert judge(OPEN, steps, AT + LAST_BYTES_MS - 1) == "in_flight"
    assert judge(OPEN, steps, AT + LAST_BYTES_MS) == "unknown"


def test_released_holds_cost_nothing_unless_another_call_of_the_request_did() -> None:
    assert judge(OPEN, [RESERVED, final("released")], AT) == "unbilled"
    both = [
        RESERVED,
        final("settled"),
        RESERVED._replace(request_id="r.1"),
        final("released", AT, "r.1"),
    ]
    assert judge(OPEN, both, AT + LAST_BYTES_MS) == "unknown"
    later = [RESERVED, final("released"), RESERVED._replace(request_id="r.1")]
    assert judge(OPEN, later, AT) == "in_flight"


steps = st.lists(
    st.builds(
        Step,
        st.sampled_from(["r", "r.1", "r.2"]),
        st.sampled_from(["reserve", "final"]),
        st.sampled_from(["", "settled", "released", "estimated"]),
        st.integers(0, AT * 2),
        st.integers(0, AT * 2),
    ),
    max_size=6,
)


@given(steps, st.integers(0, AT * 4))
def test_what_may_have_been_charged_is_never_given_to_another(rows: list[Step], now: int) -> None:
    verdict = judge(OPEN, rows, now)
    if any(row.ended in ("settled", "estimated") for row in rows):
        assert verdict in ("in_flight", "unknown")
    if {row.request_id for row in rows} - {row.request_id for row in rows if row.stage == "final"}:
        assert verdict in ("in_flight", "unknown")


class Requests(RuleBasedStateMachine):
    """Requests with one key that come, go on, end and die; time passes between."""

    @initialize()
    def world(self) -> None:
        self.tables = MemoryTables(shipped())
        self.now = AT
        self.holds: list[Claim] = []
        self.sent: list[Claim] = []
        self.made = 0

    def run(self, work):  # a coroutine of tables in memory waits for nothing
        return asyncio.run(work)

    @rule()
    def comes(self) -> None:
        self.made += 1
        claim = Claim("o", "k", f"r{self.made}", "f")
        found = self.run(claims.take(self.tables, claim, self.now))
        if found is None:
            self.holds.append(claim)
            return
        verdict = self.run(claims.verdict(self.tables, found, self.now))
        if verdict in ("unstarted", "unbilled"):
            unstarted = verdict == "unstarted"
            took = claims.take_over(self.tables, claim, found, self.now, unstarted=unstarted)
            if self.run(took):
                self.holds.append(claim)

    @rule(which=st.integers(0, 10))
    def sends(self, which: int) -> None:
        """One of those that believe the claim is theirs, alive or slow, writes its hold."""
        if not self.holds:
            return
        claim = self.holds.pop(which % len(self.holds))
        reserve = (
            "insert into ledger (request_id, attempt, stage, at, lease_until) values ($1, 0, 'reserve', $2, $3)",
            (claim.request_id, self.now, self.now + 5_000),
        )
        dispatch = claims.dispatch(claim.request_id, self.now)
        with suppress(Conflict):
            self.run(self.tables.batch(dispatch, reserve))
            self.sent.append(claim)

    @rule(ended=st.sampled_from(["settled", "released", "estimated"]))
    def ends(self, ended: str) -> None:
        """The last one sent, by itself or by the reconciler."""
        if not self.sent:
            return
        final = (
            "insert into ledger (request_id, attempt, stage, ended, at) values ($1, 1, 'final', $2, $3)"
            " on conflict do nothing"
        )
        self.run(self.tables.batch((final, (self.sent[-1].request_id, ended, self.now))))

    @rule(ms=st.sampled_from([4_000, PATIENCE_MS]))
    def waits(self, ms: int) -> None:
        self.now += ms
        self.run(claims.sweep(self.tables, self.now))

    def teardown(self) -> None:
        if not hasattr(self, "tables"):
            return
        unbilled = "select request_id from ledger where ended = 'released'"
        released = {name for (name,) in self.run(self.tables.rows(unbilled))}
        billed = [claim for claim in self.sent if claim.request_id not in released]
        # A claim's life is longer than any of these histories.
        assert self.now - AT >= claims.LIFE_MS or len(billed) <= 1
        self.tables.close()


TestRequests = Requests.TestCase
TestRequests.settings = settings(max_examples=150, stateful_step_count=30, deadline=None)
