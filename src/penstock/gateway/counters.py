"""What is counted since start, with bounded labels."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from msgspec import Struct

from penstock.cache.generations import KINDS
from penstock.gateway.measures import GAUGE, Counts, Sample, Times, family, one
from penstock.wire.chat import Usage


class Load(Struct, frozen=True):
    """How full the gateway is now, and how many requests found no slot since start."""

    running: int = 0
    waiting: int = 0
    limit: int = 0
    refused: int = 0
    body_bytes: int = 0


class Counters:
    """Requests by path (one outside the table is `other`), what they were refused for, the cache's finds, attempts at
    targets, what those took and cost."""

    def __init__(self) -> None:
        self.elsewhere: Callable[[], Sequence[str]] = tuple
        """Metrics of the processes that serve the same port, which are added to these."""
        self.streaming = 0
        """Replies that are being streamed."""
        self.passes = Counts("outcome")
        """Passes of the upkeep."""
        self._requests = Times("path", "method", "status")
        self._refusals = Counts("code")
        self._found = dict.fromkeys(KINDS, 0)
        self._missed = dict.fromkeys(KINDS, 0)
        self._attempts = Times("target", "outcome")
        self._tokens = Counts("target", "kind")
        self._nanos = Counts("target")
        self._saved = Counts("target")
        self._lost = 0

    def request(self, path: str, method: str, status: int, seconds: float) -> None:
        """One has ended, with its reply, after so long."""
        self._requests.add((path, method, status), seconds)

    def refusal(self, code: str) -> None:
        """One was refused, or failed before its reply began."""
        self._refusals.add((code,))

    def cache(self, kind: str, *, hit: bool, number: int = 1) -> None:
        """So many answers of a kind were found, or not."""
        counted = self._found if hit else self._missed
        counted[kind] = counted.get(kind, 0) + number

    def attempt(self, target: str, outcome: str, seconds: float) -> None:
        """One attempt at a target came to this (`answered`, `cancelled` or an error's code) after so long."""
        self._attempts.add((target, outcome), seconds)

    def spent(self, target: str, usage: Usage, nanos: int) -> None:
        """A call was charged."""
        add = self._tokens.add
        for kind, number in (("input", usage.input), ("output", usage.output)):
            add((target, kind), number)
        if usage.cached_input or usage.cache_write:
            add((target, "cached_input"), usage.cached_input)
            add((target, "cache_write"), usage.cache_write)
        self._nanos.add((target,), nanos)

    def saved(self, target: str, nanos: int) -> None:
        """What an answer would have cost that was found."""
        self._saved.add((target,), nanos)

    def lose(self, rows: int) -> None:
        """So many rows that a request's own journal lost."""
        self._lost += rows

    def text(self, dropped: int, load: Load) -> str:
        """Prometheus' text form; `dropped` are the rows that the journal had no place for."""
        lost = one(dropped + self._lost)
        found, missed = _by_kind(self._found), _by_kind(self._missed)
        samples = Counts.samples
        return (
            self._requests.counts("Requests answered.", "penstock_requests_total")
            + self._requests.text(
                "From when a request came until the end of its reply.",
                "penstock_request_duration_seconds",
            )
            + family("penstock_refusals_total", "Refused or failed.", samples(self._refusals))
            + family("penstock_cache_hits_total", "Answers found, kept or on their way.", found)
            + family("penstock_cache_misses_total", "Answers looked for and not found.", missed)
            + family("penstock_saved_nanodollars_total", "Of found chats.", samples(self._saved))
            + self._upstream()
            + family("penstock_journal_dropped_rows_total", "Rows the journal lost.", lost)
            + family("penstock_upkeep_passes_total", "Upkeep's passes.", samples(self.passes))
            + _load(load)
            + family("penstock_open_streams", "Replies being streamed.", one(self.streaming), GAUGE)
        )

    def _upstream(self) -> str:
        samples = Counts.samples
        return (
            self._attempts.counts("Attempts.", "penstock_upstream_attempts_total")
            + self._attempts.text(
                "Until the first event or the failure.", "penstock_upstream_duration_seconds"
            )
            + family("penstock_tokens_total", "Tokens charged.", samples(self._tokens))
            + family("penstock_cost_nanodollars_total", "Charged.", samples(self._nanos))
        )


def _load(load: Load) -> str:
    return (
        family("penstock_overloaded_total", "Requests that found no slot.", one(load.refused))
        + family("penstock_running_requests", "Requests with a slot.", one(load.running), GAUGE)
        + family("penstock_waiting_requests", "Requests without.", one(load.waiting), GAUGE)
        + family("penstock_young_limit", "Young requests at once.", one(load.limit), GAUGE)
        + family("penstock_body_bytes", "Request bodies held.", one(load.body_bytes), GAUGE)
    )


def _by_kind(counts: Mapping[str, int]) -> Iterable[Sample]:
    return (({"kind": kind}, count) for kind, count in sorted(counts.items()))
