"""A whole Worker as tests reach it: over HTTP, and its D1 and its clockwork by messages beside it."""

from __future__ import annotations

import asyncio
import itertools
import json
import subprocess
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self

from penstock.entry.cloudflare import project, sources
from penstock.platforms.migrations import shipped
from tests.clients.process import LEDGER
from tests.contract.edges import statements
from tests.edge.home import HERE, NODE, PACKAGES, end

SECRET = "edge-tests-secret-of-more-than-32-bytes"
ACCOUNT = (
    "create table d1_migrations (id integer primary key autoincrement, name text unique,"
    " applied_at timestamp default current_timestamp not null)"
)
"""As wrangler keeps account of what it applied."""


@cache
def deployed() -> TemporaryDirectory[str]:
    """The package as a deployment has it, and the meter's object, which there is a Worker's of its own."""
    folder = TemporaryDirectory(prefix="penstock-worker-")
    package = sources.packaged()
    meter = {project.METER_OBJECT: package[project.METER_OBJECT][1]}
    for path, text in (project.code(package) | meter).items():
        file = Path(folder.name, path)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text)
    return folder


class Worker:
    """One Node process that serves the Worker at `url` until the block ends, on tables that are migrated first."""

    def __init__(
        self,
        settings: Mapping[str, Any] | None = None,
        variables: Mapping[str, str] | None = None,
        *,
        migrated: bool = True,
        measured: bool = False,
        counted: bool = False,
        source: Path | None = None,
        packages: Path = PACKAGES,
    ) -> None:
        self._folders = (str(source or Path(deployed().name)), str(packages))
        self._start = _start(settings, variables, ())
        self._migrated = migrated
        self._more = ["measured"] if measured else ["counted"] if counted else []
        self._numbers = itertools.count(1)
        self._waiting: dict[int, Future[Any]] = {}
        self._listening: Future[dict[str, Any]] = Future()
        self.url = ""
        self.import_ms = 0.0

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [NODE, str(HERE / "worker.mjs"), *self._folders, *self._more],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._write(self._start)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        started = self._listening.result()
        self.url, self.import_ms = f"http://127.0.0.1:{started['port']}", started["importMs"]
        if self._migrated:
            self.ask("batch", statements=migrations())
        return self

    def __exit__(self, *_: object) -> None:
        end(self._process, self._reader)

    def again(
        self,
        settings: Mapping[str, Any],
        variables: Mapping[str, str] | None = None,
        without: Sequence[str] = (),
        dimensions: int = 0,
        assets: Mapping[str, str] | None = None,
    ) -> None:
        """Another isolate, on the same stores, in the place of the one that served; with an index, if of so many dimensions, and
        with these files as assets."""
        more: dict[str, Any] = {} if assets is None else {"assets": dict(assets)}
        self.ask("again", **_start(settings, variables, without), dimensions=dimensions, **more)

    def ask(self, what: str, **given: Any) -> Any:
        """What worker.mjs does beside serving: batch, scheduled, idle, counts, log, measure."""
        number = next(self._numbers)
        answered = self._waiting[number] = Future()
        self._write({"id": number, "what": what, **given})
        return answered.result()

    async def asked(self, what: str, **given: Any) -> Any:
        """The same beside an event loop's other work."""
        return await asyncio.to_thread(lambda: self.ask(what, **given))

    def rows(self, sql: str, *args: Any) -> list[tuple[Any, ...]]:
        """What D1 says; its columns need names that differ."""
        return [tuple(row.values()) for row in self.ask("batch", statements=[[sql, list(args)]])[0]]

    def ledger(self, request_id: str) -> list[tuple[str, str, int]]:
        """(stage, how it ended, nano-dollars) of a request, in order."""
        return self.rows(LEDGER, request_id)

    def said(self) -> list[dict[str, Any]]:
        """The lines of its log since they were asked for last."""
        lines: list[str] = self.ask("log")
        return [json.loads(line) for line in lines]

    def _write(self, line: Mapping[str, Any]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(line) + "\n")
        self._process.stdin.flush()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            said = json.loads(line)
            if "port" in said:
                self._listening.set_result(said)
            elif "failed" in said:
                self._waiting.pop(said["id"]).set_exception(RuntimeError(said["failed"]))
            else:
                self._waiting.pop(said["id"]).set_result(said["told"])
        for future in [self._listening, *self._waiting.values()]:
            if not future.done():
                future.set_exception(RuntimeError("The Worker has ended; see its output."))


def _start(
    settings: Mapping[str, Any] | None, variables: Mapping[str, str] | None, without: Sequence[str]
) -> dict[str, Any]:
    return {
        "settings": json.dumps(settings or {}),
        "vars": {"JWT_SECRET": SECRET} if variables is None else dict(variables),
        "without": list(without),
    }


def migrations() -> list[list[Any]]:
    """All of this version, as wrangler leaves them behind."""
    steps = shipped()
    listed: list[list[Any]] = [[ACCOUNT, []]]
    for step in steps:
        listed += [[sql, []] for sql in statements(step.sql)]
        name = f"{step.version:04d}_{step.name}.sql"
        listed.append(["insert into d1_migrations (name) values (?)", [name]])
    return listed
