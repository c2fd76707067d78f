"""Which port's suite runs on which home: read from the names of its tests, shown in docs/reference/ports.md and after a run."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from tests.pages import ROOT

HOMES = ("memory", "embedded", "server", "cloudflare")
FOLDER = "tests/contract/"
PORTS = {
    "Fetch": "fetch/",
    "Store": "test_store",
    "Blobs": "test_blobs",
    "Meter": "test_meter",
    "Tables": "test_tables",
    "Budgets on Tables": "test_budgets",
    "Index": "test_index",
    "Clock": "test_clock",
    "Ids": "test_ids",
    "Spawn": "test_spawn",
    "Crypto": "test_crypto",
    "Runner": "test_runner",
    "Parse": "test_parse",
    "Mail": "test_mail",
    "Traces": "test_traces",
    "Print": "test_print",
}
"""What the suite of a port is called."""
UNNAMED: Mapping[str, Sequence[str]] = {"Fetch": ("embedded", "server")}
"""Whom the tests are about that name no home: those two have one client."""
EMBEDDEDS = "the embedded home's own"
WORKERS = "by the whole Worker's own tests"
WITHOUT: Mapping[tuple[str, str], str] = {
    ("Clock", "server"): EMBEDDEDS,
    ("Clock", "cloudflare"): EMBEDDEDS,
    ("Ids", "server"): EMBEDDEDS,
    ("Ids", "cloudflare"): EMBEDDEDS,
    ("Spawn", "server"): EMBEDDEDS,
    ("Spawn", "cloudflare"): WORKERS,
    ("Crypto", "server"): EMBEDDEDS,
    ("Mail", "server"): EMBEDDEDS,
    ("Print", "server"): EMBEDDEDS,
    ("Print", "cloudflare"): "no PDF there: the page, printed",
    ("Mail", "cloudflare"): "no mail there: a webhook's channel",
    ("Traces", "server"): EMBEDDEDS,
    ("Traces", "cloudflare"): "refused by `penstock check` and at the start",
}
"""Why a port has no tests on a home; what is said here of one that has some counts no more."""
OUTCOMES = ("passed", "skipped", "failed")

Place = tuple[str, str]


def places(nodeid: str) -> list[Place]:
    """The port and the homes that a test is about, none if it is in no suite."""
    name = nodeid.partition("::")[0].partition(FOLDER)[2]
    found = [port for port, begins in PORTS.items() if name.startswith(begins)]
    if not found:
        return []
    given = nodeid.partition("[")[2].rstrip("]").split("-")
    homes: Sequence[str] = [home for home in HOMES if any(_about(text, home) for text in given)]
    return [(found[0], home) for home in homes or UNNAMED.get(found[0], ())]


def counted(outcomes: Iterable[tuple[str, str]]) -> dict[Place, Counter[str]]:
    """How many tests of each place ended how, of (test, outcome)."""
    found: dict[Place, Counter[str]] = {}
    for nodeid, outcome in outcomes:
        for place in places(nodeid):
            found.setdefault(place, Counter())[outcome] += 1
    return found


def lines(counts: Mapping[Place, Counter[str]]) -> list[str]:
    """The table of a run, ports of which something ran."""
    ran = [port for port in PORTS if any(place[0] == port for place in counts)]
    cells = [
        ["", *HOMES],
        *([port, *(_ended(port, home, counts) for home in HOMES)] for port in ran),
    ]
    widths = [max(len(row[at]) for row in cells) for at in range(len(HOMES) + 1)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in cells
    ]


def collected() -> list[str]:
    """The tests of the suites as pytest finds them."""
    command = [
        sys.executable,
        "-m",
        "pytest",
        "--collect-only",
        "-q",
        "-p",
        "no:cacheprovider",
        FOLDER,
    ]
    told = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    return [line for line in told.stdout.splitlines() if "::" in line]


def homes_table() -> Sequence[Sequence[object]]:
    """Which port's suite runs where, and why it does not elsewhere."""
    counts = counted((nodeid, "collected") for nodeid in collected())
    rows = [
        [f"`{port}`" if " " not in port else port, *(_stands(port, home, counts) for home in HOMES)]
        for port in PORTS
    ]
    return [["suite of", *HOMES], *rows]


def _about(text: str, home: str) -> bool:
    """Is a parameter of a test this home, a form of it, or several of which it is one?"""
    return bool(re.match(rf"({home}|\w+ and {home})\b", text))


def _stands(port: str, home: str, counts: Mapping[Place, Counter[str]]) -> str:
    return "tested" if (port, home) in counts else WITHOUT[port, home]


def _ended(port: str, home: str, counts: Mapping[Place, Counter[str]]) -> str:
    ended = counts.get((port, home), Counter())
    told = [f"{ended[outcome]} {outcome}" for outcome in OUTCOMES if ended[outcome]]
    return ", ".join(told) or WITHOUT.get((port, home), "not run")
