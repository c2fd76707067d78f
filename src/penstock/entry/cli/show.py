"""What commands print: tables for people, one JSON value for programs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any


def as_json(value: Any) -> None:
    """One JSON value on standard output."""
    print(json.dumps(value, indent=2, ensure_ascii=False))


def table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Aligned columns; numbers to the right, an empty cell as a dash."""
    lines = [list(heads), *([_cell(value) for value in row] for row in rows)]
    numeric = [all(_is_number(line[at]) for line in lines[1:]) for at in range(len(heads))]
    widths = [max(len(line[at]) for line in lines) for at in range(len(heads))]
    for line in lines:
        cells = [
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(line, widths, numeric, strict=True)
        ]
        print("  ".join(cells).rstrip())


def pairs(values: Iterable[tuple[str, object]]) -> None:
    """A name and a value a line, the values aligned."""
    listed = list(values)
    width = max((len(name) for name, _ in listed), default=0)
    for name, value in listed:
        print(f"{name.ljust(width)}  {_cell(value)}")


def one_line(text: str) -> str:
    """The text with nothing in it that could break or colour a line."""
    return "".join(char if char.isprintable() else " " for char in text)


def _cell(value: object) -> str:
    return one_line(str(value)) if value not in ("", None) else "-"


def _is_number(text: str) -> bool:
    return text == "-" or text.replace(".", "", 1).replace("-", "", 1).isdecimal()
