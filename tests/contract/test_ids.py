"""What every Ids keeps to."""

from __future__ import annotations

import pytest

from penstock.platforms.memory.world import FakeIds
from penstock.platforms.world import RandomIds
from penstock.ports import Ids

IDS = {"memory": FakeIds, "embedded": RandomIds}


@pytest.fixture(params=IDS)
def ids(request):
    return IDS[request.param]()


def test_ids_carry_their_prefix_and_never_repeat(ids: Ids) -> None:
    made = [ids.new("req_") for _ in range(5_000)]
    assert len(set(made)) == 5_000
    assert {one[:4] for one in made} == {"req_"}
    assert all(one[4:].isalnum() and one[4:].islower() is not False for one in made)


def test_ids_rise_with_time(ids: Ids, monkeypatch) -> None:
    made = []
    for second in range(3):
        monkeypatch.setattr("time.time", lambda second=second: 1_800_000_000.0 + second)
        made.append(ids.new("req_"))
    assert made == sorted(made)


def test_secrets_have_their_size_and_differ(ids: Ids) -> None:
    assert [len(ids.secret(size)) for size in (0, 1, 32)] == [0, 1, 32]
    assert ids.secret(32) != ids.secret(32)


def test_fractions_lie_in_the_unit_interval_and_spread(ids: Ids) -> None:
    drawn = [ids.fraction() for _ in range(2_000)]
    assert 0 <= min(drawn) < 0.05
    assert 0.95 < max(drawn) < 1
    assert 0.4 < sum(drawn) / len(drawn) < 0.6


def test_a_seed_decides_the_fake_ones() -> None:
    assert [FakeIds(7).new("a") for _ in range(2)] == [FakeIds(7).new("a")] * 2
    assert FakeIds(7).secret(8) != FakeIds(8).secret(8)
