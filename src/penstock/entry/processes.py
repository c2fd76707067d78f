"""Several processes for one port: started, watched and ended together."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from types import FrameType
from typing import NamedTuple

PASSED_ON = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
ENDING = frozenset({signal.SIGTERM, signal.SIGINT})
SOON_SECONDS = 5.0
"""A process that ends sooner than this after its start has not served."""
MOST_SOON = 3
"""So many of these in a row, and the others are ended too."""


class Place(NamedTuple):
    """Which of the processes one is; a replacement has the number of the one it replaces. What is read from `parent`
    ends when the process that watches over all of them does."""

    number: int
    parent: int


Work = Callable[[Place], int]
"""What one process does; its result is the process's exit status."""


class Processes:
    """Runs the same work in some processes; one that ends before it was told to is replaced."""

    def __init__(self, number: int, work: Work) -> None:
        self._number = number
        self._work = work
        self._started: dict[int, tuple[int, float]] = {}
        self._parent = self._alive = -1
        self._ending = False
        self._soon = 0
        self._status = 0

    def run(self) -> int:
        """Returns when all have ended: 0 where that was asked for and went well."""
        for passed in PASSED_ON:
            signal.signal(passed, self._pass_on)
        self._parent, self._alive = os.pipe()
        for number in range(self._number):
            self._start(number)
        while self._started:
            pid, status = os.wait()
            self._ended(pid, os.waitstatus_to_exitcode(status))
        return self._status

    def _start(self, number: int) -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        # Nothing has been started yet but this: no thread, no event loop, no connection is copied.
        pid = os.fork()
        if pid:
            self._started[pid] = number, time.monotonic()
            return
        # A terminal's Ctrl-C goes to the parent alone, which passes it on once.
        os.setpgid(0, 0)
        os.close(self._alive)
        for passed in PASSED_ON:
            signal.signal(passed, signal.SIG_DFL)
        status = 1
        try:
            status = self._work(Place(number, self._parent))
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)

    def _ended(self, pid: int, status: int) -> None:
        found = self._started.pop(pid, None)
        if found is None:
            return
        number, started = found
        if self._ending:
            told = -status in ENDING or status == 0
            self._status = self._status if told else 1
            return
        self._soon = self._soon + 1 if time.monotonic() - started < SOON_SECONDS else 0
        sys.stderr.write(f"process {pid} ended with {status}\n")
        if self._soon >= MOST_SOON or (status == 1 and self._soon):
            # Another one would end the same way: what is wrong is said above.
            self._status = 1
            self._end(signal.SIGTERM)
        else:
            self._start(number)

    def _pass_on(self, number: int, frame: FrameType | None) -> None:
        if number in ENDING:
            self._end(number)
        else:
            self._tell(number)

    def _end(self, number: int) -> None:
        self._ending = True
        self._tell(number)

    def _tell(self, number: int) -> None:
        for pid in self._started:
            os.kill(pid, number)
