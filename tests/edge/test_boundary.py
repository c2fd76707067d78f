"""Where Python ends and JavaScript begins, and what a Worker's start forbids."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.edge.home import ROOT, EdgeHome

PACKAGE = ROOT / "src" / "penstock"
ENTRY = PACKAGE / "entry" / "workers.py"
EDGE = PACKAGE / "platforms" / "cloudflare"
FOREIGN = re.compile(r"^\s*(?:import|from)\s+(?:js|pyodide|workers)\b", re.MULTILINE)


def module(path: Path) -> str:
    return ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(
        ".__init__"
    )


def at_start() -> list[str]:
    """What a Worker imports: the core, and the platform's own modules."""
    outside = {PACKAGE / "entry", PACKAGE / "platforms", PACKAGE / "__main__.py"}
    core = [path for path in PACKAGE.rglob("*.py") if not outside & {path, *path.parents}]
    return sorted(module(path) for path in [*core, ENTRY, *EDGE.glob("*.py")])


def test_two_modules_meet_javascript() -> None:
    meeting = [path for path in PACKAGE.rglob("*.py") if FOREIGN.search(path.read_text("utf-8"))]
    assert sorted(meeting) == [ENTRY, EDGE / "values.py"]


def eager(body: list[ast.stmt]) -> Iterator[str]:
    """What a module imports as it is imported itself."""
    for node in body:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.If) and "TYPE_CHECKING" not in ast.unparse(node.test):
            yield from eager([*node.body, *node.orelse])


def test_a_worker_starts_without_what_few_requests_need() -> None:
    files = {module(path): path for path in PACKAGE.rglob("*.py")}
    due, started = ["penstock.entry.workers"], set[str]()
    while due:
        name = due.pop()
        if name in files and name not in started:
            started.add(name)
            parts = name.split(".")
            due += [".".join(parts[:end]) for end in range(1, len(parts))]
            due += eager(ast.parse(files[name].read_text("utf-8")).body)
    assert "penstock.gateway.chat" in started
    late = ("penstock.rag", "penstock.gateway.documents", "penstock.gateway.asking")
    assert [name for name in sorted(started) if name.startswith(late)] == []


async def test_all_of_it_is_imported_by_a_workers_interpreter_without_randomness(
    edge_home: EdgeHome,
) -> None:
    names = at_start()
    assert {"penstock.gateway.chat", "penstock.entry.workers"} <= {*names}
    assert await edge_home.ask("imports", names) > 0


async def test_an_import_that_asks_for_randomness_is_refused(edge_home: EdgeHome) -> None:
    with pytest.raises(RuntimeError, match="at import"):
        await edge_home.ask("imports", ["sinner"])
