"""The end of a response, which nothing cuts short."""

from __future__ import annotations

import asyncio

from penstock.wire.http import Response


async def closed(response: Response) -> None:
    """Closes a response whatever happens to this task: a cancellation in between waits until it is closed."""
    if isinstance(response.body, bytes):
        return
    task = asyncio.current_task()
    assert task is not None
    closing = asyncio.ensure_future(response.aclose())
    while not closing.done():
        try:
            await asyncio.shield(closing)
        except asyncio.CancelledError:
            task.uncancel()
