"""Runs in Pyodide: pytest on some of the path tests, and what it found."""

from __future__ import annotations

import asyncio
import inspect
import json
import sys
from asyncio import events
from traceback import format_exception
from types import ModuleType
from typing import Any
from unittest.mock import MagicMock

import penstock.platforms

HYPOTHESIS = "hypothesis has a part in native code, and asks hundreds of times"


def _stand_in(name: str, **parts: Any) -> Any:
    module = sys.modules[name] = ModuleType(name)
    vars(module).update(parts)
    return module


# All of the memory home but its fakes stands on what Pyodide lacks.
memory = _stand_in(
    "penstock.platforms.memory",
    __path__=[f"{folder}/memory" for folder in penstock.platforms.__path__],
)

import pytest  # noqa: E402 - beside what imports the stand-ins

from tests.edge import bound  # noqa: E402 - imports what the stand-in stands for

_stand_in(
    "hypothesis",
    given=lambda *_, **__: pytest.mark.skip(HYPOTHESIS),
    settings=lambda *_, **__: lambda test: test,
    strategies=MagicMock(),
)
_stand_in("jsonschema_rs", validator_for=lambda _: pytest.skip("jsonschema-rs is native code"))

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
        vars(asyncio)["run"] = self._worlds.run

    def run(self, line: str) -> str:
        """What became of each test of a file, as JSON; `line` names the file, and the tests that are not to be run."""
        asked = json.loads(line)
        report = Report(self._worlds, asked["unfit"])
        ours = events._get_running_loop()
        events._set_running_loop(None)
        try:
            pytest.main([*OPTIONS, f"/penstock/{asked['file']}"], plugins=[report])
        except ExceptionGroup as left:
            report.add("what the tests left behind", "failed", "".join(format_exception(left)))
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
        self._worlds.run(pyfuncitem.obj(**{name: pyfuncitem.funcargs[name] for name in names}))
        return True

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self.add(report.nodeid, report.outcome, report.longreprtext)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call" or not report.passed:
            why = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longreprtext
            name = report.nodeid.partition("::")[2]
            self.add(name, report.outcome, why, report.duration)

    def add(self, name: str, outcome: str, why: str, seconds: float = 0.0) -> None:
        self.found.append({"name": name, "outcome": outcome, "why": why, "seconds": seconds})
