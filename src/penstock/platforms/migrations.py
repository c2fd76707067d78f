"""The tables' history, read from the package: `migrations/NNNN_name.sql`, in order of their numbers."""

from __future__ import annotations

import re
from collections.abc import Iterable
from importlib import resources
from importlib.resources.abc import Traversable
from typing import NamedTuple

from penstock.errors import Misconfigured

FILE = re.compile(r"(\d{4})_(\w+)\.sql")


class Migration(NamedTuple):
    """One step: plain SQL in the subset the platforms share, statements ended by `;`."""

    version: int
    name: str
    sql: str


def shipped() -> tuple[Migration, ...]:
    """The migrations of this version of Penstock."""
    return read(resources.files("penstock").joinpath("migrations"))


def read(folder: Traversable) -> tuple[Migration, ...]:
    """The migrations in a folder, by number; raises ValueError where a number is missing or doubled."""
    found = []
    for file in folder.iterdir():
        match = FILE.fullmatch(file.name)
        if match:
            found.append(Migration(int(match[1]), match[2], file.read_text(encoding="utf-8")))
    found.sort()
    if [step.version for step in found] != list(range(1, len(found) + 1)):
        raise ValueError("The migrations are not numbered 0001, 0002, 0003 …")
    return tuple(found)


def outstanding(steps: Iterable[Migration], version: int) -> list[Migration]:
    """The steps above a version; raises Misconfigured where the tables are newer than this Penstock."""
    known = list(steps)
    newest = known[-1].version if known else 0
    if version > newest:
        raise Misconfigured(
            f"The tables were written by a newer Penstock: they are at migration {version}, this"
            f" one knows {newest}. Install the newer version, or restore a backup from before it."
        )
    return [step for step in known if step.version > version]
