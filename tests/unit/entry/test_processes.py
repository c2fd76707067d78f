"""Several processes for one port: replaced when they die, ended together, and not begun again and again in vain."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

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
