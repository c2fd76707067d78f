"""The edge's bill: Cloudflare's own examples come out to the cent, and the free plan ends where its figures say."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.prices.edge import (
    CHECKED,
    CRON_A_DAY,
    LINES,
    PASS,
    SUBSCRIPTION_NANOS,
    charges,
    each,
    limits,
    runs_out,
    total,
)
from penstock.prices.edge.taken import KINDS

CENT = 10_000_000
MILLION = 1_000_000
BY_NAME = {line.name: line for line in LINES}


def cents(**used: int) -> float:
    """A month's bill above the subscription."""
    return sum(charge.nanos for charge in charges([used])) / CENT


@pytest.mark.parametrize(
    ("used", "expected"),
    [
        ({"worker_requests": 15 * MILLION, "worker_cpu_ms": 105 * MILLION}, 150 + 150),
        ({"worker_requests": 100 * MILLION, "worker_cpu_ms": 700 * MILLION}, 2_700 + 1_340),
        ({"worker_requests": 720, "worker_cpu_ms": 720 * 180_000}, 199.2),
        ({"object_requests": 1_500_000, "object_duration": 128_000 * MILLION}, 15),
        ({"object_requests": 3_750_000, "object_duration": 11_059_200 * MILLION}, 45 + 13_750),
        ({"r2_bytes": 1_000 * 10**9, "r2_writes": 1_000, "r2_reads": MILLION}, 1_485),
        ({"r2_reads": 300 * MILLION}, 10_440),
        ({"r2_writes": MILLION + 1}, 450),
    ],
)
def test_examples_of_the_pricing_pages(used: dict[str, int], expected: float) -> None:
    assert cents(**used) == pytest.approx(expected)


def test_what_is_included_costs_nothing_and_one_more_is_rounded_up_once() -> None:
    for line in LINES:
        [charge] = charges([{line.name: line.paid.units}])
        assert (charge.over, charge.nanos) == (0, 0)
        [charge] = charges([{line.name: line.paid.units + 1}])
        assert charge.over == 1
        assert charge.nanos == (line.nanos if line.whole else -(-line.nanos // line.per))


def test_neurons_are_free_by_the_day() -> None:
    neuron = BY_NAME["neurons"].scale
    days = [{"neurons": 12_000 * neuron}, {"neurons": 3_000 * neuron}]
    [charge] = charges(days)
    assert charge.over == 2_000 * neuron
    assert charge.nanos == 2 * 11_000_000


def test_the_free_plan_stands_by_its_busiest_day() -> None:
    days = [{"kv_writes": 400, "d1_rows_read": 10}, {"kv_writes": 1_200}, {"kv_writes": 30}]
    first, second = limits(days)
    assert (first.line.name, first.used, first.left) == ("kv_writes", 1_200, -200)
    assert (second.line.name, second.used) == ("d1_rows_read", 10)


@given(st.sampled_from(sorted(KINDS)), st.integers(1, 10_000))
def test_so_many_a_day_suffice_and_one_more_does_not(kind: str, asks: int) -> None:
    daily = total([(PASS.takes, CRON_A_DAY)])
    takes = total([(each(kind), asks)])
    for line, most in runs_out(asks, takes, daily, 30):
        assert line.free is not None
        used = [
            total([(each(kind), number), (PASS.takes, CRON_A_DAY)])[line.name]
            for number in (most, most + 1)
        ]
        a_day = line.free.units if line.free.each == "day" else line.free.units // 30
        assert used[0] <= a_day < used[1]


def test_lines_are_told_apart_and_each_kind_is_made_of_them() -> None:
    assert len(BY_NAME) == len(LINES)
    for kind in KINDS.values():
        assert set(kind.takes) <= set(BY_NAME)
    assert date.fromisoformat(CHECKED)
    assert SUBSCRIPTION_NANOS == 500 * CENT
