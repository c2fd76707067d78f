"""Runs in Pyodide: pytest on some of the path tests, and what it found."""

from __future__ import annotations

import asyncio
import inspect
import json
import sys
from asyncio import events
from types import ModuleType
from typing import Any
from unittest.mock import MagicMock

import penstock.platforms

HYPOTHESIS = "hypothesis has a part in native code, and asks hundreds of times"


def _stand_in(name: str, **parts: Any) -> ModuleType:
    module = sys.modules[name] = ModuleType(name)
    vars(module).update(parts)
    return module


# All of the memory home but its fakes stands on what Pyodide lacks.
memory = _stand_in(
    "penstock.platforms.memory",
    __path__=[f"{folder}/memory" for folder in penstock.platforms.__path__],
)

import pytest  # noqa: E402

from tests.edge import bound  # noqa: E402

_stand_in(
    "hypothesis",
    given=lambda *_, **__: pytest.mark.skip(HYPOTHESIS),
    settings=lambda *_, **__: lambda test: test,
    strategies=MagicMock(),
)

OPTIONS = (
    "--rootdir=/penstock", "--import-mode=importlib", "--noconftest", "--capture=no", "-c/dev/null", "-Werror",
    "--disable-plugin-autoload", "-pno:cacheprovider", "-pno:terminal", "-pno:faulthandler", "-pno:debugging",
)  # fmt: skip


class Runs:
    """The files that are asked for, each run by a pytest of its own."""

    def __init__(self, worlds: Any) -> None:
        self._worlds = bound.Worlds(worlds)
        memory.platform = self._worlds.platform
        memory.MemoryPlatform = bound.BoundPlatform

    def run(self, line: str) -> str:
        """What became of each test of a file, as JSON; `line` names the file, and the tests that are not to be run."""
        asked = json.loads(line)
        report = Report(self._worlds, asked["unfit"])
        ours = events._get_running_loop()
        events._set_running_loop(None)
        try:
            pytest.main([*OPTIONS, f"/penstock/{asked['file']}"], plugins=[report])
        finally:
            events._set_running_loop(ours)
        return json.dumps(report.found)


class Report:
    """A plugin: runs the tests' coroutines on our loop, and keeps what became of each test."""

    def __init__(self, worlds: bound.Worlds, unfit: dict[str, str]) -> None:
        self._worlds = worlds
        self._unfit = unfit
        self.found: list[dict[str, Any]] = []

    def pytest_itemcollected(self, item: pytest.Function) -> None:
        reason = self._unfit.get(item.originalname)
        if reason is not None:
            item.add_marker(pytest.mark.skip(reason))

    @pytest.hookimpl(tryfirst=True)
    def pytest_pyfunc_call(self, pyfuncitem: pytest.Function) -> bool | None:
        if not inspect.iscoroutinefunction(pyfuncitem.obj):
            return None
        names = pyfuncitem._fixtureinfo.argnames
        with asyncio.Runner(loop_factory=self._worlds.loop) as runner:
            runner.run(pyfuncitem.obj(**{name: pyfuncitem.funcargs[name] for name in names}))
        return True

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self._add(report, 0.0)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call" or not report.passed:
            self._add(report, report.duration)

    def _add(self, report: pytest.CollectReport | pytest.TestReport, seconds: float) -> None:
        skipped = isinstance(report.longrepr, tuple)
        why = str(report.longrepr[2]) if skipped else report.longreprtext
        name = report.nodeid.rpartition("::")[2]
        self.found.append({"name": name, "outcome": report.outcome, "why": why, "seconds": seconds})
