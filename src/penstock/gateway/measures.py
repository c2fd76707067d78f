"""Counts and histograms with bounded labels, and Prometheus' text form of them."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence

MOST = 1_000
"""Label sets of one family; what comes after them is counted together."""
MOST_TIMED = 100
"""Of a histogram, each of whose label sets is fifteen lines."""
OTHER = "other"
"""In place of each label, where there are as many as may be."""
BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
"""Seconds, in which requests and attempts are sorted."""
FIRST = BOUNDS[0]
"""Within it are most of all requests."""

COUNTER, GAUGE, HISTOGRAM = "counter", "gauge", "histogram"
Labels = Mapping[str, object]
Sample = tuple[Labels, float]


class Counts:
    """How often what, by label values in a fixed order."""

    __slots__ = ("_counts", "_most", "_names")

    def __init__(self, *names: str, most: int = MOST) -> None:
        self._names = names
        self._most = most
        self._counts: dict[tuple[object, ...], int] = {}

    def add(self, values: tuple[object, ...], number: int = 1) -> None:
        """So many more under these values."""
        counts = self._counts
        try:
            counts[values] += number
        except KeyError:
            if len(counts) >= self._most:
                values = (OTHER,) * len(values)
            counts[values] = counts.get(values, 0) + number

    def samples(self) -> Iterator[Sample]:
        """Sorted by their values."""
        names = self._names
        for values in sorted(self._counts, key=_sortable):
            yield dict(zip(names, values, strict=True)), self._counts[values]


class Times:
    """Durations in seconds by label values: how many took at most each bound, and all of them together."""

    __slots__ = ("_most", "_names", "found")

    def __init__(self, *names: str, most: int = MOST) -> None:
        self._names = names
        self._most = most
        self.found: dict[tuple[object, ...], list[float]] = {}
        """What stands under each label values. Every request adds to one, so that whoever counts them asks here."""

    def add(self, values: tuple[object, ...], seconds: float) -> None:
        """One more."""
        found = self.found.get(values) or self.begin(values)
        found[0 if seconds <= FIRST else bisect_left(BOUNDS, seconds)] += 1
        found[-1] += seconds

    def begin(self, values: tuple[object, ...]) -> list[float]:
        """What stands under values that were not counted before."""
        if len(self.found) >= self._most:
            values = (OTHER,) * len(values)
        # One place for each bound, one for what took longer, one for the sum.
        return self.found.setdefault(values, [0.0] * (len(BOUNDS) + 2))

    def counts(self, about: str, name: str) -> str:
        """The family of how many there were, by all of the labels."""
        samples: list[Sample] = [
            (dict(zip(self._names, values, strict=True)), int(sum(self.found[values][:-1])))
            for values in sorted(self.found, key=_sortable)
        ]
        return family(name, about, samples)

    def text(self, about: str, name: str) -> str:
        """The family of how long they took, by the first label alone."""
        first: dict[str, list[float]] = {}
        for values, found in self.found.items():
            value = str(values[0])
            if value not in first and len(first) >= MOST_TIMED:
                value = OTHER
            so_far = first.get(value, [0.0] * len(found))
            first[value] = [one + other for one, other in zip(so_far, found, strict=True)]
        lines = [f"# HELP {name} {about}", f"# TYPE {name} {HISTOGRAM}"]
        for value in sorted(first):
            lines += _timed(name, self._names[0], value, first[value])
        return "\n".join(lines) + "\n"


def _timed(name: str, label: str, value: str, found: Sequence[float]) -> list[str]:
    count, lines = 0, []
    for bound, number in zip((*BOUNDS, "+Inf"), found, strict=False):
        count += int(number)
        lines.append(f"{name}_bucket{labelled({label: value, 'le': bound})} {count}")
    labels = labelled({label: value})
    return [*lines, f"{name}_sum{labels} {found[-1]:.6f}", f"{name}_count{labels} {count}"]


def _sortable(values: tuple[object, ...]) -> tuple[str, ...]:
    return tuple(map(str, values))


def one(value: float) -> Iterable[Sample]:
    """The samples of a family that has no labels."""
    return [({}, value)]


def family(name: str, about: str, samples: Iterable[Sample], kind: str = COUNTER) -> str:
    """One family of samples in Prometheus' text form."""
    lines = [f"# HELP {name} {about}", f"# TYPE {name} {kind}"]
    lines += [f"{name}{labelled(labels)} {number(value)}" for labels, value in samples]
    return "\n".join(lines) + "\n"


def number(value: float) -> str:
    """A whole number as it is, however large; any other to six places."""
    return str(value) if isinstance(value, int) else f"{value:.6f}"


def labelled(labels: Labels) -> str:
    """Labels behind a name, their values escaped."""
    if not labels:
        return ""
    return (
        "{" + ",".join([f'{name}="{_escaped(str(value))}"' for name, value in labels.items()]) + "}"
    )


def _escaped(value: str) -> str:
    # A surrogate that a caller sent has no place in UTF-8.
    plain = value.encode("utf-8", "replace").decode()
    return plain.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
