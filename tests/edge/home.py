"""The Cloudflare adapters as tests reach them: a Node process runs them in Pyodide, on Miniflare's bindings."""

from __future__ import annotations

import asyncio
import base64
import itertools
import pickle
import shutil
import subprocess
import threading
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Self

from penstock.ports import Clock

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
PACKAGES = ROOT / ".venv" / "edge"
NODE = shutil.which("node") or ""
END_SECONDS = 20.0


class EdgeHome:
    """One Node process, for any number of tests and event loops; `ask` may be called by many at once."""

    def __init__(self, *how: str) -> None:
        """`how` may say "counted": `ask("counted")` then tells what the bindings were asked."""
        installed = NODE and PACKAGES.is_dir() and (HERE / "node_modules").is_dir()
        assert installed, "the edge's tests need node and what `make test` installs for them"
        self._numbers = itertools.count(1)
        self._waiting: dict[int, Future[Any]] = {}
        self._ready: Future[None] = Future()
        self._process = subprocess.Popen(
            [NODE, str(HERE / "home.mjs"), str(ROOT / "src"), str(PACKAGES), *how],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)

    def __enter__(self) -> Self:
        self._reader.start()
        self._ready.result()
        return self

    def __exit__(self, *_: object) -> None:
        end(self._process, self._reader)

    async def ask(self, *what: Any) -> Any:
        """What inside.py returns, or raises what it raised; who leaves has it cancelled there."""
        number, answered = self._send(*what)
        try:
            return await asyncio.wrap_future(answered)
        except asyncio.CancelledError:
            self._send("cancel", number)
            raise

    def _send(self, *what: Any) -> tuple[int, Future[Any]]:
        number = next(self._numbers)
        answered = self._waiting[number] = Future()
        assert self._process.stdin is not None
        self._process.stdin.write(base64.b64encode(pickle.dumps((number, *what))).decode() + "\n")
        self._process.stdin.flush()
        return number, answered

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line == "ready\n":
                self._ready.set_result(None)
            else:
                number, kind, told = pickle.loads(base64.b64decode(line))
                _settle(self._waiting.pop(number), kind, told)
        for future in [self._ready, *self._waiting.values()]:
            if not future.done():
                future.set_exception(RuntimeError("The edge's home has ended; see its output."))


class EndedError(Exception):
    """A stream is at its end, which no future can say in its own words."""


class Port:
    """Any port, in Pyodide: each method is a message, which carries the test's time."""

    def __init__(self, home: EdgeHome, number: int, clock: Clock) -> None:
        self._home = home
        self._number = number
        self._clock = clock

    def __getattr__(self, method: str) -> Any:
        def call(*args: Any, **named: Any) -> Any:
            times = (self._clock.now(), self._clock.tick())
            return self._home.ask("call", self._number, times, method, (*args, *named.values()))

        return call


async def port(home: EdgeHome, clock: Clock, name: str, *args: Any) -> Any:
    """A new adapter over emptied bindings."""
    return Port(home, await home.ask("open", name, *args), clock)


def end(process: subprocess.Popen[str], reader: threading.Thread) -> None:
    """Closes its input, which ends it, and waits until its output was read; kills it where it does not end."""
    with process:
        assert process.stdin is not None
        process.stdin.close()
        try:
            process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
        reader.join()


def _settle(answered: Future[Any], kind: str, told: Any) -> None:
    if not answered.set_running_or_notify_cancel():
        return
    if kind == "returned":
        answered.set_result(told)
    elif kind == "ended":
        answered.set_exception(EndedError())
    else:
        answered.set_exception(told if kind == "failed" else RuntimeError(told))
