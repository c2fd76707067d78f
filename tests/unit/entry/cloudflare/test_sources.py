"""A Worker is given what its entry imports, at any depth, and nothing else."""

from __future__ import annotations

import subprocess
import sys

import pytest

from penstock.entry.cloudflare.sources import ROOTS, closure, needed, packaged

MODULES = {
    "a": "",
    "a.b": "from a.c import D\nimport json",
    "a.c": "def f():\n    from a import d",
    "a.d": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from a import e\nelse:\n    import a.f.g",
    "a.e": "",
    "a.f": "",
    "a.f.g": "import a.b",
    "a.x": "",
}
FOREIGN = (
    "platforms/server",
    "platforms/embedded",
    "platforms/http",
    "platforms/local",
    "entry/cli",
)


def test_closure_is_what_is_reached():
    assert closure(MODULES, ["a.b"]) == ["a", "a.b", "a.c", "a.d", "a.f", "a.f.g"]
    with pytest.raises(KeyError):
        closure(MODULES, ["a.nothing"])


def test_no_other_home_comes_with_it():
    paths = {*needed(packaged(), ROOTS)}
    assert {"penstock/gateway/chat.py", "penstock/migrations/0001_ledger.sql"} <= paths
    assert [
        path for path in paths if path.startswith(tuple(f"penstock/{f}" for f in FOREIGN))
    ] == []


def test_the_set_is_closed(tmp_path):
    for path, text in needed(packaged(), ROOTS).items():
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text)
    code = (
        "import sys, unittest.mock as m\n"
        "sys.modules.update({n: m.MagicMock() for n in ('js', 'pyodide', 'pyodide.ffi', 'workers')})\n"
        f"sys.path.insert(0, {str(tmp_path)!r})\n"
        "import penstock.entry.workers, penstock.gateway.routes\n"
        f"assert penstock.__file__.startswith({str(tmp_path)!r})"
    )
    subprocess.run([sys.executable, "-I", "-c", code], check=True, timeout=60)
