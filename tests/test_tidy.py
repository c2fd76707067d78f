"""The house rules, held by the tree itself: each is also shown a sin and must see it."""

from __future__ import annotations

import importlib
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from tests import tidy

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src"
PACKAGE = SOURCE / "penstock"
BUILT = PACKAGE / "dashboard"
"""What `make ui` wrote there."""
UNTIDY = {"__pycache__", "node_modules"}
TEXTS = {".py", ".js", ".mjs", ".ts", ".sql", ".css", ".html"}

Rule = Callable[[str], list[str]]


def files(*folders: str, suffixes: set[str] | None = None) -> list[Path]:
    """The files of these folders, without what tools leave in them."""
    found = []
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*")):
            parts = set(path.relative_to(ROOT).parts)
            if BUILT in path.parents:
                continue
            if path.is_file() and not parts & UNTIDY and path.suffix in (suffixes or {".py"}):
                found.append(path)
    return found


def core() -> list[Path]:
    """Everything of penstock but the places where it meets the world."""
    outside = {PACKAGE / "entry", PACKAGE / "platforms", PACKAGE / "__main__.py"}
    return [path for path in files("src/penstock") if not outside & {path, *path.parents}]


def findings(rule: Rule, paths: list[Path]) -> list[str]:
    """What a rule finds in these files, as `path:line: what`."""
    found = []
    for path in paths:
        try:
            told = rule(path.read_text(encoding="utf-8"))
        except SyntaxError as error:
            told = [f"{error.lineno}: {error.msg}"]
        found += [f"{path.relative_to(ROOT)}:{what}" for what in told]
    return found


def module_name(path: Path) -> str:
    """`penstock.wire.http` for src/penstock/wire/http.py."""
    return ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__")


EVERYWHERE = ("src", "tests", "load", "bench")
SPEAKERS = PACKAGE / "entry" / "cli"

RULES: dict[str, tuple[Rule, Callable[[], list[Path]]]] = {
    "files fit in one reading": (tidy.long_file, lambda: files(*EVERYWHERE, suffixes=TEXTS)),
    "functions fit on a screen": (tidy.long_functions, lambda: files(*EVERYWHERE)),
    "ports are small": (tidy.wide_ports, lambda: files("src")),
    "the core is pure": (tidy.impurities, core),
    "no loop's object in a module": (tidy.asyncio_at_import, lambda: files("src")),
    "imports have no effects": (tidy.import_effects, lambda: files("src")),
    "no globals": (tidy.global_statements, lambda: files("src")),
    "only the command line prints": (
        tidy.prints,
        lambda: [path for path in files("src") if SPEAKERS not in path.parents],
    ),
    "tests wait for events": (tidy.sleeps, lambda: files("tests")),
    "exemptions say why": (tidy.bare_exemptions, lambda: files(*EVERYWHERE)),
    "nothing is left undone": (tidy.unfinished, lambda: files("src", suffixes=TEXTS)),
    "SQL parameters are in order": (tidy.misnumbered_sql, lambda: files("src")),
    "what others wrote is not deep": (
        tidy.bare_decoders,
        lambda: files("src/penstock/providers", "src/penstock/auth"),
    ),
    "SQL stands by itself": (
        tidy.stray_sql,
        lambda: [path for path in core() if path.name != "sql.py"],
    ),
}


@pytest.mark.parametrize("name", RULES)
def test_rule(name: str) -> None:
    rule, paths = RULES[name]
    assert findings(rule, paths()) == []


def lines(parts: list[str]) -> str:
    """Source text of these lines."""
    return "\n".join(parts)


SINS: list[tuple[Rule, str]] = [
    (tidy.long_file, "x = 1\n" * 401),
    (tidy.long_functions, lines(["async def f():", *["    x = 1"] * 60])),
    (
        tidy.wide_ports,
        lines(["class P(Protocol[T]):", *[f"    def m{n}(self): ..." for n in "123456"]]),
    ),
    *[(tidy.impurities, f"import {name}") for name in ("os", "aiohttp", "urllib.request", "js")],
    (tidy.impurities, "def f():\n    from os import path"),
    (tidy.impurities, "from urllib import request"),
    (tidy.impurities, "from asyncio import sleep"),
    (tidy.impurities, "async def f():\n    await asyncio.sleep(1)"),
    (tidy.impurities, "def f():\n    return datetime.now(UTC)"),
    (tidy.impurities, "open('x')"),
    (tidy.asyncio_at_import, "import asyncio\nLOCK = asyncio.Lock()"),
    (tidy.asyncio_at_import, "from asyncio import Event\nclass A:\n    e: Event = Event()"),
    (tidy.asyncio_at_import, "import asyncio\ndef f(q=asyncio.Queue()): ..."),
    (tidy.import_effects, "register()"),
    (tidy.global_statements, "def f():\n    global x"),
    (tidy.prints, "print('x')"),
    (tidy.sleeps, "time.sleep(1)"),
    (tidy.sleeps, "async def f():\n    await asyncio.sleep(0.1)"),
    (tidy.bare_exemptions, "import x  # noqa"),
    (tidy.bare_exemptions, "import x  # noqa: F401"),
    (tidy.bare_exemptions, "import x  # noqa because we must"),
    (tidy.bare_exemptions, "import x  # type: ignore[import]"),
    (tidy.bare_exemptions, "import x  # type: ignore[import]  # noqa: F401, E402"),
    (tidy.unfinished, "x = 1  # TO" + "DO later"),
    (tidy.misnumbered_sql, "Q = 'SELECT a FROM b WHERE c = $2 AND d = $1'"),
    (tidy.misnumbered_sql, "Q = 'DELETE FROM b WHERE c = $1 AND d = $3'"),
    (tidy.misnumbered_sql, "q = f'update {table} set a = $3, b = $2'"),
    (tidy.stray_sql, "def f(t):\n    return 'select a from t'"),
    (tidy.bare_decoders, "read = msgspec.json.Decoder(int).decode"),
    (tidy.bare_decoders, "def f(body):\n    return msgspec.json.decode(body)"),
]


@pytest.mark.parametrize(("rule", "source"), SINS)
def test_rule_sees_a_sin(rule: Rule, source: str) -> None:
    assert len(rule(source)) == 1


VIRTUES: list[tuple[Rule, str]] = [
    (tidy.long_file, "x = 1\n" * 400),
    (tidy.long_functions, lines(["def f():", *["    x = 1"] * 59])),
    (
        tidy.wide_ports,
        lines(["class P(Protocol):", *[f"    def m{n}(self): ..." for n in "12345"]]),
    ),
    (tidy.impurities, "import asyncio, re, http, urllib.parse, hashlib, msgspec, penstock.errors"),
    (tidy.impurities, "from __future__ import annotations\nfrom . import http"),
    (tidy.impurities, "async def f():\n    await asyncio.sleep(0)\n    await clock.sleep(1)"),
    (tidy.asyncio_at_import, "import asyncio\ndef f():\n    return asyncio.Lock()"),
    (tidy.asyncio_at_import, "import threading\nLOCK = threading.Lock()"),
    (tidy.import_effects, '"""Why."""\nx = f()'),
    (tidy.bare_exemptions, "import x  # noqa: F401 - the tests read it"),
    (tidy.bare_exemptions, "import x  # type: ignore[import]  # it has no stubs"),
    (tidy.misnumbered_sql, "Q = \"SELECT '$9' FROM b WHERE c = $1 AND d = $2 OR e = $1\""),
    (tidy.misnumbered_sql, "q = f'update t set {values} where a = $2'"),
    (tidy.bare_decoders, "read = parser(int)\nfail = msgspec.DecodeError"),
    (tidy.stray_sql, '"""Select a target from the list."""'),
]


@pytest.mark.parametrize(("rule", "source"), VIRTUES)
def test_rule_lets_virtue_pass(rule: Rule, source: str) -> None:
    assert rule(source) == []


def texts(value: object) -> Iterator[str]:
    """The strings in a constant: itself, or those of a list, a tuple or a mapping."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        yield from texts(tuple(value.values()))
    elif isinstance(value, list | tuple):
        for item in value:
            yield from texts(item)


def sql_constants() -> Iterator[tuple[str, str]]:
    """Every public string that a `sql.py` holds, however it was put together."""
    for path in files("src"):
        if path.name == "sql.py":
            for name, value in vars(importlib.import_module(module_name(path))).items():
                if not name.startswith("_"):
                    yield from ((f"{module_name(path)}.{name}", text) for text in texts(value))


def test_sql_constants_number_their_parameters_in_order() -> None:
    assert [where for where, sql in sql_constants() if not tidy.numbered(sql)] == []


# What Workers refuse at import, and what no import may do anywhere.
IMPORT_IN_A_SHELL = """
import asyncio, importlib, os, random, secrets, socket, sys, threading, time, uuid
import msgspec

def refuse(*args, **kwargs):
    raise RuntimeError("reached for the world at import")

for module, names in {
    os: ["urandom", "getrandom", "fork", "system"],
    random: [n for n in dir(random) if callable(getattr(random, n)) and n[0] != "_"],
    secrets: [n for n in secrets.__all__ if n != "compare_digest"],
    uuid: ["uuid1", "uuid4"],
    socket: ["socket", "create_connection", "getaddrinfo"],
    time: ["sleep"],
    threading.Thread: ["start"],
}.items():
    for name in names:
        setattr(module, name, refuse)

source, *names = sys.argv[1:]
known = {*sys.modules}
sys.path.insert(0, source)
modules = [importlib.import_module(name) for name in names]
bound = (asyncio.Lock, asyncio.Event, asyncio.Queue, asyncio.Future, asyncio.Semaphore,
         asyncio.Condition, asyncio.AbstractEventLoop)
held = [f"{m.__name__}.{k}" for m in modules for k, v in vars(m).items() if isinstance(v, bound)]
tops = {name.partition(".")[0] for name in {*sys.modules} - known}
strangers = tops - sys.stdlib_module_names - {name.partition(".")[0] for name in names}
print(held or sorted(strangers) or "clean")
"""


def imports_cleanly(source: Path, names: list[str]) -> str:
    """`clean`, or what importing these modules did; the last line says it."""
    command = [sys.executable, "-I", "-c", IMPORT_IN_A_SHELL, str(source), *names]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    return (done.stdout or done.stderr).strip().splitlines()[-1]


def test_core_imports_without_randomness_or_sockets() -> None:
    assert imports_cleanly(SOURCE, [module_name(path) for path in core()]) == "clean"


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("import os\nX = os.urandom(1)", "RuntimeError: reached for the world at import"),
        ("import random\nX = random.random()", "RuntimeError: reached for the world at import"),
        ("import uuid\nX = uuid.uuid4()", "RuntimeError: reached for the world at import"),
        ("import socket\nX = socket.socket()", "RuntimeError: reached for the world at import"),
        ("import asyncio\nX = asyncio.Event()", "['sinner.X']"),
        ("import iniconfig", "['iniconfig']"),
        ("X = 1", "clean"),
    ],
)
def test_clean_import_is_told_from_unclean(tmp_path: Path, source: str, said: str) -> None:
    (tmp_path / "sinner.py").write_text(source)
    assert imports_cleanly(tmp_path, ["sinner"]) == said


def test_nothing_leans_on_a_neighbour_of_the_repository() -> None:
    paths = [*files("src", "tests", "load", suffixes={*TEXTS, ".toml", ".json", ".sh", ".md"})]
    paths += [ROOT / name for name in ("Makefile", "pyproject.toml", ".ci/run")]
    outside = re.compile(r"(\.\.|/work)/share" + "d")
    leaning = [p for p in paths if outside.search(p.read_text(encoding="utf-8", errors="replace"))]
    assert leaning == []


def declared() -> set[str]:
    """Every package that the project names, for whatever use, in Python and in Node."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    lines = [*project["project"]["dependencies"], *project["build-system"]["requires"]]
    for group in project["project"].get("optional-dependencies", {}).values():
        lines += group
    for group in project.get("dependency-groups", {}).values():
        lines += [line for line in group if isinstance(line, str)]
    names = {re.split(r"[^\w.-]", line, maxsplit=1)[0] for line in lines}
    places = ("ui", "tests/*", "bench/*")
    for path in (found for place in places for found in ROOT.glob(f"{place}/package.json")):
        package = json.loads(path.read_text())
        for kind in ("dependencies", "devDependencies", "optionalDependencies"):
            names |= package.get(kind, {}).keys()
    return names


def test_each_dependency_has_its_reason() -> None:
    page = (ROOT / "docs" / "explanation" / "dependencies.md").read_text(encoding="utf-8")
    explained = re.findall(r"^- `([^`]+)`[^:]*: \S.+\.$", page, re.MULTILINE)
    assert sorted(set(explained)) == sorted(declared())
