"""A text's sentences, each a literal span of it: what is quoted and cited is no longer than it need be."""

from __future__ import annotations

import re
from collections.abc import Iterator

from penstock.rag.chunk import FENCE_BEGINS, ITEM_BEGINS

Span = tuple[int, int]
"""Where something starts and ends in a text, in characters."""

LONGEST = 600
"""Characters of a sentence; a longer one is cut at a line's or a word's end."""
SHORT_LINE = 55
"""A line that is shorter ends with itself: text that was broken to a width has longer ones."""
BOUND = 40
"""Characters before a full stop that are looked at."""

_END = re.compile(
    "(?<![.!?\u2026])(?P<stop>[.!?\u2026]++[\"'\u201d\u2019\u00bb)\\]*_]*+)(?=\\s)"
    "|[\u3002\uff01\uff1f\uff61]+[\u300d\u300f\uff09\u201d\u2019]*"
    "|(?P<line>\n)"
)
_BEGINS = re.compile(rf"\s|\||#|>|{FENCE_BEGINS}|{ITEM_BEGINS}")
_NO_END = re.compile(
    r"(?:^|[\s(\[\"'\u201c])(?:[A-Z]|(?:[A-Za-z]\.)+[A-Za-z]|Mr|Mrs|Ms|Dr|Prof|St|Jr|Sr|vs|cf|ca|approx|Fig|fig|No|no|Vol|Inc|Ltd"
    r"|al|pp|p|Sec|Art|Nr|bzw|z\.B)\.\Z"
)
_GOES_ON = re.compile(r"\s+[a-z(]")
_SPACE = re.compile(r"\s\S*\Z")
_SHOWN = re.compile(r"\S")


def sentences(text: str, start: int = 0, end: int | None = None) -> list[Span]:
    """All of `text[start:end]` but white space, in order and without overlap, at most LONGEST characters each."""
    found: list[Span] = []
    last = len(text) if end is None else end
    begun = start
    for at in (*_ends(text, start, last), last):
        found += _cut(text, begun, at)
        begun = at
    return found


def _ends(text: str, start: int, last: int) -> Iterator[int]:
    begun = start
    for mark in _END.finditer(text, start, last):
        at = mark.end()
        if mark["line"] is not None:
            begins, begun = begun, at
            if not (at - begins <= SHORT_LINE or _BEGINS.match(text, at, last)):
                continue
        elif mark["stop"] is not None and _abbreviates(text, mark.start(), at, last):
            continue
        yield at


def _abbreviates(text: str, stop: int, at: int, last: int) -> bool:
    """Whether a full stop ends an abbreviation rather than a sentence."""
    if text[stop:at] != ".":
        return False
    if _GOES_ON.match(text, at, last) and "\n" not in text[at : at + 2]:
        return True
    return _NO_END.search(text[max(0, stop - BOUND) : stop + 1]) is not None


def _cut(text: str, start: int, end: int) -> Iterator[Span]:
    while shown := _SHOWN.search(text, start, end):
        start = shown.start()
        most = end
        if end - start > LONGEST:
            word = _SPACE.search(text, start + LONGEST // 2, start + LONGEST)
            most = word.start() + 1 if word else start + LONGEST
        yield start, start + len(text[start:most].rstrip())
        start = most
