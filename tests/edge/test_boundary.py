"""Where Python ends and JavaScript begins, and what a Worker's start forbids."""

from __future__ import annotations

import re
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


async def test_all_of_it_is_imported_by_a_workers_interpreter_without_randomness(
    edge_home: EdgeHome,
) -> None:
    names = at_start()
    assert {"penstock.gateway.chat", "penstock.entry.workers"} <= {*names}
    assert await edge_home.ask("imports", names) > 0


async def test_an_import_that_asks_for_randomness_is_refused(edge_home: EdgeHome) -> None:
    with pytest.raises(RuntimeError, match="at import"):
        await edge_home.ask("imports", ["sinner"])
