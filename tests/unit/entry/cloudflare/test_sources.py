"""A Worker is given what its entry imports, at any depth, and nothing else."""

from __future__ import annotations

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
