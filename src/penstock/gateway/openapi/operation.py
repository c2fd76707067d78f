"""What an operation is: one method of one path, in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

Rate = Literal["", "chat", "embed", "documents", "rag", "other"]
Parameter = dict[str, Any]

JSON = "application/json"
EVENTS = "text/event-stream"
PLAIN = "text/plain"
HTML = "text/html"
PDF = "application/pdf"


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path.

    `scope` is what its credential must carry, `rate` the endpoint rate it counts to, `body` and `answer` name
    component schemas; `streams` where the answer may come as events, `spends` where it is bought from a target.
    """

    path: str
    id: str
    tag: str
    summary: str
    text: str
    answer: tuple[str, ...] = ()
    method: str = "GET"
    kind: str = JSON
    credential: bool = True
    scope: str = ""
    rate: Rate = ""
    body: str = ""
    example: dict[str, Any] | None = None
    streams: bool = False
    spends: bool = False
    parameters: tuple[Parameter, ...] = ()
    also: tuple[int, ...] = ()
    """Statuses beside those that follow from the rest."""
    good: tuple[int, ...] = (200,)
    """Statuses of an answer."""
    form: str = ""
    """The schema of a form that may come in the body's place."""
    files: tuple[str, ...] = ()
    """Other kinds that an answer may be of, beside JSON."""
    targets: bool = True
    """Whether an answer that is bought says from which target."""


def query(name: str, schema: dict[str, Any], text: str, example: str) -> Parameter:
    """A field of the query."""
    return {
        "name": name,
        "in": "query",
        "schema": schema,
        "description": text,
        "example": example,
    }
