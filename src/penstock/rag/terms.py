"""A text's terms, the same on every platform: what an index compares."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from itertools import pairwise

from penstock.ports import MOST_TERMS, MOST_TERMS_ASKED

MARK = "#"
"""Before a term of a title, which counts there once more; no word has it."""
LONGEST = 64
"""Characters of a term; a longer word is no identifier."""

# Scripts that set no space between words (and Hangul, whose words carry their particles) have pairs of characters.
_UNSPACED = (
    "\u0e01-\u0e3a\u0e40-\u0e4e\u0e80-\u0ece\u0edc-\u0edf\u1000-\u103f\u1050-\u108f\u1780-\u17d3"
    "\u1100-\u11ff\u3005-\u3007\u3021-\u3029\u3041-\u30fa\u30fc-\u30ff\u31f0-\u31ff\u3400-\u4dbf"
    "\u4e00-\u9fff\uac00-\ud7a3\uf900-\ufaff\U00020000-\U0003ffff"
)
# Signs that are part of a word and that \w leaves out.
_SIGNS = (
    "\u0300-\u036f\u0483-\u0487\u0711\u0730-\u074a\u0900-\u0963\u0971-\u0de3\u0e31\u0e34-\u0e3a"
    "\u0e47-\u0e4e\u0eb1\u0eb4-\u0ebc\u0ec8-\u0ece\u0f18-\u0f19\u0f39\u0f71-\u0f84\u102b-\u103e"
    "\u1056-\u1059\u17b4-\u17d3\u1dc0-\u1dff\u20d0-\u20f0\ufe20-\ufe2f"
)
# Vowels and points that writers leave out at will, and what joins or hides.
_DROPPED = (
    "\u00ad\u0307\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0610-\u061a\u0640\u064b-\u065f"
    "\u0670\u06d6-\u06dc\u06df-\u06e8\u06ea-\u06ed\u180b-\u180d\u200b-\u200f\u2060\ufe00-\ufe0f\ufeff"
)

_ASCII_WORD = re.compile(r"[A-Za-z0-9]+")
_WORD = re.compile(rf"(?:[^\W_]|[{_SIGNS}])+")
_PIECE = re.compile(rf"([{_UNSPACED}]+)")
_DROP = re.compile(rf"[{_DROPPED}]")
_PART = re.compile(r"[A-Z]+s(?![a-z])|[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")

_HISSING = ("sses", "shes", "xes", "tches", "rches")

FUNCTION_WORDS = frozenset(
    """
    a an and are as at be but by can could did do does for from had has have how i if in into is it its may me my not of
    on or our s should so such t that the their them then there these they this those to was we were what when where
    which who why will with would you your
    """.split()  # noqa: SIM905 - a literal list would be ninety lines
)
"""English words that tell nothing of what a text is about. In other languages the rarity of a term does this work."""


def terms(text: str, title: str = "") -> list[str]:
    """Of an entry: those of its text, then its title's, plain and marked; at most MOST_TERMS."""
    head = words(title)
    return [*words(text), *head, *map(MARK.__add__, head)][:MOST_TERMS]


def asked(question: str) -> list[str]:
    """Of a question: each of its terms once, then the same as a title would have them; at most MOST_TERMS_ASKED."""
    found = list(dict.fromkeys(words(question)))[: MOST_TERMS_ASKED // 2]
    return [*found, *map(MARK.__add__, found)]


def words(text: str) -> list[str]:
    """The terms in their order without function words, or all where it has no others."""
    found = _spelt(text)
    return [term for term in found if term not in FUNCTION_WORDS] or found


def _spelt(text: str) -> list[str]:
    if text.isascii():
        return [term for word in _ASCII_WORD.findall(text) for term in _of_word(word)]
    plain = _DROP.sub("", unicodedata.normalize("NFKC", text))
    return [
        term
        for word in _WORD.findall(plain)
        for term in (_of_word(word) if len(word) <= LONGEST else _of_other(word))
    ]


@lru_cache(maxsize=16_384)
def _of_word(word: str) -> tuple[str, ...]:
    """One word's terms: itself, and what an identifier is made of."""
    if not word.isascii():
        return _of_other(word)
    whole = stem(word.lower()[:LONGEST])
    parts = _PART.findall(word) if len(word) <= LONGEST else ()
    if len(parts) < 2:
        return (whole,)
    made = (stem(part.lower()) for part in parts if len(part) > 1 or part.isdigit())
    return (whole, *(part for part in made if part != whole))


def _of_other(word: str) -> tuple[str, ...]:
    found: list[str] = []
    # What is split by stands at every second place.
    for number, piece in enumerate(_PIECE.split(word)):
        if number % 2 and len(piece) > 1:
            found.extend(map("".join, pairwise(piece)))
        elif piece:
            found.append(piece.casefold().replace("\u0307", "")[:LONGEST])
    return tuple(found)


def stem(word: str) -> str:
    """An English plural without its s: `queries` and `query` are one term. Function words stay as they are."""
    if len(word) < 4 or word[-1] != "s" or word[-2] in "us" or word in FUNCTION_WORDS:
        return word
    if word.endswith("ies") and word[-4] not in "ae":
        return word[:-3] + "y"
    return word[:-2] if word.endswith(_HISSING) else word[:-1]
