"""What a month costs beside the models, by line: fixed amounts, and what each line may cost."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

Line = Literal["edge", "models", "backend", "databases"]
LINES: tuple[Line, ...] = ("edge", "models", "backend", "databases")


class Cost(Struct, frozen=True, forbid_unknown_fields=True):
    """A part of the month's bill. Those of one line are added up; what the models cost, the ledger says."""

    line: Line
    """Where it belongs."""
    name: str = ""
    """What it is, for people."""
    fixed: str = "0"
    """Dollars a month that it costs however much is asked, as `"20.00"`."""
    budget: str = ""
    """Dollars that it may cost a month; empty: none is set."""
    before: str = ""
    """Dollars a month that it cost before Penstock, to compare with."""


class Savings(Struct, frozen=True, forbid_unknown_fields=True):
    """What savings are told against."""

    baseline: str = ""
    """The target that is taken to have answered every chat; empty: the strong one of the route `auto`."""


FIRST_DESIGN = (
    Cost("edge", "Cloudflare, paid plan", "5", "5", "0"),
    Cost("models", "models", "0", "0", "155"),
    Cost("backend", "backend", "20", "20", "30"),
    Cost("databases", "PostgreSQL", "10", "10", "10"),
    Cost("databases", "Redis", "5", "5", "5"),
)
"""The first design's month: $200 before, $40 after, its own figures. It left no line for models."""
