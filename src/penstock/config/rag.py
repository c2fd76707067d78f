"""Documents that callers upload and search."""

from __future__ import annotations

from msgspec import Struct

from penstock.config.bounds import Positive, Share


class Rag(Struct, frozen=True, forbid_unknown_fields=True):
    """How documents are made searchable."""

    embedding: str = "embed"
    """The route or target that embeds documents and questions. Where it is the sandbox's or hashed vectors, or the length of its vectors is not known, words alone find."""
    model: str = "auto"
    """The route or target that answers from documents; on Workers `auto` is its medium target. Where only the sandbox runs, answers are the documents' own sentences. Kept as long as that route keeps answers, and never shared."""
    threshold: Share = 0.3
    """What the chance that the sources answer must be for a model to be asked; below it the answer is that it is not in the documents. 0 asks always."""
    max_context_tokens: Positive = 6_000
    """Of the passages that a model is shown, at most; three bytes count as one token."""
    max_answer_tokens: Positive = 1_024
    """Of an answer."""
    at_once: Positive = 2
    """Documents that a process works on at the same time."""
    max_waiting: Positive = 1_000
    """Documents that may wait to be worked on, of all callers together; more are refused with 503 `overloaded`."""
