"""All contenders in one interleaved run: a short round of each in turn, several rounds, medians."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

from bench.load import Ask, Run, first, wrk
from bench.peers import Contender
from bench.process import GATEWAY_CORE, BenchFailed, Process, busy_seconds

MICRO = 1e6
WARM_SECONDS = 1.0
QUIET_SHARE = 0.05
QUIET_SECONDS = 0.4
SETTLE_SECONDS = 30.0
PATIENCE = {"litellm": 5, "litellm-cache": 5}
"""Times as long a round, for one that would else answer too few to count."""


@dataclass(frozen=True)
class Sample:
    """One round of one contender: what wrk saw, and the contender's CPU while it did."""

    run: Run
    cpu_seconds: float
    others_seconds: float
    """CPU of the gateway's core that went to anything else, the hypervisor included."""


@dataclass
class Figures:
    """The rounds of one contender; every figure is a median over them."""

    samples: list[Sample] = field(default_factory=list)
    requests: int = 0
    """All that wrk saw answered, warm-up included."""

    @property
    def rate(self) -> float:
        """Requests a second."""
        return median(sample.run.rate for sample in self.samples)

    @property
    def cpu_us(self) -> float:
        """CPU µs a request."""
        return median(s.cpu_seconds / s.run.requests * MICRO for s in self.samples)

    @property
    def p50_ms(self) -> float:
        return median(sample.run.p50_us for sample in self.samples) / 1e3

    @property
    def p99_ms(self) -> float:
        return median(sample.run.p99_us for sample in self.samples) / 1e3

    @property
    def others_share(self) -> float:
        """How much of the core others took: where it is high, the machine was not ours to measure on."""
        return median(s.others_seconds / s.run.seconds for s in self.samples)

    def cpu_us_per_chunk(self, bytes_per_chunk: float) -> float:
        """CPU µs a streamed chunk; by bytes, for wrk counts no stream it cut at the end."""
        return median(s.cpu_seconds / (s.run.bytes / bytes_per_chunk) * MICRO for s in self.samples)


@dataclass(frozen=True)
class Plan:
    """How long and how often."""

    rounds: int
    seconds: float


def interleaved(
    contenders: Sequence[Contender], what: Ask, plan: Plan, say: Callable[[str], None]
) -> dict[str, Figures]:
    """Each contender's figures by its name; raises BenchFailed where one does not answer."""
    found = {contender.name: Figures() for contender in contenders}
    for contender in contenders:
        with contender.awake():
            first(contender.url, what, contender.headers)
    for number in range(plan.rounds):
        for contender in contenders:
            say(f"round {number + 1} of {plan.rounds}: {contender.name}")
            with contender.awake():
                _round(contender, what, plan, found[contender.name])
    return found


def _round(contender: Contender, what: Ask, plan: Plan, figures: Figures) -> None:
    longer = PATIENCE.get(contender.name, 1)
    process = contender.process
    settle(process)
    warm = wrk(contender.url, what, contender.headers, WARM_SECONDS)
    settle(process)
    before, busy = process.cpu_seconds(), busy_seconds(GATEWAY_CORE)
    run = wrk(contender.url, what, contender.headers, plan.seconds * longer)
    used, taken = process.cpu_seconds() - before, busy_seconds(GATEWAY_CORE) - busy
    if not run.requests:
        raise BenchFailed(f"{contender.name} answered nothing in {plan.seconds * longer:g} s")
    figures.samples.append(Sample(run, used, max(0.0, taken - used)))
    figures.requests += warm.requests + run.requests


def settle(process: Process) -> None:
    """Waits until it is done with the calls wrk dropped, which would else slow its next round."""
    until = time.monotonic() + SETTLE_SECONDS
    while time.monotonic() < until:
        before = process.cpu_seconds()
        time.sleep(QUIET_SECONDS)
        if process.cpu_seconds() - before < QUIET_SHARE * QUIET_SECONDS:
            return


def ceiling(url: str, what: Ask, headers: Mapping[str, str]) -> float:
    """Requests a second the source gives with nothing between: what no contender can pass."""
    wrk(url, what, headers, WARM_SECONDS)
    return median(wrk(url, what, headers, 2.0).rate for _ in range(3))
