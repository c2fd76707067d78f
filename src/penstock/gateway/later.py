"""What could not be written while the books were out of reach, tried again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress

from penstock.errors import Unavailable
from penstock.ports import Clock

BACKOFF = (1.0, 5.0, 20.0, 60.0)
"""Seconds before each try."""


async def later(clock: Clock, write: Callable[[], Awaitable[object]]) -> bool:
    """Whether it was written at last."""
    for seconds in BACKOFF:
        await clock.sleep(seconds)
        with suppress(Unavailable):
            await write()
            return True
    return False
