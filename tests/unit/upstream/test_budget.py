"""The retry budget: the share it allows, and that a lone request may always fail over."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from penstock.upstream.budget import RetryBudget


@given(st.integers(1, 10_000), st.integers(0, 10_000))
def test_retries_stay_a_fifth_of_first_attempts(active: int, retries: int) -> None:
    budget = RetryBudget()
    budget.firsts, budget.retries = active, min(retries, active)
    if budget.may_retry() and budget.retries >= 1:
        assert budget.retries + 1 <= 0.2 * (active - budget.retries) + 1


def test_a_lone_request_may_retry() -> None:
    budget = RetryBudget()
    budget.firsts = 1
    assert budget.may_retry()


def test_at_total_failure_the_load_stays_under_one_and_a_fifth() -> None:
    """A closed loop of 200 callers whose every attempt fails: attempts ÷ requests."""
    budget = RetryBudget()
    waiting = [0] * 200  # the retries each request has made so far
    budget.firsts = len(waiting)
    requests = attempts = 0
    for step in range(50_000):
        place = step % len(waiting)
        attempts += 1
        was_retry = waiting[place] > 0
        budget.retries -= was_retry
        if waiting[place] < 2 and budget.may_retry():
            waiting[place] += 1
            budget.retries += 1
        else:
            waiting[place] = 0
            requests += 1
    assert attempts / requests <= 1.2 + 0.02
