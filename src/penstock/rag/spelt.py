"""A passage's terms and which of them are neighbours."""

from __future__ import annotations

from itertools import pairwise

from penstock.rag.passages import Passage, title
from penstock.rag.terms import words


class Spelt:
    """Of its text and its titles."""

    __slots__ = ("pairs", "terms")

    def __init__(self, passage: Passage) -> None:
        text, head = words(passage.text), words(title(passage))
        self.terms = {*text, *head}
        self.pairs = {*pairwise(text), *pairwise(head)}
