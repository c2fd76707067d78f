"""An answer's citations: each `[n]` is checked against the passage it names, and what cannot be is taken out."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from msgspec import Struct

from penstock.rag.code import Code
from penstock.rag.literal import Literal, folded
from penstock.rag.sentences import Span, sentences
from penstock.rag.terms import words

MOST_BESIDE = 4_000
"""Characters of an answer before a citation that are looked at for what it is cited for."""
MOST_QUOTED = 1_000
MOST_QUOTES = 50
"""Of one citation: where there are more, none is looked for, and it does not hold."""
MOST_CITED = 500
"""Citations of one answer: each brings a span with it, and an answer may be nothing but marks."""
FOR_SECOND = 1.5
MOST_REMOVED = 100
"""Removed ones that are named; more are only counted."""

_SPACES = "[ \t]{0,3}"
_NUMBERS = rf"{_SPACES}[0-9]{{1,4}}(?:{_SPACES}[,;\u2013-]{_SPACES}[0-9]{{1,4}}){{0,19}}{_SPACES}"
_MARK = re.compile(rf"\[({_NUMBERS})\]")
_GROUP = rf"(?:{_SPACES}\[{_NUMBERS}\]){{1,20}}"
_TOKEN = re.compile(rf"(?P<group>{_GROUP})|(?P<ticks>`+)|(?P<line>\n)|(?P<image>!(?=\[))")
_UNDONE = re.compile(
    rf"(?:(?:{_SPACES}\[{_NUMBERS}\]){{0,19}}"
    rf"{_SPACES}(?:\[(?:{_SPACES}[0-9]{{1,4}}{_SPACES}[,;\u2013-]){{0,19}}{_SPACES}(?:[0-9]{{1,4}}{_SPACES})?)?"
    rf"|(?:{_SPACES}\[{_NUMBERS}\]){{1,20}}|!)\Z"
)
_OPENED = {
    '"': '"',
    "\u201c": "\u201d",
    "\u201e": "\u201c\u201d",
    "\u00ab": "\u00bb",
    "\u300c": "\u300d",
}
_QUOTED = re.compile(
    "|".join(
        rf"(?<!\w){begin}(?=\S)([^{end}]{{1,{MOST_QUOTED}}})(?:[{end}]|\Z)"
        for begin, end in _OPENED.items()
    )
)
_BREAK = re.compile(r"\n[ \t]*\n")


class Citation(Struct, frozen=True):
    """A place of the answer that names source `source`, from 1, and the span of it that it rests on."""

    source: int
    start: int
    end: int
    text: str


class Removed(Struct, frozen=True):
    """What was taken out of the answer, and why: `no_such_source`, `not_in_source` where what is quoted is not there, `too_many`."""

    marker: str
    reason: str


class Cited(Struct, frozen=True):
    """An answer as it may be shown."""

    text: str
    citations: tuple[Citation, ...] = ()
    removed: tuple[Removed, ...] = ()
    removals: int = 0


class Checker:
    """Takes an answer in pieces and gives it back checked; what may be the beginning of a mark is held back.

    However the answer is cut into pieces, the same comes out. Marks in code are its own and stay.
    """

    def __init__(self, sources: Sequence[tuple[str, int]], question: str = "") -> None:
        """`sources`: the text of each, and where it starts in its document."""
        self._sources = sources
        self._literals: dict[int, Literal] = {}
        self._closest: dict[int, Closest] = {}
        self._question = folded(question).casefold()
        self._held = ""
        self._beside = ""
        self._code = Code()
        self.citations: list[Citation] = []
        self.removed: list[Removed] = []
        self.removals = 0

    def feed(self, piece: str) -> str:
        """What is sure by now."""
        text = self._held + piece
        undone = _UNDONE.search(text)
        return self._checked(text, undone.start() if undone else len(text))

    def close(self) -> str:
        """The rest, when no more comes."""
        return self._checked(self._held, len(self._held))

    def _checked(self, text: str, sure: int) -> str:
        """As much as is sure, and all of the last token that begins there: it has as much as one can. The rest is held."""
        parts = []
        last = 0
        for token in _TOKEN.finditer(text):
            if token.start() >= sure:
                break
            parts.append(self._say(text[last : token.start()]))
            parts.append(self._token(token))
            last = token.end()
        sure = max(sure, last)
        parts.append(self._say(text[last:sure]))
        self._held = text[sure:]
        return "".join(parts)

    def _say(self, text: str) -> str:
        self._code.text(text)
        self._beside = (self._beside + text)[-MOST_BESIDE:]
        return text

    def _token(self, token: re.Match[str]) -> str:
        said = token.group()
        if token["ticks"] is not None:
            self._code.ticks(said)
        elif token["line"] is not None:
            self._code.line()
        elif token["image"] is not None and not self._code.open():
            # What is shown as Markdown must fetch nothing: an address can tell what was asked.
            said = "! "
        elif token["group"] is not None and not self._code.open():
            return self._group(said)
        self._beside = (self._beside + said)[-MOST_BESIDE:]
        return said

    def _group(self, said: str) -> str:
        """Marks that stand together, each by itself and only those that hold."""
        beside = _BREAK.split(self._beside)[-1]
        self._beside = ""
        told = dict.fromkeys(_quotes(beside))
        quotes = [one for one in told if folded(one).casefold() not in self._question]
        few = len(quotes) <= MOST_QUOTES
        numbers = list(dict.fromkeys(n for mark in _MARK.finditer(said) for n in _numbers(mark[1])))
        there = [n for n in numbers if 1 <= n <= len(self._sources)]
        found = {
            n: [self._literal(n).find(quote) if few else None for quote in quotes] for n in there
        }
        all_found = all(any(found[n][i] is not None for n in there) for i in range(len(quotes)))
        good = [
            n for n in there
            if not quotes or (all_found and any(span is not None for span in found[n]))
        ]  # fmt: skip
        good = good[: max(0, MOST_CITED - len(self.citations))]
        for n in numbers:
            if n in good:
                self.citations += self._cite(n, beside, found[n])
            elif n not in there:
                self._remove(n, "no_such_source")
            else:
                full = len(self.citations) >= MOST_CITED
                self._remove(n, "too_many" if full else "not_in_source")
        spaces = said[: len(said) - len(said.lstrip())]
        return spaces + "".join(f"[{n}]" for n in good) if good else ""

    def _remove(self, number: int, reason: str) -> None:
        self.removals += 1
        if len(self.removed) < MOST_REMOVED:
            self.removed.append(Removed(f"[{number}]", reason))

    def _cite(self, n: int, beside: str, found: list[list[Span] | None]) -> Iterator[Citation]:
        text, offset = self._sources[n - 1]
        spans = [span for spans in found if spans for span in spans]
        for start, end in spans or [self._nearest(n, beside)]:
            yield Citation(n, offset + start, offset + end, text[start:end])

    def _nearest(self, n: int, beside: str) -> Span:
        if n not in self._closest:
            self._closest[n] = Closest(self._sources[n - 1][0])
        return self._closest[n].find(_claim(beside))

    def _literal(self, n: int) -> Literal:
        if n not in self._literals:
            self._literals[n] = Literal(self._sources[n - 1][0])
        return self._literals[n]


def cited(answer: str, sources: Sequence[tuple[str, int]], question: str = "") -> Cited:
    """A whole answer, checked."""
    checker = Checker(sources, question)
    text = checker.feed(answer) + checker.close()
    return Cited(text, tuple(checker.citations), tuple(checker.removed), checker.removals)


class Closest:
    """A passage's sentences, in which the one is looked for that a statement rests on."""

    __slots__ = ("_has", "_spans", "_whole")

    def __init__(self, text: str) -> None:
        self._whole = (0, len(text))
        self._spans = sentences(text)
        self._has = [set(words(text[start:end])) for start, end in self._spans]

    def find(self, claim: str) -> Span:
        """The sentence with most of its terms, or two in a row; all of the passage where none has any."""
        wanted = set(words(claim))
        has = [wanted & terms for terms in self._has]
        best, value = self._whole, 0.0
        for i, (start, end) in enumerate(self._spans):
            if len(has[i]) > value:
                best, value = (start, end), len(has[i])
            # Two say more than one only where they have two terms more.
            if i and len(has[i - 1] | has[i]) - FOR_SECOND > value:
                best, value = (self._spans[i - 1][0], end), len(has[i - 1] | has[i]) - FOR_SECOND
        return best


def _claim(beside: str) -> str:
    """The last sentence before a mark."""
    spans = sentences(beside)
    return beside[spans[-1][0] : spans[-1][1]] if spans else ""


def _quotes(beside: str) -> Iterator[str]:
    for found in _QUOTED.finditer(beside):
        yield next(filter(None, found.groups()))


def _numbers(inside: str) -> Iterator[int]:
    """`1, 3` and `1-3` in numbers; a range that is none, or a long one, is its two ends."""
    for part in re.split("[,;]", inside):
        ends = [int(one) for one in re.split("[\u2013-]", part)]
        if len(ends) == 2 and ends[0] < ends[1] <= ends[0] + 20:
            yield from range(ends[0], ends[1] + 1)
        else:
            yield from ends
