"""Providers' usage exports, read: CSV with a head line, or JSON in the same names or as the usage APIs page it."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from penstock.ledger import days
from penstock.ledger.invoices import Export, Line, Used

MOST_ROWS = 1_000_000
MOST = 2**53 - 1
NANOS = 10**9
DELIMITERS = ",;\t"

NAMES: Mapping[str, tuple[str, ...]] = {
    "day": ("day", "date", "usage_date_utc", "starting_at", "start_time"),
    "model": ("model", "model_version"),
    "requests": ("requests", "num_model_requests"),
    "input": ("input_tokens",),
    "uncached": ("uncached_input_tokens", "usage_input_tokens_no_cache"),
    "cached_input": (
        "cached_input_tokens",
        "input_cached_tokens",
        "cache_read_input_tokens",
        "usage_input_tokens_cache_read",
    ),
    "output": ("output_tokens", "usage_output_tokens"),
    "cost_nanos": ("cost", "cost_usd"),
}
"""A field's column names, of which a row has at most one: ours, OpenAI's, Anthropic's. `input` counts the cached ones too."""
WRITTEN = (
    "cache_write_tokens",
    "usage_input_tokens_cache_write_5m",
    "usage_input_tokens_cache_write_1h",
    "ephemeral_5m_input_tokens",
    "ephemeral_1h_input_tokens",
)
"""Input that was written to a cache, counted beside `uncached`; several may stand in a row."""
_KNOWN = frozenset(name for names in NAMES.values() for name in names) | set(WRITTEN)

Cells = Mapping[str, Any]
Place = tuple[str, Cells]
"""Where a row stands (`line 3`, `row 3`), and its known columns."""


class Unreadable(ValueError):
    """The export cannot be read; the message names the line and the column, and says what is wrong there."""


def read(text: str, *, as_json: bool) -> Export:
    """An export's rows, in whatever order; raises Unreadable."""
    places = _json_rows(text) if as_json else _csv_rows(text)
    lines: list[Line] = []
    tells: set[str] = set()
    for where, cells in places:
        if len(lines) >= MOST_ROWS:
            raise Unreadable(f"{where}: more than {MOST_ROWS} rows; split the file")
        lines.append(_line(where, cells, tells))
    if not lines:
        raise Unreadable("it has no rows")
    if not tells & {"input", "output", "cost_nanos"}:
        raise Unreadable("no column is known beside day and model: see the page on checking a bill")
    return Export(tuple(lines), frozenset(tells))


def _line(where: str, cells: Cells, tells: set[str]) -> Line:
    found = {field: _one(where, cells, names) for field, names in NAMES.items()}
    day, model = (_needed(where, field, found[field]) for field in ("day", "model"))
    if not isinstance(model[1], str):
        raise Unreadable(f"{where}, column '{model[0]}': a model's name is a text")
    counts = {
        field: _count(where, *found[field])
        for field in ("requests", "input", "uncached", "cached_input", "output")
        if found[field] is not None
    }
    if "uncached" in counts and "input" not in counts:
        written = sum(_count(where, name, cells[name]) for name in WRITTEN if name in cells)
        counts["input"] = counts["uncached"] + counts.get("cached_input", 0) + written
    counts.pop("uncached", None)
    cost = found["cost_nanos"]
    if cost is not None:
        counts["cost_nanos"] = _nanos(where, *cost)
    tells.update(counts)
    return Line(_day(where, *day), model[1].strip(), Used(**counts))


def _one(where: str, cells: Cells, names: Iterable[str]) -> Any:
    given = [(name, cells[name]) for name in names if name in cells]
    if len(given) > 1:
        raise Unreadable(f"{where}: the columns '{given[0][0]}' and '{given[1][0]}' say the same")
    return given[0] if given else None


def _needed(where: str, field: str, found: tuple[str, Any] | None) -> tuple[str, Any]:
    if found is None or found[1] in ("", None):
        raise Unreadable(
            f"{where}: the column '{field}' is missing or empty (group the export by it)"
        )
    return found


def _day(where: str, name: str, value: Any) -> str:
    if isinstance(value, int) or (isinstance(value, str) and value.strip().isdecimal()):
        seconds = int(value)
        at = seconds * 1000 if 10**9 <= seconds < 10**10 else None
    else:
        at = days.parse(value.strip()) if isinstance(value, str) else None
    if at is None:
        raise Unreadable(f"{where}, column '{name}': {_shown(value)} is no day such as 2026-11-23")
    return days.day(at)


def _count(where: str, name: str, value: Any) -> int:
    number = _decimal(value)
    if number is None or number != number.to_integral_value() or not 0 <= number <= MOST:
        raise Unreadable(
            f"{where}, column '{name}': {_shown(value)} is no whole number of tokens or requests"
        )
    return int(number)


def _nanos(where: str, name: str, value: Any) -> int:
    """US dollars in whole nano-dollars, the nearest where the export has more digits."""
    number = _decimal(value)
    if number is None or abs(number) * NANOS > MOST:
        raise Unreadable(f"{where}, column '{name}': {_shown(value)} is no amount in US dollars")
    return int((number * NANOS).to_integral_value())


def _decimal(value: Any) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        return Decimal(0) if value is None else None
    text = str(value).strip()
    try:
        number = Decimal(text or "0")
    except InvalidOperation:
        return None
    return number if number.is_finite() and number.adjusted() < 20 else None


def _shown(value: Any) -> str:
    return repr(str(value)[:40])


def _csv_rows(text: str) -> Iterator[Place]:
    first = text.partition("\n")[0]
    reader = csv.reader(
        io.StringIO(text, newline=""), delimiter=max(DELIMITERS, key=first.count), strict=True
    )
    try:
        heads = [head.strip().lower() for head in next(reader, [])]
        _check_heads(heads)
        for cells in reader:
            where = f"line {reader.line_num}"
            if not any(cell.strip() for cell in cells):
                continue
            if len(cells) != len(heads):
                raise Unreadable(f"{where}: {len(cells)} columns, where the head has {len(heads)}")
            yield (
                where,
                {head: cell for head, cell in zip(heads, cells, strict=True) if head in _KNOWN},
            )
    except csv.Error as error:
        raise Unreadable(
            f"line {reader.line_num}: this is no CSV (a quote is left open or misplaced)"
        ) from error


def _check_heads(heads: list[str]) -> None:
    for head in heads:
        if head in _KNOWN and heads.count(head) > 1:
            raise Unreadable(f"line 1: the column '{head}' stands twice")
    for field in ("day", "model"):
        if not set(NAMES[field]) & set(heads):
            raise Unreadable(f"line 1: no column '{field}' (or {', '.join(NAMES[field][1:])})")


def _json_rows(text: str) -> Iterator[Place]:
    try:
        value = json.loads(text, parse_float=Decimal, parse_constant=_no_number)
    except json.JSONDecodeError as error:
        raise Unreadable(f"line {error.lineno}, column {error.colno}: this is no JSON") from error
    except RecursionError as error:
        raise Unreadable("it is nested too deeply") from error
    rows = _unwrapped(value)
    if rows is None:
        raise Unreadable("it is neither a list of rows nor a page of a usage API with 'data'")
    for number, row in enumerate(rows, 1):
        where = f"row {number}"
        if not isinstance(row, dict):
            raise Unreadable(f"{where}: this is no object")
        for flat in _results(where, row):
            yield where, {name: flat[name] for name in flat.keys() & _KNOWN}


def _unwrapped(value: Any) -> list[Any] | None:
    """The rows or buckets of a list, of a page, or of a list of pages."""
    if isinstance(value, dict):
        if value.get("has_more"):
            raise Unreadable(
                "'has_more' is true: this is one page of several; put all of them into a list"
            )
        value = value.get("data", value.get("rows"))
    if (
        isinstance(value, list)
        and value
        and all(isinstance(page, dict) and "data" in page for page in value)
    ):
        pages = [page["data"] for page in value]
        if all(isinstance(page, list) for page in pages):
            return [row for page in pages for row in page]
    return value if isinstance(value, list) else None


def _results(where: str, row: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """A row itself, or the results of a bucket, each with the bucket's time."""
    results = row.get("results")
    if results is None:
        yield row
        return
    if not isinstance(results, list) or not all(isinstance(one, dict) for one in results):
        raise Unreadable(f"{where}: 'results' is no list of objects")
    bucket = {name: row[name] for name in ("start_time", "starting_at") if name in row}
    for result in results:
        written = result.get("cache_creation")
        yield {**bucket, **result, **(written if isinstance(written, dict) else {})}


def _no_number(text: str) -> Any:
    raise Unreadable(f"{text} is no number")
