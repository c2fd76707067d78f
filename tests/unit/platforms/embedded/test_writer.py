"""The thread that writes: it outlives whatever goes wrong, since all who wait for it would wait for ever."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence

import apsw
import pytest

from penstock.errors import Unavailable
from penstock.platforms.embedded.group import Batch, Group, Outcome
from penstock.platforms.embedded.writer import Writer


class Faulty(Group):
    """Fails in a way that leaves no outcomes, once: even the rolling back did not work."""

    def __init__(self) -> None:
        super().__init__(apsw.Connection(":memory:"))
        self.failed = False

    def run(self, batches: Sequence[Batch]) -> list[Outcome]:
        if not self.failed:
            self.failed = True
            raise apsw.IOError
        return super().run(batches)


async def test_a_fault_without_outcomes_is_told_and_the_next_batch_is_written() -> None:
    writer = Writer(Faulty(), threading.Lock())
    async with asyncio.timeout(5):
        with pytest.raises(Unavailable):
            await writer.submit([("select 1", ())])
        assert await writer.submit([("select 1", ())]) == [[(1,)]]
    await writer.close()
