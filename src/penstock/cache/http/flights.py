"""Equal misses in this process: the first goes to the origin, the others wait to hear whether its reply is theirs too."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable

from penstock.cache.http.collecting import Collection
from penstock.cache.http.entries import Entry
from penstock.errors import Error, again

MOST_REMEMBERED = 1_024
REMEMBERED_SECONDS = 60.0
"""For how long nobody waits for a reply whose like could not be kept."""


class Flight:
    """One request on its way. `reply` is what it found: an entry with its body, or the head of one that is coming."""

    __slots__ = ("_heard", "collection", "failure", "heard", "reply")

    def __init__(self) -> None:
        self.heard = False
        self.reply: Entry | None = None
        self.collection: Collection | None = None
        self.failure: Error | None = None
        self._heard: list[asyncio.Future[None]] = []

    def tell(self, reply: Entry | None, collection: Collection | None = None) -> None:
        """What came: None where it is for nobody else."""
        self.reply, self.collection = reply, collection
        self._wake()

    def fail(self, failure: Error | None) -> None:
        """Nothing came: why, or None where whoever waits should go in its place."""
        if not self.heard:
            self.failure = failure
            self._wake()

    async def hear(self) -> Entry | None:
        """Waits for the head of the reply. Raises why there is none."""
        if not self.heard:
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._heard.append(waiter)
            await waiter
        if self.failure is not None:
            raise again(self.failure)
        return self.reply

    def _wake(self) -> None:
        self.heard = True
        waiters, self._heard = self._heard, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)


class Flights:
    """The requests on their way by place, and the places whose replies are lately known to be kept by nobody."""

    def __init__(self, tick: Callable[[], float]) -> None:
        self._tick = tick
        self._open: dict[str, Flight] = {}
        self._alone: OrderedDict[str, float] = OrderedDict()

    def find(self, name: str) -> Flight | None:
        return self._open.get(name)

    def alone(self, name: str) -> bool:
        """Whether to go without waiting, and without having others wait."""
        until = self._alone.get(name)
        return until is not None and until > self._tick()

    def begin(self, name: str) -> Flight:
        flight = self._open[name] = Flight()
        return flight

    def end(self, name: str, flight: Flight) -> None:
        """Nobody joins it any more."""
        if self._open.get(name) is flight:
            del self._open[name]

    def useful(self, name: str) -> None:
        """A reply of this place can be kept again."""
        self._alone.pop(name, None)

    def useless(self, name: str) -> None:
        """A reply of this place could not be kept."""
        self._alone[name] = self._tick() + REMEMBERED_SECONDS
        self._alone.move_to_end(name)
        if len(self._alone) > MOST_REMEMBERED:
            self._alone.popitem(last=False)
