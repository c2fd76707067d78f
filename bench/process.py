"""Processes pinned to a core: started, waited for, stopped for a while, measured and ended, each by its own id."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

GATEWAY_CORE = 0
LOAD_CORE = 1
END_SECONDS = 10.0


class BenchFailed(Exception):
    """The bench cannot give its figures; the message is the one line people see."""


class Process:
    """One program and its children on one core, writing to `log`."""

    def __init__(
        self,
        command: Sequence[str],
        log: Path,
        *,
        core: int | str = GATEWAY_CORE,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> None:
        self.log = log
        self.began = time.monotonic()
        with log.open("wb") as out:
            self._popen = subprocess.Popen(
                ["taskset", "-c", str(core), *command],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(env or {})},
                cwd=cwd,
            )

    @property
    def pid(self) -> int:
        return self._popen.pid

    def listening(self, port: int, seconds: float) -> None:
        """Returns once the port takes connections; raises BenchFailed where it does not in time."""
        while time.monotonic() - self.began < seconds:
            if self._popen.poll() is not None:
                break
            try:
                socket.create_connection(("127.0.0.1", port), 0.2).close()
            except OSError:
                time.sleep(0.005)
            else:
                return
        lines = self.log.read_text(errors="replace").strip().splitlines() or ["it wrote nothing"]
        raise BenchFailed(f"{self.log.stem} did not start: {lines[-1]}")

    def cpu_seconds(self) -> float:
        """CPU time of all its threads so far, to the nanosecond."""
        return (
            sum(
                int(file.read_text().split()[0])
                for pid in family(self.pid)
                for file in Path(f"/proc/{pid}/task").glob("*/schedstat")
            )
            / 1e9
        )

    def rss_mb(self) -> float:
        """Resident memory of it and its children."""
        return sum(map(_resident_kb, family(self.pid))) / 1024

    def sleep(self) -> None:
        """Stops it, so that it takes nothing from what is measured."""
        self._signal(signal.SIGSTOP)

    def wake(self) -> None:
        self._signal(signal.SIGCONT)

    def end(self) -> None:
        """Ends it and waits; calling it again does nothing."""
        if self._popen.poll() is not None:
            return
        self.wake()
        self._popen.terminate()
        try:
            self._popen.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self._signal(signal.SIGKILL)
            self._popen.wait()

    def _signal(self, number: signal.Signals) -> None:
        for pid in family(self.pid):
            os.kill(pid, number)


def family(pid: int) -> list[int]:
    """A process and all that descend from it."""
    found = [pid]
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in children.read_text().split():
            found += family(int(child))
    return found


def _resident_kb(pid: int) -> int:
    found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    return int(found[1]) if found else 0


def busy_seconds(core: int) -> float:
    """Time a core was not idle since the machine started, stolen time included."""
    lines = Path("/proc/stat").read_text().splitlines()
    ticks = [int(n) for n in next(x for x in lines if x.startswith(f"cpu{core} ")).split()[1:9]]
    return (sum(ticks) - ticks[3] - ticks[4]) / os.sysconf("SC_CLK_TCK")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
