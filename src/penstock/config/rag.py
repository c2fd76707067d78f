"""Documents that callers upload and search."""

from __future__ import annotations

from msgspec import Struct

from penstock.config.bounds import Positive


class Rag(Struct, frozen=True, forbid_unknown_fields=True):
    """How documents are made searchable."""

    embedding: str = "embed"
    """The route or target that embeds documents and questions. Where it is the sandbox's or hashed vectors, or the length of its vectors is not known, words alone find."""
    at_once: Positive = 2
    """Documents that a process works on at the same time."""
    max_waiting: Positive = 1_000
    """Documents that may wait to be worked on, of all callers together; more are refused with 503 `overloaded`."""
