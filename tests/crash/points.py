"""Where a gateway is killed, by name: all places at which what it has done and what it has written may differ."""

from __future__ import annotations

from typing import Literal, NamedTuple

When = Literal["serving", "reconciling", "repeating"]
Mode = Literal["silent", "asked", "late"]
"""What the provider tells afterwards: nothing; what each call took; or that, but only once all has been estimated."""
MODES: tuple[Mode, ...] = ("silent", "asked", "late")


class Point(NamedTuple):
    """A fail-point: dies at one of its first `most` passings; `when` is what the process does then."""

    name: str
    most: int
    when: When = "serving"
    modes: tuple[Mode, ...] = MODES


ASKED: tuple[Mode, ...] = ("asked",)

POINTS = (
    # A key is claimed.
    Point("before-claim", 4),
    Point("during-claim", 4),
    Point("after-claim", 4),
    # What a call may cost is held.
    Point("after-lease", 12),
    Point("before-reserve", 12),
    Point("during-reserve", 12),
    Point("after-reserve", 12),
    Point("after-denial", 3),
    Point("before-dispatched", 3),
    Point("during-dispatched", 3),
    Point("after-dispatched", 3),
    # It is sent and answered.
    Point("before-send", 12),
    Point("after-send", 12),
    Point("after-head", 12),
    Point("whole-body", 6),
    Point("first-event", 6),
    Point("mid-stream", 40),
    Point("end-of-stream", 4),
    # It ends in the books.
    Point("before-settle", 8),
    Point("during-settle", 8),
    Point("after-settle", 8),
    Point("before-estimate", 2),
    Point("during-estimate", 2),
    Point("after-estimate", 2),
    Point("before-release", 2),
    Point("during-release", 2),
    Point("after-release", 2),
    Point("before-give-back", 8),
    Point("after-give-back", 8),
    # What follows it.
    Point("before-keep", 8),
    Point("after-keep", 8),
    Point("before-blob", 2),
    Point("during-blob", 2),
    Point("after-blob", 2),
    Point("before-mark", 1),
    Point("after-mark", 1),
    Point("before-unclaim", 2),
    Point("after-unclaim", 2),
    Point("before-journal", 1),
    Point("during-journal", 1),
    Point("after-journal", 1),
    # The reconciler of the next process ends what the first one left.
    Point("before-reconciled", 2, "reconciling"),
    Point("during-reconciled", 2, "reconciling"),
    Point("after-reconciled", 2, "reconciling"),
    Point("before-lookup", 3, "reconciling", ASKED),
    Point("after-lookup", 3, "reconciling", ASKED),
    Point("before-correction", 1, "reconciling", ASKED),
    Point("during-correction", 1, "reconciling", ASKED),
    Point("after-correction", 1, "reconciling", ASKED),
    # Callers repeat their keys at the next process.
    Point("before-take-over", 1, "repeating"),
    Point("during-take-over", 1, "repeating"),
    Point("after-take-over", 1, "repeating"),
)
BY_NAME = {point.name: point for point in POINTS}

FIRST = {
    "reconciling": ("after-head", "mid-stream", "before-settle"),
    "repeating": ("after-claim",),
}
"""Where the process before dies, so that there is something to reconcile, or a claim to take over."""
ESTIMATES = "after-estimate"
"""The same for corrections."""


def first_of(point: Point) -> tuple[str, ...]:
    """The serving points one of which comes before this one; none where it is a serving point itself."""
    if point.name.endswith("correction"):
        return (ESTIMATES,)
    return FIRST.get(point.when, ())


BRIEF = (
    "after-claim", "during-reserve", "after-reserve", "after-denial", "before-dispatched",
    "after-dispatched", "before-send", "after-send", "after-head", "first-event", "mid-stream",
    "end-of-stream", "during-settle", "after-settle", "after-estimate", "before-give-back",
    "after-blob", "before-journal", "after-reconciled", "during-correction",
)  # fmt: skip
"""Those of every test run; `make test-crash` has all."""
