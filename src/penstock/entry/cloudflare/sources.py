"""Which modules of the package a Worker needs: what its entry imports, and what that imports in turn."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib import resources
from importlib.resources.abc import Traversable

PACKAGE = "penstock"
ROOTS = ("penstock.entry.workers", "penstock.migrations")
"""The entry, and the migrations, which it compares with those that the database has had."""
PAGES = "penstock/dashboard"
"""The dashboard's built files, all of which go along where there are any."""
DATA = (".sql", ".json")
"""Files beside the modules that go with them."""


def closure(modules: Mapping[str, str], roots: Sequence[str]) -> list[str]:
    """The names of the modules, given with their sources, that these import: at any depth, lazily too.

    Imports for type checkers alone do not count. Raises KeyError where a root is not among the modules.
    """
    found: set[str] = set()
    due = [*roots]
    while due:
        name = due.pop()
        if name in found:
            continue
        found.add(name)
        reached = [*_parents(name), *_imported(ast.parse(modules[name]))]
        due += [other for other in reached if other in modules]
    return sorted(found)


def packaged(package: Traversable | None = None) -> dict[str, tuple[str, bytes]]:
    """Every file of the package by its path, with its module's name where it is one."""
    root = package or resources.files(PACKAGE)
    return {path: (_module(path), text) for path, text in sorted(_files(root, PACKAGE))}


def needed(files: Mapping[str, tuple[str, bytes]], roots: Sequence[str]) -> dict[str, bytes]:
    """The files that these modules need, with the data beside them."""
    modules = {name: text.decode() for name, text in files.values() if name}
    names = {*closure(modules, roots)}
    folders = {path.rpartition("/")[0] for path, (name, _) in files.items() if name in names}
    return {
        path: text
        for path, (name, text) in files.items()
        if name in names or (path.endswith(DATA) and path.rpartition("/")[0] in folders)
    }


def _imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from (alias.name, *_parents(alias.name))
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (node.module, *_parents(node.module))
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.If) and _for_types(node.test):
            yield from _imported(ast.Module(node.orelse, []))
        else:
            yield from _imported(node)


def _for_types(test: ast.expr) -> bool:
    name = test.attr if isinstance(test, ast.Attribute) else getattr(test, "id", "")
    return name == "TYPE_CHECKING"


def _parents(name: str) -> Iterable[str]:
    parts = name.split(".")
    return (".".join(parts[:count]) for count in range(1, len(parts)))


def _files(folder: Traversable, path: str) -> Iterator[tuple[str, bytes]]:
    for item in folder.iterdir():
        here = f"{path}/{item.name}"
        if item.is_dir():
            yield from _files(item, here) if item.name != "__pycache__" else ()
        elif path.startswith(PAGES) or item.name.endswith((".py", ".js", *DATA)):
            yield here, item.read_bytes()


def _module(path: str) -> str:
    if not path.endswith(".py"):
        return ""
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
