"""A real `penstock serve` and the commands beside it, each a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import apsw

from penstock.auth.mint import mint

SECRET = "client-tests-secret-of-more-than-32-bytes"
READY = "listening on "
END_SECONDS = 30.0
LEDGER = (
    "select stage, ended, amount_nanos from ledger where request_id = ?"
    " order by at, attempt, stage = 'final'"
)
OURS = (
    "AUTH_SERVICE_URL", "BILLING_SERVICE_URL", "CHAT_SERVICE_URL", "JWT_SECRET",
    "ANTHROPIC_", "CLOUDFLARE_", "OLLAMA_", "OPENAI_", "PENSTOCK_",
)  # fmt: skip


def token(sub: str, **claims: Any) -> str:
    """A caller's token, signed with the secret of the tests' configuration."""
    return mint({"sub": sub, **claims}, SECRET, now=time.time())


class Penstock:
    """A gateway that serves from `home` until the block ends; `start` waits for the line that says where it listens.

    With `config` that text is its file, else it has the environment alone.
    """

    def __init__(self, home: Path, config: str = "", env: Mapping[str, str] | None = None) -> None:
        home.mkdir(parents=True, exist_ok=True)
        self.home = home
        self.env = {k: v for k, v in os.environ.items() if not k.startswith(OURS)} | dict(env or {})
        if config:
            (home / "penstock.toml").write_text(config)
        self.options: tuple[str, ...] = ()
        self.said: list[str] = []
        self.url = ""
        self.port = 0
        self.process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        failures = self.stop()
        assert error is not None or not failures, failures

    @property
    def data(self) -> Path:
        return self.home / ".penstock"

    def start(self) -> None:
        words = ["serve", "--port", str(self.port), *self.options]
        command = [sys.executable, "-m", "penstock", *words]
        with (self.home / "access.log").open("a") as log:
            self.process = subprocess.Popen(
                command, cwd=self.home, env=self.env, stdout=log, stderr=subprocess.PIPE, text=True
            )
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.said.append(line.strip())
            if READY in line:
                self.url = line.partition(READY)[2].strip()
                return
        raise AssertionError(f"penstock did not start: {self.said}")

    def stop(self) -> str:
        """Ends it as an operator would; returns what it complained of while it served."""
        if self.process is None:
            return ""
        process, self.process = self.process, None
        process.terminate()
        return process.communicate(timeout=END_SECONDS)[1]

    def kill(self) -> None:
        """Ends it as the out-of-memory killer would."""
        assert self.process is not None
        process, self.process = self.process, None
        process.kill()
        process.communicate()

    def run(self, *words: str) -> str:
        """What another `penstock` process prints."""
        done = self.tried(*words)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def tried(self, *words: str) -> subprocess.CompletedProcess[str]:
        """The same, however it ended."""
        return subprocess.run(
            [sys.executable, "-m", "penstock", *words],
            cwd=self.home,
            env=self.env,
            capture_output=True,
            text=True,
            timeout=END_SECONDS,
            check=False,
        )

    def ask(self, *words: str) -> Any:
        """The same with --json, read."""
        return json.loads(self.run(*words, "--json"))

    def rows(self, sql: str, *args: Any) -> list[tuple[Any, ...]]:
        """Rows of its database, as another process sees them."""
        connection = apsw.Connection(str(self.data / "penstock.sqlite"), apsw.SQLITE_OPEN_READONLY)
        try:
            connection.set_busy_timeout(5_000)
            return list(connection.execute(sql, args))
        finally:
            connection.close()

    def ledger(self, request_id: str) -> list[tuple[str, str, int]]:
        """(stage, how it ended, nano-dollars) of a request, in order."""
        return self.rows(LEDGER, request_id)

    def access(self) -> list[dict[str, Any]]:
        """The lines of its access log so far."""
        return [json.loads(line) for line in (self.home / "access.log").read_text().splitlines()]


def until(found: Any, seconds: float = 5.0) -> Any:
    """What `found()` returns once it is true, asked again and again: another process sends no event. Fails after `seconds`."""
    end = time.monotonic() + seconds
    while not (value := found()):
        assert time.monotonic() < end, f"not within {seconds} s"
    return value
