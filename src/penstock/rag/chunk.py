"""A document's text cut into chunks where its structure allows, each a literal span of it."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator

from msgspec import Struct

MOST = 1_600
"""Characters of a chunk, unless another bound is asked for."""
LEAST_SHARE = 0.25
"""Of that bound: a chunk that has so much ends before the next heading."""
LEAST_FULL = 0.5
"""A chunk that would be emptier, its place's worth included, is rather cut between words."""
LONGEST_TITLE = 200

SENTENCE, LINE, ROW, ITEM, BLOCK, HEADING = range(6)
"""Where a text may be cut, from the weakest place."""
WORTH = (0.0, 0.05, 0.05, 0.15, 0.25, 0.5)
"""How much emptier a chunk may stay to end at such a place, as a share of its bound."""

_HEADING = re.compile(r" {0,3}(#{1,6})(?![^ \t])")
_UNDERLINE = re.compile(r" {0,3}(?:(=+)|-+)[ \t]*")
FENCE_BEGINS = r" {0,3}(`{3,}|~{3,})"
ITEM_BEGINS = r"[ \t]*(?:[-*+•]|\d{1,9}[.)])[ \t]"
_FENCE = re.compile(FENCE_BEGINS)
_ITEM = re.compile(ITEM_BEGINS)
_SENTENCE = re.compile("[.!?\u2026][\"'\u201d\u2019)\\]]*\\s+|[\u3002\uff01\uff1f\uff61]")
_LINE = re.compile(r"[^\n]*\n?")
_WORD = re.compile(r"\s\S*\Z")
_SHOWN = re.compile(r"\S")


class Chunk(Struct, frozen=True):
    """`text` is what stands from `start` to `end` in the document.

    `path` are the headings it stands under, from the highest, and `head` is the first row of the table it begins in.
    """

    start: int
    end: int
    text: str
    path: tuple[str, ...] = ()
    head: str = ""

    @property
    def titles(self) -> tuple[str, ...]:
        """What is to be known with the text: the headings, and the table's first row."""
        return (*self.path, self.head) if self.head else self.path


class Place(Struct, frozen=True):
    """Where a text may be cut. `title` is a heading's own, and of a table's row the table's first."""

    at: int
    kind: int
    level: int = 0
    title: str = ""


def chunks(text: str, most: int = MOST) -> Iterator[Chunk]:
    """All of the text but white space, in order and without overlap, at most `most` characters each."""
    ahead: deque[Place] = deque()
    rest = places(text)
    path: tuple[Place, ...] = ()
    head = ""
    start = _shown(text, 0)
    while start < len(text):
        while (not ahead or ahead[-1].at <= start + most) and (place := next(rest, None)):
            ahead.append(place)
        while ahead and ahead[0].at <= start:
            place = ahead.popleft()
            path = _under(path, place)
            head = place.title if place.kind == ROW else ""
        end = _end(text, start, most, ahead)
        shown = text[start:end].rstrip()
        titles = tuple(above.title for above in path if above.title)
        yield Chunk(start, start + len(shown), shown, titles, head)
        start = _shown(text, end)


def _shown(text: str, start: int) -> int:
    found = _SHOWN.search(text, start)
    return found.start() if found else len(text)


def _under(path: tuple[Place, ...], place: Place) -> tuple[Place, ...]:
    if place.kind != HEADING:
        return path
    return (*(above for above in path if above.level < place.level), place)


def _end(text: str, start: int, most: int, ahead: deque[Place]) -> int:
    """Where the chunk from `start` ends: at a heading, or where fullness and the place's worth are highest."""
    inside = [place for place in ahead if place.at - start <= most]
    for place in inside:
        if place.kind == HEADING and place.at - start >= most * LEAST_SHARE:
            return place.at
    if len(text) - start <= most:
        return len(text)
    full, end = max(
        (((place.at - start) / most + WORTH[place.kind], place.at) for place in inside),
        default=(0.0, start),
    )
    return end if full >= LEAST_FULL else _word(text, start, most)


def _word(text: str, start: int, most: int) -> int:
    """The last place between words of the second half, or inside one that fills it."""
    word = _WORD.search(text, start + most // 2, start + most)
    return word.start() + 1 if word else start + most


def places(text: str) -> Iterator[Place]:
    """Every place where the text may be cut but those between words, in order."""
    reader = _Reader()
    lines = _lines(text)
    line = next(lines, None)
    while line:
        at, shown = line
        line = next(lines, None)
        place = reader.read(at, shown, line[1] if line else "")
        if place is not None:
            yield place
            if not reader.table:
                ends = (found.end() for found in _SENTENCE.finditer(shown))
                yield from (Place(at + end, SENTENCE) for end in ends if end < len(shown))


class _Reader:
    """Tells what a line is by those before it: whether a fence is open, a table runs, or a block has ended."""

    def __init__(self) -> None:
        self.table = ""
        self._fence = ""
        self._after = BLOCK

    def read(self, at: int, line: str, following: str) -> Place | None:
        """The place before this line, if the text may be cut there; `following` is the line after it."""
        if not line.strip():
            self._after, self.table = (ITEM if self._fence else BLOCK), ""
            return None
        kind, self._after = self._after, LINE
        if self._fence:
            if _closes(line, self._fence):
                self._fence, self._after = "", BLOCK
            return Place(at, kind)
        if fence := _FENCE.match(line):
            self._fence, self.table = fence[1], ""
            return Place(at, BLOCK)
        if heading := _heading(line, following):
            self._after, self.table = BLOCK, ""
            return Place(at, HEADING, *heading)
        return Place(at, *self._row(line, kind))

    def _row(self, line: str, kind: int) -> tuple[int, int, str]:
        if "|" not in line:
            self.table = ""
            return max(kind, ITEM if _ITEM.match(line) else kind), 0, ""
        if self.table:
            return ROW, 0, self.table
        self.table = line.strip()[:LONGEST_TITLE]
        return kind, 0, ""


def _closes(line: str, fence: str) -> bool:
    marks = line.strip()
    return len(marks) >= len(fence) and marks == fence[0] * len(marks)


def _heading(line: str, following: str) -> tuple[int, str] | None:
    """Its level and its title: marked by #, or underlined."""
    if marked := _HEADING.match(line):
        title = line[marked.end() :].strip().rstrip("#").rstrip()
        return len(marked[1]), title[:LONGEST_TITLE]
    under = _UNDERLINE.fullmatch(following.rstrip())
    if under and len(line) <= LONGEST_TITLE and "|" not in line and not _ITEM.match(line):
        return (1 if under[1] else 2), line.strip()
    return None


def _lines(text: str) -> Iterator[tuple[int, str]]:
    for found in _LINE.finditer(text):
        if found.group():
            yield found.start(), found.group()
