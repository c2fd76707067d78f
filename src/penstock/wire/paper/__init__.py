"""A document to read or print, as a value: what stands in it and in which order, not how it looks."""

from __future__ import annotations

import unicodedata
from typing import Literal

from msgspec import Struct

LONGEST = 80
"""Characters shown of a name that somebody chose."""
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Kinds of characters that have no shape of their own, or turn around what follows them."""
Unit = Literal["usd", "number"]


class Figure(Struct, frozen=True):
    """One figure that is read first: `note` says what it was before, or what it rests on."""

    label: str
    value: str
    note: str = ""


class Figures(Struct, frozen=True, tag=True):
    """Some of them side by side."""

    items: tuple[Figure, ...]


class Prose(Struct, frozen=True, tag=True):
    """A paragraph."""

    text: str


class Table(Struct, frozen=True, tag=True):
    """Rows of texts as wide as `columns`; the first `names` of these are words, the others numbers. A total is the last row."""

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    names: int = 1
    total: bool = False


class Series(Struct, frozen=True):
    """Values of one kind, one for each label; none is below 0."""

    name: str
    values: tuple[int, ...]


class Chart(Struct, frozen=True, tag=True):
    """Bars, one for each label, of one or more series on each other; `table` names the section that has the same in figures."""

    title: str
    labels: tuple[str, ...]
    series: tuple[Series, ...]
    unit: Unit = "number"
    table: str = ""


Block = Figures | Prose | Table | Chart


class Section(Struct, frozen=True):
    """Blocks under a title; others point at it by `id`, where it has one."""

    title: str
    blocks: tuple[Block, ...]
    id: str = ""


class Paper(Struct, frozen=True):
    """The whole document."""

    title: str
    about: str
    sections: tuple[Section, ...]


def shown(text: str, most: int = LONGEST) -> str:
    """A name as a page bears it: characters without a shape are replaced, and a long one is cut."""
    plain = "".join("\ufffd" if unicodedata.category(c) in _HIDDEN else c for c in text[: most + 1])
    return plain if len(plain) <= most else plain[: most - 1] + "\N{HORIZONTAL ELLIPSIS}"
