"""W3C trace context, and finished spans: what is told of a request to whoever watches."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Literal

from msgspec import Struct

from penstock.wire.http import Headers

PARENT, STATE = "traceparent", "tracestate"
_PARENT = re.compile(
    r"(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-[!-~]{0,200})?"
)
Kind = Literal["server", "client", "internal"]
Told = str | int | float | bool | Sequence[str]


class Context(Struct, frozen=True):
    """A span that another one may come under, in hex as the header has it."""

    trace: str
    span: str
    sampled: bool


class Span(Struct, frozen=True):
    """One step of a request that is over; `began` and `ended` are seconds since the epoch.

    `error` is the fixed code of what went wrong, empty where nothing did. One that is not `sampled` is measured, and told
    nowhere.
    """

    name: str
    trace: str
    id: str
    began: float
    ended: float
    attributes: Mapping[str, Told]
    parent: str = ""
    kind: Kind = "internal"
    error: str = ""
    sampled: bool = True


def parent_of(headers: Headers) -> Context | None:
    """What a caller's request comes under; None where it does not say, says it twice, or not by the rules."""
    given = [value for name, value in headers if name == PARENT]
    found = _PARENT.fullmatch(given[0]) if len(given) == 1 else None
    if found is None or (found[1] == "00" and found[5]):
        return None
    return Context(found[2], found[3], bool(int(found[4], 16) & 1))


def header(context: Context) -> tuple[str, str]:
    """The header by which what is asked next comes under a span."""
    return PARENT, f"00-{context.trace}-{context.span}-{'01' if context.sampled else '00'}"
