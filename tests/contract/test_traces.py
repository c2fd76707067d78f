"""What every Traces keeps to: it takes spans at once, holds no more than its bound, and never raises."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from typing import NamedTuple

import pytest

from penstock.config.telemetry import Telemetry
from penstock.platforms.memory.traces import MemoryTraces
from penstock.platforms.telemetry import opened
from penstock.platforms.telemetry.traces import MOST_HELD
from penstock.ports import Traces
from penstock.wire.tracing import Span
from tests.collector import Collector

MOST = 100


class Home(NamedTuple):
    """`names` waits until so many spans have come, and says how they are called."""

    traces: Traces
    most: int
    names: Callable[[int], list[str]]


@pytest.fixture(params=["memory", "embedded"])
async def home(request: pytest.FixtureRequest) -> AsyncGenerator[Home]:
    if request.param == "memory":
        memory = MemoryTraces(MOST)
        yield Home(memory, MOST, lambda _: [span.name for span in memory.spans])
        return
    with Collector() as collector:

        def names(count: int) -> list[str]:
            collector.wait(lambda collector: len(collector.spans) >= count)
            return [span.name for span in collector.spans]

        async with opened(Telemetry(enabled=True, endpoint=collector.url)) as traces:
            yield Home(traces, MOST_HELD, names)


def spans(*names: str) -> list[Span]:
    return [
        Span(name, "4b" * 16, f"{at:016x}", 1.0, 2.0, {"a": 1}) for at, name in enumerate(names, 1)
    ]


async def test_they_come_in_order(home: Home) -> None:
    home.traces.record(spans("one", "two"))
    home.traces.record(spans("three"))
    assert home.names(3) == ["one", "two", "three"]
    assert (home.traces.dropped, home.traces.failed) == (0, 0)


async def test_what_has_no_room_is_left_out_whole_and_counted(home: Home) -> None:
    home.traces.record(spans(*map(str, range(home.most + 1))))
    assert home.traces.dropped == home.most + 1
    home.traces.record(spans("another"))
    assert home.names(1) == ["another"]


async def test_nothing_is_nothing(home: Home) -> None:
    home.traces.record([])
    home.traces.record(spans("one"))
    assert home.names(1) == ["one"]
