"""What is counted since start, with bounded labels."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from msgspec import Struct

from penstock.cache.generations import KINDS
from penstock.gateway.measures import (
    BOUNDS,
    FIRST,
    GAUGE,
    MOST,
    OTHER,
    Counts,
    Sample,
    Times,
    family,
    one,
)
from penstock.prices import amount_nanos
from penstock.routing.offers import Offer
from penstock.wire.chat import Usage

TOKENS = ("cache_write", "cached_input", "input", "output")
"""Kinds of a target's tokens in the order of its sums; the first two are told of a target that has any."""


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
        self.passes.add(("done",), 0)
        self._requests = Times("path", "method", "status")
        self._refusals = Counts("code")
        self._found = dict.fromkeys(KINDS, 0)
        self._missed = dict.fromkeys(KINDS, 0)
        self._attempts = Times("target", "outcome")
        self._spent: dict[str, list[int]] = {}
        self._saved: dict[str, int] = {}
        self._lost = 0

    def request(self, path: str, method: str, status: int, seconds: float) -> None:
        """One has ended, with its reply, after so long."""
        # As `Times.add` has it, without the call: every request comes here.
        values, requests = (path, method, status), self._requests
        found = requests.found.get(values) or requests.begin(values)
        found[0 if seconds <= FIRST else bisect_left(BOUNDS, seconds)] += 1
        found[-1] += seconds

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
        sums = self._spent.get(target) or self._begin(target)
        sums[2] += usage.input
        sums[3] += usage.output
        sums[4] += nanos
        if usage.cached_input or usage.cache_write:
            sums[0] += usage.cache_write
            sums[1] += usage.cached_input

    def saved(self, offers: Sequence[Offer], target: str, usage: Usage) -> None:
        """What an answer that was found would have cost now, where its target is one that could have been asked."""
        for offer in offers:
            if offer.name == target:
                nanos = amount_nanos(offer.price, usage)
                try:
                    self._saved[offer.label] += nanos
                except KeyError:
                    label = offer.label if len(self._saved) < MOST else OTHER
                    self._saved[label] = self._saved.get(label, 0) + nanos
                return

    def lose(self, rows: int) -> None:
        """So many rows that a request's own journal lost."""
        self._lost += rows

    def text(self, dropped: int, load: Load) -> str:
        """Prometheus' text form; `dropped` are the rows that the journal had no place for."""
        lost = one(dropped + self._lost)
        found, missed = _by("kind", self._found), _by("kind", self._missed)
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
            + family(
                "penstock_saved_nanodollars_total", "Of found chats.", _by("target", self._saved)
            )
            + self._upstream()
            + family("penstock_journal_dropped_rows_total", "Rows the journal lost.", lost)
            + family("penstock_upkeep_passes_total", "Upkeep's passes.", samples(self.passes))
            + _load(load)
            + family("penstock_open_streams", "Replies being streamed.", one(self.streaming), GAUGE)
        )

    def _upstream(self) -> str:
        nanos = {target: sums[-1] for target, sums in self._spent.items()}
        return (
            self._attempts.counts("Attempts.", "penstock_upstream_attempts_total")
            + self._attempts.text(
                "Until the first event or the failure.", "penstock_upstream_duration_seconds"
            )
            + family("penstock_tokens_total", "Tokens charged.", self._tokens())
            + family("penstock_cost_nanodollars_total", "Charged.", _by("target", nanos))
        )

    def _tokens(self) -> Iterator[Sample]:
        for target, sums in sorted(self._spent.items()):
            cached = bool(sums[0] or sums[1])
            for kind, number in list(zip(TOKENS, sums, strict=False))[0 if cached else 2 :]:
                yield {"target": target, "kind": kind}, number

    def _begin(self, target: str) -> list[int]:
        if len(self._spent) >= MOST:
            target = OTHER
        return self._spent.setdefault(target, [0] * (len(TOKENS) + 1))


def _load(load: Load) -> str:
    return (
        family("penstock_overloaded_total", "Requests that found no slot.", one(load.refused))
        + family("penstock_running_requests", "Requests with a slot.", one(load.running), GAUGE)
        + family("penstock_waiting_requests", "Requests without.", one(load.waiting), GAUGE)
        + family("penstock_young_limit", "Young requests at once.", one(load.limit), GAUGE)
        + family("penstock_body_bytes", "Request bodies held.", one(load.body_bytes), GAUGE)
    )


def _by(label: str, counts: Mapping[str, int]) -> Iterable[Sample]:
    return (({label: value}, count) for value, count in sorted(counts.items()))
