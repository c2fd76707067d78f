"""What kills this process at a fail-point: at one passing of one name."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from typing import TypeVar

MARK = "died at "
T = TypeVar("T")


class Fuse:
    """Ends this process by SIGKILL at the given passing of a fail-point, `turns` of the loop later where it is `during` one."""

    def __init__(self, point: str, passing: int, turns: int = 0) -> None:
        self._point = point
        self._left = passing
        self._turns = turns

    def at(self, name: str) -> None:
        """Passes a fail-point."""
        if self.due(name):
            self.blow()

    def due(self, name: str) -> bool:
        """Whether this passing of a fail-point is the fatal one; counts it."""
        if name != self._point:
            return False
        self._left -= 1
        return self._left == 0

    async def around(self, step: str, work: Callable[[], Awaitable[T]]) -> T:
        """Does a step's work; there is a fail-point before, during and after it."""
        self.at(f"before-{step}")
        if self.due(f"during-{step}"):
            running = asyncio.ensure_future(work())
            for _ in range(self._turns):
                await asyncio.sleep(0)
            self.blow()
            await running
        done = await work()
        self.at(f"after-{step}")
        return done

    def blow(self) -> None:
        """Says where, then ends."""
        os.write(2, f"{MARK}{self._point}\n".encode())
        os.kill(os.getpid(), signal.SIGKILL)
