"""Where connections come in: a few a turn of the loop, and no more at once than the server holds."""

from __future__ import annotations

import asyncio
import errno
import resource
import socket
from collections.abc import Callable, Sized

BACKLOG = 2_048
EACH_TURN = 16
"""Taken in one turn of the event loop: the longer a turn takes, the slower they come in."""
SPARE_FILES = 64
"""Of those the process may open, kept for itself."""
_OUT_OF = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})

Made = Callable[[], asyncio.Protocol]
Report = Callable[[str, BaseException], None]


class Door:
    """A listening socket; the loop's own server takes whoever comes, at once, however busy it is."""

    def __init__(
        self, on: socket.socket, make: Made, report: Report, inside: Sized, most: int
    ) -> None:
        self._on = on
        self._make = make
        self._report = report
        self._inside = inside
        self._loop = asyncio.get_running_loop()
        self._making: set[asyncio.Task[None]] = set()
        self._open = self._closed = False
        self.bound(most)
        on.setblocking(False)
        on.listen(BACKLOG)
        self._swing()

    @property
    def full(self) -> bool:
        return self._room() <= 0

    def bound(self, most: int) -> None:
        """Sets how many may be inside; each may need a file for its target beside its own."""
        files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        room = most if files == resource.RLIM_INFINITY else (files - SPARE_FILES) // 2
        self._most = max(1, min(most, room))

    def again(self) -> None:
        """Opens if it can: one of those inside has gone, or another second."""
        if not self._open:
            self._swing()

    async def close(self) -> None:
        """Nobody comes in any more; returns once those on the threshold are inside."""
        self._closed = True
        self._swing()
        self._on.close()
        if self._making:
            await asyncio.wait(self._making)

    def _room(self) -> int:
        return self._most - len(self._inside) - len(self._making)

    def _swing(self) -> None:
        """Open while there is room."""
        wanted = not (self._closed or self.full)
        if wanted and not self._open:
            self._loop.add_reader(self._on, self._take)
        elif self._open and not wanted:
            self._loop.remove_reader(self._on)
        self._open = wanted

    def _take(self) -> None:
        for _ in range(min(EACH_TURN, self._room())):
            try:
                taken, _ = self._on.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                self._failed(error)
                return
            taken.setblocking(False)
            making = self._loop.create_task(self._bring(taken))
            self._making.add(making)
            making.add_done_callback(self._made)
        self._swing()

    async def _bring(self, taken: socket.socket) -> None:
        try:
            await self._loop.connect_accepted_socket(self._make, taken)
        except OSError:
            taken.close()  # it left before it was inside

    def _made(self, making: asyncio.Task[None]) -> None:
        self._making.discard(making)
        if not making.cancelled() and (error := making.exception()) is not None:
            self._report("", error)
        self.again()

    def _failed(self, error: OSError) -> None:
        """Without files the door stays shut until the next second: trying on would use the core up."""
        if error.errno in _OUT_OF:
            self._loop.remove_reader(self._on)
            self._open = False
        self._report("", error)


def more_files() -> None:
    """Lets the process open as many files as it is allowed to; many systems begin with 1,024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
