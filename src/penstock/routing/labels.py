"""Labels: asks that a weak and a strong target both answered, with what each answer was worth."""

from __future__ import annotations

from array import array
from codecs import BOM_UTF8
from collections.abc import Iterable, Iterator, Sequence
from hashlib import blake2b, sha256
from heapq import heappush, heappushpop
from math import isfinite
from typing import Literal

import msgspec
from msgspec import Struct

from penstock.errors import BadRequest
from penstock.routing import features
from penstock.routing.heuristic import complexity
from penstock.wire import json
from penstock.wire.chat import Ask, Message, text_of

FEWEST = 50
MOST_ROWS = 20_000
"""Rows that are learned from: of more, an even sample by their hash, the same in any order."""
MOST_LINES = 2_000_000
MOST_LINE_BYTES = 1 << 20
_CLASSES = {"simple": 0.0, "medium": 1.0, "complex": 2.0}
_SHAPE = '{"prompt": "…", "weak": 0.5, "strong": 1}'


class Seen(Struct, frozen=True):
    """What is left of an ask whose text nobody kept: its features, as `penstock router labels` writes them."""

    version: int
    slots: list[int]
    length: int
    complexity: Literal["simple", "medium", "complex"]


class Labelled(Struct, frozen=True):
    """One line as it stands there."""

    weak: float
    strong: float
    prompt: str | None = None
    messages: list[Message] | None = None
    features: Seen | None = None
    tools: list[dict[str, object]] | None = None
    weak_cost: float | None = None
    strong_cost: float | None = None
    group: str | int | None = None


class Row(Struct, frozen=True):
    """What is kept of a line: no text."""

    slots: array[int]
    weak: float
    strong: float
    unit: bytes
    """The group, or the text where there is none: rows of one are never on both sides of a test."""
    text: bytes
    length: int
    complexity: float
    costs: tuple[float, float] | None = None

    @property
    def gain(self) -> float:
        return self.strong - self.weak


class Labels(Struct, frozen=True):
    """The rows that are used, of how many lines, and the hash of all lines."""

    rows: tuple[Row, ...]
    lines: int
    repeated: int
    digest: str


_line = json.parser(Labelled)


def read(lines: Iterable[bytes]) -> Labels:
    """Labels from JSON lines; raises BadRequest with the number of the line that is none, or why nothing can be learned."""
    kept: list[tuple[tuple[int, int], Row]] = []
    total, digest = 0, sha256()
    for number, line in _numbered(lines):
        total += 1
        digest.update(line)
        digest.update(b"\n")
        entry = (-int.from_bytes(blake2b(line, digest_size=8).digest()), number)
        label = _decoded(line, number)
        if len(kept) >= MOST_ROWS and entry < kept[0][0]:
            continue
        if len(kept) < MOST_ROWS:
            heappush(kept, (entry, _row(label)))
        else:
            heappushpop(kept, (entry, _row(label)))
    rows = tuple(row for _, row in sorted(kept, key=lambda one: one[0][1]))
    check(rows)
    return Labels(rows, total, len(rows) - len({row.text for row in rows}), digest.hexdigest())


def check(rows: Sequence[Row]) -> None:
    """Raises BadRequest where nothing can be learned from these."""
    if len(rows) < FEWEST:
        raise BadRequest(
            f"There are {len(rows)} labels; {FEWEST} are the fewest that anything can be told from.",
            code="labels_too_few",
        )
    gains = {row.gain for row in rows}
    if len(gains) < 2:
        raise BadRequest(
            "The strong target gains the same over the weak one on every row: there is nothing to tell apart.",
            code="labels_one_class",
        )
    if sum(row.gain for row in rows) <= 1e-6 * len(rows):
        raise BadRequest(
            "The strong target is no better than the weak one on these rows: there is no gap to recover; use the weak one.",
            code="labels_no_gain",
        )


def units(rows: Sequence[Row]) -> list[list[int]]:
    """The rows that belong together, in order of their first."""
    found: dict[bytes, list[int]] = {}
    for at, row in enumerate(rows):
        found.setdefault(row.unit, []).append(at)
    return list(found.values())


def folds(rows: Sequence[Row], count: int) -> list[int]:
    """Which part of a cross-validation each row is in: whole units, about as many rows in each, the same for the same rows."""
    parts, sizes = [0] * len(rows), [0] * count
    hashed = sorted(
        units(rows), key=lambda unit: (-len(unit), blake2b(rows[unit[0]].unit).digest())
    )
    for unit in hashed:
        part = sizes.index(min(sizes))
        sizes[part] += len(unit)
        for row in unit:
            parts[row] = part
    if not all(sizes):
        raise BadRequest(
            f"There are {len(hashed)} groups, fewer than the {count} parts of the cross-validation.",
            code="labels_too_few_groups",
        )
    return parts


def _numbered(lines: Iterable[bytes]) -> Iterator[tuple[int, bytes]]:
    for number, line in enumerate(lines, 1):
        if number > MOST_LINES:
            raise _refused(
                number, f"is one more than the {MOST_LINES:,} that are read; give a sample"
            )
        if len(line) > MOST_LINE_BYTES:
            raise _refused(number, f"is longer than {MOST_LINE_BYTES >> 20} MB")
        # Some editors mark a file as UTF-8 by its first bytes.
        if stripped := (line.removeprefix(BOM_UTF8) if number == 1 else line).strip():
            yield number, stripped


def _decoded(line: bytes, number: int) -> Labelled:
    try:
        label = _line(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        told = (
            str(error)
            if isinstance(error, msgspec.ValidationError)
            else "it is not JSON (NaN is none)"
        )
        raise _refused(number, f"is no label: {told}; write {_SHAPE}") from error
    if (label.prompt is not None) + bool(label.messages) + (label.features is not None) != 1:
        raise _refused(number, "needs one of `prompt`, `messages` and `features`")
    if label.features is not None and (wrong := _unusable(label.features)):
        raise _refused(number, wrong)
    for name in ("weak", "strong"):
        if not 0 <= getattr(label, name) <= 1:
            raise _refused(number, f"has a `{name}` that is not from 0 to 1")
    for name in ("weak_cost", "strong_cost"):
        cost = getattr(label, name)
        if cost is not None and not (isfinite(cost) and cost >= 0):
            raise _refused(number, f"has a `{name}` that is no amount")
    return label


def _unusable(seen: Seen) -> str:
    """What is wrong with features, if anything."""
    if seen.version != features.VERSION:
        return f"has `features` of version {seen.version}; this Penstock learns from version {features.VERSION}"
    if seen.length < 0 or any(not 0 <= slot < features.SIZE for slot in seen.slots):
        return f"has `features` with slots that are not from 0 to {features.SIZE - 1}"
    return ""


def _row(label: Labelled) -> Row:
    seen, text = label.features, ""
    if seen is None:
        ask = _ask(label)
        seen, text = _seen(ask), features.read(ask)
    slots = array("H", sorted(set(seen.slots)))
    known = text.encode("utf-8", "surrogatepass") or slots.tobytes()
    told = blake2b(known, digest_size=16).digest()
    group = None if label.group is None else f"group {label.group}".encode("utf-8", "surrogatepass")
    costs = None
    if label.weak_cost is not None and label.strong_cost is not None:
        costs = label.weak_cost, label.strong_cost
    return Row(
        slots, label.weak, label.strong, told if group is None else group, told, seen.length,
        _CLASSES[seen.complexity], costs,
    )  # fmt: skip


def _seen(ask: Ask) -> Seen:
    return Seen(features.VERSION, features.slots(ask), len(ask.text), complexity(ask)[0])


def _ask(label: Labelled) -> Ask:
    messages = label.messages or []
    text = text_of(messages[-1]) if messages else label.prompt or ""
    images = sum(
        part.type == "image_url"
        for message in messages
        if isinstance(message.content, list)
        for part in message.content
    )
    body = {"messages": [{"role": one.role, "content": text_of(one)} for one in messages]}
    return Ask(
        "", body, b"", text=text, turns=len(messages) or 1, images=images, tools=bool(label.tools)
    )


def _refused(number: int, why: str) -> BadRequest:
    return BadRequest(f"Line {number} {why}.", code="invalid_labels")
