"""What the memory meter forgets when more callers come in a window than it holds: nobody who still asks."""

from __future__ import annotations

from penstock.platforms.memory.meter import MemoryMeter
from penstock.platforms.memory.world import FakeClock
from penstock.ports import Demand, Lease

MOST = 100
LIMIT = 3


class Counted:
    def __init__(self) -> None:
        self.meter = MemoryMeter(FakeClock(), most_keys=MOST)
        self._others = 0

    def admitted(self, key: str) -> bool:
        return isinstance(self.meter.decide([Demand("rate", "chat", key, LIMIT, 3600)]), Lease)

    def others(self, number: int) -> None:
        """So many who were never seen before ask once each."""
        for _ in range(number):
            self._others += 1
            assert self.admitted(f"other-{self._others}")


def test_who_is_limited_and_asks_on_stays_limited_however_many_others_come() -> None:
    counted = Counted()
    assert [counted.admitted("busy") for _ in range(LIMIT)] == [True] * LIMIT
    for _ in range(100):
        counted.others(MOST - 1)
        assert not counted.admitted("busy")


def test_who_is_silent_is_kept_for_as_many_others_as_the_bound() -> None:
    counted = Counted()
    assert [counted.admitted("silent") for _ in range(LIMIT)] == [True] * LIMIT
    counted.others(MOST)
    assert not counted.admitted("silent")


def test_the_bound_is_what_a_silent_one_can_gain() -> None:
    """Once, for twice the bound of new callers in the same window: the documented price of a bounded memory."""
    counted = Counted()
    assert [counted.admitted("silent") for _ in range(LIMIT)] == [True] * LIMIT
    counted.others(2 * MOST)
    assert [counted.admitted("silent") for _ in range(LIMIT + 1)] == [True] * LIMIT + [False]


def test_memory_is_bounded_whoever_comes() -> None:
    counted = Counted()
    counted.others(50 * MOST)
    [shelf] = counted.meter._logs.values()
    assert shelf.size <= 2 * MOST
