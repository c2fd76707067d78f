"""What could not be written while the books were out of reach, tried again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress

from penstock.errors import Unavailable
from penstock.ports import Platform

BACKOFF = (1.0, 5.0, 20.0, 60.0)
"""Seconds before each try."""
SHORT = (1.0, 4.0, 15.0)
"""The same where what outlives its request does so by 30 s (Workers): the rest is the reconciler's."""


async def later(platform: Platform, write: Callable[[], Awaitable[object]]) -> bool:
    """Whether it was written at last."""
    for seconds in BACKOFF if platform.shared_loop else SHORT:
        await platform.clock.sleep(seconds)
        with suppress(Unavailable):
            await write()
            return True
    return False
