"""Revocations by another process hold on the next take."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from penstock.errors import Unavailable
from penstock.platforms.embedded.meter import EmbeddedMeter, Epoch, bump
from penstock.platforms.memory.world import FakeClock
from penstock.ports import Demand, Denial, Lease

ALIVE = [Demand("alive", "revoked", "k")]


class Record:
    """What stands in the tables, and how often it was read."""

    def __init__(self, meter: EmbeddedMeter) -> None:
        self.meter = meter
        self.revoked: list[str] = []
        self.reads = 0
        self.reachable = True
        self.gate: asyncio.Event | None = None

    async def load(self) -> int:
        self.reads += 1
        if not self.reachable:
            raise Unavailable
        revoked = list(self.revoked)
        if self.gate is not None:
            await self.gate.wait()
        for key in revoked:
            await self.meter.mark(key, 4e9)
        return len(revoked)


@pytest.fixture
def meter(tmp_path: Path) -> EmbeddedMeter:
    return EmbeddedMeter(FakeClock(), Epoch(tmp_path))


@pytest.fixture
def record(meter: EmbeddedMeter) -> Record:
    record = Record(meter)
    meter.load_marks_by(record.load)
    return record


async def test_marks_are_loaded_before_the_first_take_and_not_again(meter, record) -> None:
    record.revoked = ["k"]
    assert isinstance(await meter.take(ALIVE), Denial)
    for _ in range(5):
        await meter.take(ALIVE)
    assert record.reads == 1


async def test_another_process_revokes(meter, record, tmp_path: Path) -> None:
    assert isinstance(await meter.take(ALIVE), Lease)
    record.revoked = ["k"]
    assert isinstance(await meter.take(ALIVE), Lease)
    program = (
        "import sys, pathlib; from penstock.platforms.embedded import bump;"
        "bump(pathlib.Path(sys.argv[1]))"
    )
    command = [sys.executable, "-c", program, str(tmp_path)]
    await asyncio.to_thread(subprocess.run, command, check=True, timeout=60)
    assert isinstance(await meter.take(ALIVE), Denial)
    assert record.reads == 2


async def test_each_of_many_revocations_holds(meter, record, tmp_path: Path) -> None:
    for number in range(20):
        record.revoked.append(f"k{number}")
        bump(tmp_path)
        answer = await meter.take([Demand("alive", "revoked", f"k{number}")])
        assert isinstance(answer, Denial)


async def test_while_marks_cannot_be_loaded_nothing_is_taken(meter, record) -> None:
    record.reachable = False
    for _ in range(2):
        with pytest.raises(Unavailable):
            await meter.take(ALIVE)
    record.reachable = True
    assert isinstance(await meter.take(ALIVE), Lease)


async def test_a_change_while_loading_is_not_missed(meter, record, tmp_path: Path) -> None:
    record.gate = asyncio.Event()
    taking = asyncio.create_task(meter.take(ALIVE))
    await asyncio.sleep(0)
    record.revoked = ["k"]
    bump(tmp_path)
    record.gate.set()
    assert isinstance(await taking, Denial)


async def test_many_takes_share_one_load(meter, record) -> None:
    record.gate = asyncio.Event()
    taking = [asyncio.create_task(meter.take(ALIVE)) for _ in range(50)]
    await asyncio.sleep(0)
    record.gate.set()
    await asyncio.gather(*taking)
    assert record.reads == 1
