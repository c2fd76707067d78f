"""Starts the fake provider as a process and talks to it; standard library only."""

from __future__ import annotations

import http.client
import json
import ssl
import subprocess
import sys
from pathlib import Path
from signal import SIGUSR1, SIGUSR2
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote, urlsplit

ROOT = Path(__file__).resolve().parents[2]
READY = "listening on "
END_SECONDS = 5.0
CONTROL_SECONDS = 40.0


class FakeProvider:
    """A running fake provider: `FakeProvider("--latency-ms", "20")`, closed by `with` or `close`."""

    def __init__(self, *options: str, python: tuple[str, ...] = (sys.executable,)) -> None:
        """Starts it and waits until it listens; `python` may be prefixed, as with taskset."""
        command = [*python, "-m", "load.fake_provider", "--end-with-stdin", *options]
        pipe = subprocess.PIPE  # its end tells the process that this one is gone, however it went
        self.process = subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True)
        self.url = self._line(READY)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def pid(self) -> int:
        """The process, for benches that measure its CPU."""
        return self.process.pid

    def close(self) -> None:
        """Ends the process; calling it again does nothing."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(END_SECONDS)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe:
                pipe.close()

    def meter(
        self, *, finished: int = 0, calls: int = 0, wait_seconds: float = 10
    ) -> dict[str, Any]:
        """Everything charged, once at least so many calls came and finished or the time is over."""
        query = f"?finished={finished}&calls={calls}&wait={wait_seconds}"
        report: dict[str, Any] = self._control("GET", "/_meter" + query)[1]
        return report

    def look_up(self, request_id: str) -> dict[str, Any] | None:
        """What was charged under a request id or idempotency key; None if that was never seen."""
        status, found = self._control("GET", "/_meter/" + quote(request_id, safe=""))
        return found if status == 200 else None

    def fault(
        self,
        name: str,
        arg: str | float | None = None,
        *,
        times: int | None = None,
        path: str = "",
    ) -> None:
        """Sets a fault for the next `times` calls (None: all) to paths that start with `path`."""
        body = {"fault": name, "arg": arg, "times": times, "path": path}
        status, answer = self._control("POST", "/_fault", body)
        if status != 200:
            raise ValueError(answer["error"])

    def clear_faults(self) -> None:
        """Ends all faults and opens the gates."""
        self._control("DELETE", "/_fault")

    def release(self) -> None:
        """Lets the calls go on that a `gate` fault holds at this moment."""
        self._control("POST", "/_release")

    def reset(self) -> None:
        """Forgets faults, rows and requests."""
        self.clear_faults()
        self._control("DELETE", "/_meter")

    def requests(self, last: int = 100) -> list[dict[str, Any]]:
        """The last requests as received, oldest first: method, target, headers, body."""
        listed: list[dict[str, Any]] = self._control("GET", f"/_requests?last={last}")[1]
        return listed

    def refuse(self) -> None:
        """Closes the port and resets all connections: clients get "connection refused"."""
        self.process.send_signal(SIGUSR1)
        self._line("refusing")

    def accept(self) -> None:
        """Listens again on the same port."""
        self.process.send_signal(SIGUSR2)
        self._line(READY)

    def _line(self, start: str) -> str:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line.startswith(start):
            self.close()
            raise RuntimeError(f"the fake provider said {line!r}, not {start!r}")
        return line.removeprefix(start).strip()

    def _control(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        parts = urlsplit(self.url)
        host, port = parts.hostname or "", parts.port
        connection: http.client.HTTPConnection
        if parts.scheme == "https":
            # The certificate is the test's own; who it names does not matter here.
            context = ssl._create_unverified_context()
            connection = http.client.HTTPSConnection(
                host, port, timeout=CONTROL_SECONDS, context=context
            )
        else:
            connection = http.client.HTTPConnection(host, port, timeout=CONTROL_SECONDS)
        try:
            data = None if body is None else json.dumps(body)
            connection.request(method, path, data, {"connection": "close"})
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        finally:
            connection.close()
