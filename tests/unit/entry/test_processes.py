"""Several processes for one port: replaced when they die, ended together, and not begun again and again in vain."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

SERVING = """
import os, signal, sys
from penstock.entry.processes import Processes

def work(place):
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    signal.signal(signal.SIGHUP, lambda *_: os.write(1, b"told\\n"))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGHUP])
    os.write(1, f"up {os.getpid()}\\n".encode())
    while True:
        signal.pause()

sys.exit(Processes(2, work).run())
"""
FAILING = """
import os, sys
from penstock.entry.processes import Processes

def work(place):
    os.write(1, b"up\\n")
    return 1

sys.exit(Processes(2, work).run())
"""
STARTING = """
import os, signal, sys
from penstock.entry.processes import Processes

def work(place):
    os.write(1, f"up {os.getpid()}\\n".encode())
    signal.sigwait([signal.SIGHUP])
    os.write(1, b"told\\n")
    signal.pause()

sys.exit(Processes(2, work).run())
"""
STOPPED = """
import os, signal, sys
from penstock.entry.processes import Processes

def work(place):
    os.kill(os.getppid(), signal.SIGTERM)
    signal.pause()

sys.exit(Processes(8, work).run())
"""
FLEETING = """
import os, signal, sys, time
from penstock.entry import processes

processes.SOON_SECONDS = 0.5
processes.PAUSES = (0.05,)
first = time.monotonic()

def work(place):
    os.write(1, f"up {place.number}\\n".encode())
    if place.number == 1 and time.monotonic() - first > 0.5:
        return 1
    signal.pause()

sys.exit(processes.Processes(2, work).run())
"""
SECONDS = 30


def started(script: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", script]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def line(process: subprocess.Popen[str]) -> list[str]:
    assert process.stdout is not None
    return process.stdout.readline().split()


def test_one_that_dies_is_replaced_and_all_end_together() -> None:
    process = started(SERVING)
    first, second = int(line(process)[1]), int(line(process)[1])
    os.kill(first, signal.SIGKILL)
    third = int(line(process)[1])
    assert len({first, second, third, process.pid}) == 4
    process.send_signal(signal.SIGHUP)
    assert [line(process), line(process)] == [["told"], ["told"]]
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=SECONDS)
    assert process.returncode == 0
    assert said == f"process {first} ended with -9\n"


def test_what_cannot_start_is_not_started_for_ever() -> None:
    process = started(FAILING)
    told, _ = process.communicate(timeout=SECONDS)
    assert process.returncode == 1
    assert 1 <= told.count("up") <= 2


def test_a_reload_is_heard_by_who_only_starts_and_by_who_comes_later() -> None:
    process = started(STARTING)
    first, _ = line(process)[1], line(process)
    process.send_signal(signal.SIGHUP)
    assert [line(process), line(process)] == [["told"], ["told"]]
    os.kill(int(first), signal.SIGKILL)
    assert line(process)[0] == "up"
    assert line(process) == ["told"]
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=SECONDS)
    assert process.returncode == 0


def test_a_stop_while_they_start_ends_all() -> None:
    process = started(STOPPED)
    try:
        process.communicate(timeout=SECONDS)
    finally:
        process.kill()
    assert process.returncode == 0


def test_once_they_have_served_one_that_cannot_start_is_tried_again_and_ends_no_other() -> None:
    """As while a store is away: the others go on."""
    process = started(FLEETING)
    assert sorted([line(process), line(process)]) == [["up", "0"], ["up", "1"]]
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    _, second = children.read_text().split()
    time.sleep(0.6)  # so long each has served
    os.kill(int(second), signal.SIGKILL)
    # Four in a row that end at once, where three would have ended a server that never served.
    assert [line(process) for _ in range(5)] == [["up", "1"]] * 5
    assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    told, _ = process.communicate(timeout=SECONDS)
    assert "up 0" not in told
