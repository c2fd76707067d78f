"""What is searched: chunks as they are stored, and what an index gets of them."""

from __future__ import annotations

from msgspec import Struct

from penstock.ports import Entry, Vector
from penstock.rag.terms import terms


class Passage(Struct, frozen=True):
    """A chunk of a document: `text` is what is read and cited, `titles` what it stands under, the document's name first."""

    id: str
    document: str
    text: str
    titles: tuple[str, ...] = ()


def entry(passage: Passage, owner: str, vector: Vector | None = None) -> Entry:
    """What an index keeps of it."""
    found = terms(passage.text, title(passage))
    return Entry(passage.id, owner, passage.document, vector, found)


def told(passage: Passage) -> str:
    """What an embedding model is told of it: its titles, then its text."""
    return "\n".join(filter(None, (title(passage), passage.text)))


def title(passage: Passage) -> str:
    """Its titles in one line."""
    return " > ".join(passage.titles)
