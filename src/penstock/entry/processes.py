"""Several processes for one port: started, watched and ended together."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from types import FrameType

PASSED_ON = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
ENDING = frozenset({signal.SIGTERM, signal.SIGINT})
SOON_SECONDS = 5.0
"""A process that ends sooner than this after its start has not served."""
MOST_SOON = 3
"""So many of these in a row, and the others are ended too."""

Work = Callable[[], int]
"""What one process does; its result is the process's exit status."""


class Processes:
    """Runs the same work in some processes; one that ends before it was told to is replaced."""

    def __init__(self, number: int, work: Work) -> None:
        self._number = number
        self._work = work
        self._started: dict[int, float] = {}
        self._ending = False
        self._soon = 0
        self._status = 0

    def run(self) -> int:
        """Returns when all have ended: 0 where that was asked for and went well."""
        for number in PASSED_ON:
            signal.signal(number, self._pass_on)
        for _ in range(self._number):
            self._start()
        while self._started:
            pid, status = os.wait()
            self._ended(pid, os.waitstatus_to_exitcode(status))
        return self._status

    def _start(self) -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        # Nothing has been started yet but this: no thread, no event loop, no connection is copied.
        pid = os.fork()
        if pid:
            self._started[pid] = time.monotonic()
            return
        for number in PASSED_ON:
            signal.signal(number, signal.SIG_DFL)
        status = 1
        try:
            status = self._work()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)

    def _ended(self, pid: int, status: int) -> None:
        started = self._started.pop(pid, None)
        if started is None:
            return
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
            self._start()

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
