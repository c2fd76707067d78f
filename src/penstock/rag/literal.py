"""Where words that were quoted stand in a text, letter by letter but for white space and the shape of quotes and dashes."""

from __future__ import annotations

import re

from penstock.rag.sentences import Span

_FOLDED = str.maketrans(
    {
        **dict.fromkeys("\u2018\u2019\u201a\u201b\u2032`", "'"),
        **dict.fromkeys("\u201c\u201d\u201e\u201f\u2033\u00ab\u00bb", '"'),
        **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2212", "-"),
        "\u2026": ".",
    }
)
_SPACES = re.compile(r"\s+")
_LEFT_OUT = re.compile(r"\s*(?:\[?(?:\u2026|\.{3,})\]?)\s*")
_EDGES = " \t\n.,;:!?-'\""
_BEFORE = " \t\n'\"-"


class Literal:
    """A text in which quotes are looked for."""

    __slots__ = ("_at", "_folded", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self._at: list[int] = []
        parts: list[str] = []
        last = 0
        for gap in _SPACES.finditer(text):
            parts += [text[last : gap.start()], " "]
            self._at += [*range(last, gap.start()), gap.start()]
            last = gap.end()
        parts.append(text[last:])
        self._at += [*range(last, len(text)), len(text)]
        self._folded = "".join(parts).translate(_FOLDED)

    def find(self, quote: str) -> list[Span] | None:
        """The spans of what is quoted, one for each part where something was left out; None where any is not there."""
        found: list[Span] = []
        for part in _LEFT_OUT.split(quote):
            # What ends a quote may be the quoting sentence's own.
            needle = folded(part).rstrip(_EDGES).lstrip(_BEFORE)
            if not needle:
                continue
            span = self._span(needle)
            if span is None:
                return None
            found.append(span)
        return found

    def _span(self, needle: str) -> Span | None:
        # A quote that begins its sentence, or was taken from the beginning of one.
        for said in (needle, needle[0].swapcase() + needle[1:]):
            at = self._folded.find(said)
            while at >= 0:
                end = at + len(said)
                if not self._inside_word(at, end):
                    return self._at[at], self._at[end - 1] + 1
                at = self._folded.find(said, at + 1)
        return None

    def _inside_word(self, at: int, end: int) -> bool:
        """Whether it is cut out of longer words or numbers: `5` of `15` says something else."""
        folded = self._folded
        before = at > 0 and _joined(folded[at - 1], folded[at])
        after = end < len(folded) and _joined(folded[end - 1], folded[end])
        return before or after


def folded(text: str) -> str:
    """With one space for white space, and quotes and dashes of one shape."""
    return _SPACES.sub(" ", text).translate(_FOLDED)


def _joined(one: str, other: str) -> bool:
    # Scripts that set no spaces have no such words: only where both are of those that do.
    return one.isalnum() and other.isalnum() and one < "\u0e00" and other < "\u0e00"
