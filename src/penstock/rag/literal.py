"""Where words that were quoted stand in a text, letter by letter but for white space and the shape of quotes and dashes."""

from __future__ import annotations

import re
from functools import lru_cache

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
_LEFT_OUT = re.compile(r"\[?(?:\u2026|\.{3,})\]?")
_EDGES = " \t\n.,;:!?-'\""
_BEFORE = " \t\n'\"-"
_LETTER = r"[^\W_\u0e00-\U0010ffff]"
"""Of a script whose words have spaces between them."""
_FEW = 16
"""Places inside longer words that are looked at one by one."""


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
            at = self._find(said)
            if at >= 0:
                return self._at[at], self._at[at + len(said) - 1] + 1
        return None

    def _find(self, said: str) -> int:
        """The first place where it stands and is not inside a longer word; -1 where there is none."""
        at = -1
        for _ in range(_FEW):
            at = self._folded.find(said, at + 1)
            if at < 0 or not self._inside_word(at, at + len(said)):
                return at
        found = _alone(said).search(self._folded, at + 1)
        return found.start() if found else -1

    def _inside_word(self, at: int, end: int) -> bool:
        """Whether it is cut out of longer words or numbers: `5` of `15` says something else."""
        folded = self._folded
        before = at > 0 and _joined(folded[at - 1], folded[at])
        after = end < len(folded) and _joined(folded[end - 1], folded[end])
        return before or after


def folded(text: str) -> str:
    """With one space for white space, and quotes and dashes of one shape."""
    return _SPACES.sub(" ", text).translate(_FOLDED)


@lru_cache(maxsize=64)
def _alone(said: str) -> re.Pattern[str]:
    """Finds it outside of longer words however many they are: the same as `_inside_word` tells."""
    before = f"(?<!{_LETTER})" if re.match(_LETTER, said) else ""
    after = f"(?!{_LETTER})" if re.match(_LETTER, said[-1]) else ""
    return re.compile(f"{before}{re.escape(said)}{after}")


def _joined(one: str, other: str) -> bool:
    # Scripts that set no spaces have no such words: only where both are of those that do.
    return one.isalnum() and other.isalnum() and one < "\u0e00" and other < "\u0e00"
