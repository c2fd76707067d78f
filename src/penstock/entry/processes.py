"""Several processes for one port: started, watched and ended together."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from typing import Any, NamedTuple

HEARD = frozenset({signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD})
ENDING = frozenset({signal.SIGTERM, signal.SIGINT})
SOON_SECONDS = 5.0
"""A process that ends sooner than this after its start has not served."""
MOST_SOON = 3
"""So many of these in a row before any has served, and the others are ended too."""
PAUSES = (0.5, 1.0, 2.0, 5.0, 15.0, 30.0)
"""Seconds before a replacement, after the first, second, third … in a row that ended soon: a store may be out of reach."""


class Place(NamedTuple):
    """Which of the processes one is; a replacement has the number of the one it replaces. What is read from `parent`
    ends when the process that watches over all of them does."""

    number: int
    parent: int


Work = Callable[[Place], int]
"""What one process does; its result is the process's exit status. It begins with SIGHUP blocked, and unblocks it."""


class Processes:
    """Runs the same work in some processes; one that ends before it was told to is replaced."""

    def __init__(self, number: int, work: Work) -> None:
        self._number = number
        self._work = work
        self._started: dict[int, tuple[int, float]] = {}
        self._parent = self._alive = -1
        self._due: dict[int, float] = {}
        self._ending = self._changed = self._served = False
        self._soon = 0
        self._status = 0

    def run(self) -> int:
        """Returns when all have ended: 0 where that was asked for and went well."""
        # Blocked and asked for, so that none comes between two steps, or just before a wait that it should end.
        signal.pthread_sigmask(signal.SIG_BLOCK, HEARD)
        signal.signal(signal.SIGCHLD, _noticed)
        self._parent, self._alive = os.pipe()
        for number in range(self._number):
            self._start(number)
        while self._started or self._due:
            number = self._heard()
            if number == signal.SIGCHLD:
                self._reap()
            elif number:
                self._pass_on(number)
        return self._status

    def _heard(self) -> int:
        """The next signal, 0 where it was time for a replacement before one came."""
        if not self._due:
            return signal.sigwait(HEARD)
        number, at = min(self._due.items(), key=lambda one: one[1])
        found = signal.sigtimedwait(HEARD, max(0.0, at - time.monotonic()))
        if found is not None:
            return found.si_signo
        del self._due[number]
        self._start(number)
        return 0

    def _start(self, number: int) -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        # Nothing has been started yet but this: no thread, no event loop, no connection is copied.
        pid = os.fork()
        if pid:
            self._started[pid] = number, time.monotonic()
            if self._changed:
                os.kill(pid, signal.SIGHUP)  # what it was made of was read before the last reload
            return
        # A terminal's Ctrl-C goes to the parent alone, which passes it on once.
        os.setpgid(0, 0)
        os.close(self._alive)
        for heard in HEARD:
            signal.signal(heard, signal.SIG_DFL)
        # SIGHUP waits until the work can hear it: by default it would end the process.
        signal.pthread_sigmask(signal.SIG_UNBLOCK, HEARD - {signal.SIGHUP})
        status = 1
        try:
            status = self._work(Place(number, self._parent))
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)

    def _reap(self) -> None:
        """All that have ended: several may do so under one SIGCHLD."""
        for pid in list(self._started):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                self._ended(pid, os.waitstatus_to_exitcode(status))

    def _ended(self, pid: int, status: int) -> None:
        found = self._started.pop(pid, None)
        if found is None:
            return
        number, started = found
        if self._ending:
            told = -status in ENDING or status == 0
            self._status = self._status if told else 1
            return
        now = time.monotonic()
        begun = [started, *(at for _, at in self._started.values())]
        self._served = self._served or now - min(begun) >= SOON_SECONDS
        self._soon = self._soon + 1 if now - started < SOON_SECONDS else 0
        sys.stderr.write(f"process {pid} ended with {status}\n")
        if not self._served and (self._soon >= MOST_SOON or (status == 1 and self._soon)):
            # Another one would end the same way: what is wrong is said above.
            self._status = 1
            self._end(signal.SIGTERM)
        elif self._soon and self._served:
            self._due[number] = now + PAUSES[min(self._soon, len(PAUSES)) - 1]
        else:
            self._start(number)

    def _pass_on(self, number: int) -> None:
        if number in ENDING:
            self._end(number)
        else:
            self._changed = True
            self._tell(number)

    def _end(self, number: int) -> None:
        self._ending = True
        self._due.clear()
        self._tell(number)

    def _tell(self, number: int) -> None:
        for pid in self._started:
            os.kill(pid, number)


def _noticed(*_: Any) -> None:
    """A child's end is no signal to wait for where nothing handles it."""
