"""The tables' history, read from the package: `migrations/NNNN_name.sql`, in order of their numbers.

What one kind of database says its own way (views, the order of rows) stands in `NNNN_name.KIND.sql`, and follows.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Literal, NamedTuple

from penstock.errors import Misconfigured

FILE = re.compile(r"(\d{4})_(\w+)\.sql")
Kind = Literal["sqlite", "postgres"]

MADE = re.compile(r"^create table (\w+) \(", re.MULTILINE)


class Migration(NamedTuple):
    """One step: plain SQL in the subset the platforms share, statements ended by `;`."""

    version: int
    name: str
    sql: str


def shipped(kind: Kind = "sqlite") -> tuple[Migration, ...]:
    """The migrations of this version of Penstock, as this kind of database takes them (D1 is a SQLite)."""
    return read(resources.files("penstock").joinpath("migrations"), kind)


def read(folder: Traversable, kind: Kind = "sqlite") -> tuple[Migration, ...]:
    """The migrations in a folder, by number; raises ValueError where a number is missing or doubled."""
    found = []
    files = {file.name: file for file in folder.iterdir()}
    for name, file in files.items():
        match = FILE.fullmatch(name)
        if match:
            own = files.get(f"{match[1]}_{match[2]}.{kind}.sql")
            texts = [one.read_text(encoding="utf-8") for one in (file, own) if one is not None]
            found.append(Migration(int(match[1]), match[2], "".join(texts)))
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


def tables(steps: Iterable[Migration]) -> list[str]:
    """What the steps make and need: not the first design's own, which may be another's."""
    return sorted({name for step in steps for name in MADE.findall(step.sql)})
