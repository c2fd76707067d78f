"""The home of tests and trials: everything in this process, gone when it ends, under the caller's control."""

from __future__ import annotations

from dataclasses import dataclass, field

from penstock.platforms.crypto import Signatures
from penstock.platforms.memory.blobs import MemoryBlobs
from penstock.platforms.memory.index import MemoryIndex
from penstock.platforms.memory.mail import MemoryMail
from penstock.platforms.memory.meter import MemoryMeter
from penstock.platforms.memory.parse import MemoryParse
from penstock.platforms.memory.printed import printed
from penstock.platforms.memory.store import MemoryStore
from penstock.platforms.memory.tables import MemoryTables
from penstock.platforms.memory.world import Background, FakeClock, FakeFetch, FakeIds, Handler
from penstock.platforms.migrations import shipped
from penstock.ports import Index, Platform, Runner, Traces


@dataclass(frozen=True, slots=True)
class MemoryPlatform(Platform):
    """A Platform whose parts show what only tests may touch: `clock.advance`, `spawn.join`, `fetch.requests`."""

    fetch: FakeFetch
    store: MemoryStore
    blobs: MemoryBlobs
    meter: MemoryMeter
    tables: MemoryTables
    clock: FakeClock
    ids: FakeIds
    spawn: Background
    mail: MemoryMail = field(default_factory=MemoryMail)


def platform(
    handler: Handler | None = None,
    *,
    now: float = 1_800_000_000.0,
    seed: int = 0,
    cache_max_bytes: int = 64 << 20,
    runner: Runner | None = None,
    index: Index | None = None,
    traces: Traces | None = None,
) -> MemoryPlatform:
    """A new world at that time; `handler` answers for the upstream, without one nothing can be reached.

    The index is `index`, or a new one that searches by terms alone.
    """
    clock, ids = FakeClock(now), FakeIds(seed)
    return MemoryPlatform(
        name="memory",
        fetch=FakeFetch(handler),
        store=MemoryStore(clock, cache_max_bytes),
        blobs=MemoryBlobs(clock),
        meter=MemoryMeter(clock),
        tables=MemoryTables(shipped(), now),
        clock=clock,
        ids=ids,
        spawn=Background(),
        crypto=Signatures(),
        runner=runner,
        index=MemoryIndex() if index is None else index,
        parse=MemoryParse(),
        traces=traces,
        pdf=printed,
        secret=ids.secret(32),
    )
