"""What a process that reads one file may take; it gives the rest up by itself, for good, before it looks at the file."""

from __future__ import annotations

import os
import resource
import signal
import sys

from msgspec import Struct


class Limits(Struct, frozen=True):
    """Of one file's reading. `seconds` bounds it on the wall and on the CPU alike."""

    memory_bytes: int = 256 << 20
    seconds: int = 10


def bound(limits: Limits) -> None:
    """Memory and time, from here on; no core, no file of any length, no child."""
    _most(resource.RLIMIT_AS, limits.memory_bytes)
    _most(resource.RLIMIT_CPU, limits.seconds)
    _most(resource.RLIMIT_FSIZE, 0)
    _most(resource.RLIMIT_CORE, 0)
    _most(resource.RLIMIT_NPROC, 0)
    signal.alarm(limits.seconds + 1)


def shut() -> None:
    """No descriptor can be opened any more: neither a file nor a socket, whatever the file brings its reader to do."""
    _most(resource.RLIMIT_NOFILE, 0)


def alone() -> int:
    """The descriptor to answer on: what a library prints goes nowhere."""
    answer = os.dup(1)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.close(nowhere)
    return answer


def _most(kind: int, most: int) -> None:
    hard = resource.getrlimit(kind)[1]
    most = most if hard == resource.RLIM_INFINITY else min(most, hard)
    try:
        resource.setrlimit(kind, (most, most))
    except ValueError:
        # macOS refuses a bound of the address space: there the clock and the CPU bound a reader alone.
        if sys.platform != "darwin":
            raise
