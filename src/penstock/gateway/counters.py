"""Counters since start, with bounded labels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

from msgspec import Struct

from penstock.cache.generations import KINDS

MOST = 1_000

GAUGE = "gauge"
Sample = tuple[Mapping[str, object], int]


class Load(Struct, frozen=True):
    """How full the gateway is now, and how many requests found no slot since start."""

    running: int = 0
    waiting: int = 0
    limit: int = 0
    refused: int = 0
    body_bytes: int = 0


class Counters:
    """Requests by path, method and status (a path outside the table is `other`), the cache's finds, upstream attempts."""

    def __init__(self) -> None:
        self.elsewhere: Callable[[], Sequence[str]] = tuple
        """Metrics of the processes that serve the same port, which are added to these."""
        self._requests: dict[tuple[str, str, int], int] = {}
        self._found = dict.fromkeys(KINDS, 0)
        self._missed = dict.fromkeys(KINDS, 0)
        self._attempts: Counter[tuple[str, str]] = Counter()
        self._lost = 0

    def request(self, path: str, method: str, status: int) -> None:
        key = (path, method, status)
        before = self._requests.get(key)
        if before is not None:
            self._requests[key] = before + 1
        elif len(self._requests) < MOST:
            self._requests[key] = 1

    def cache(self, kind: str, *, hit: bool, number: int = 1) -> None:
        """So many answers of a kind were found, or not."""
        counted = self._found if hit else self._missed
        counted[kind] = counted.get(kind, 0) + number

    def attempt(self, target: str, outcome: str) -> None:
        """One attempt at a target came to this: `answered`, `cancelled` or an error's code."""
        self._attempts[target, outcome] += 1

    def lose(self, rows: int) -> None:
        """So many rows that a request's own journal lost."""
        self._lost += rows

    def text(self, dropped: int, load: Load) -> str:
        """Prometheus' text form; `dropped` are the rows that the journal had no place for."""
        requests = (
            ({"path": path, "method": method, "status": status}, count)
            for (path, method, status), count in sorted(self._requests.items())
        )
        attempts = (
            ({"target": target, "outcome": outcome}, count)
            for (target, outcome), count in sorted(self._attempts.items())
        )
        lost = _one(dropped + self._lost)
        found, missed = _by_kind(self._found), _by_kind(self._missed)
        return (
            family("penstock_requests_total", "Requests answered.", requests)
            + family("penstock_cache_hits_total", "Answers found, kept or on their way.", found)
            + family("penstock_cache_misses_total", "Answers looked for and not found.", missed)
            + family("penstock_upstream_attempts_total", "Attempts at targets.", attempts)
            + family("penstock_journal_dropped_rows_total", "Rows the journal lost.", lost)
            + _load(load)
        )


def _load(load: Load) -> str:
    return (
        family("penstock_overloaded_total", "Requests that found no slot.", _one(load.refused))
        + family("penstock_running_requests", "Requests with a slot.", _one(load.running), GAUGE)
        + family("penstock_waiting_requests", "Requests without.", _one(load.waiting), GAUGE)
        + family("penstock_young_limit", "Young requests at once.", _one(load.limit), GAUGE)
        + family("penstock_body_bytes", "Request bodies held.", _one(load.body_bytes), GAUGE)
    )


def _one(value: int) -> Iterable[Sample]:
    return [({}, value)]


def _by_kind(counts: Mapping[str, int]) -> Iterable[Sample]:
    return (({"kind": kind}, count) for kind, count in sorted(counts.items()))


def family(name: str, about: str, samples: Iterable[Sample], kind: str = "counter") -> str:
    """One family of samples in Prometheus' text form."""
    lines = [f"# HELP {name} {about}", f"# TYPE {name} {kind}"]
    lines += [f"{name}{_labels(labels)} {count}" for labels, count in samples]
    return "\n".join(lines) + "\n"


def _labels(labels: Mapping[str, object]) -> str:
    if not labels:
        return ""
    return (
        "{" + ",".join([f'{name}="{_escaped(str(value))}"' for name, value in labels.items()]) + "}"
    )


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
