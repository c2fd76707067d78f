"""A loop without a world, and what is in the air in it: nothing happens but what the steering draws."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from penstock.errors import Unavailable, Unheard


class Quiet(selectors.BaseSelector):
    """Where a loop would wait for the world, `idle` is called in its place: everything that could run has run."""

    def __init__(self) -> None:
        self.idle: Callable[[], None] = _stuck
        self._keys: dict[Any, selectors.SelectorKey] = {}

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        fd = fileobj if isinstance(fileobj, int) else fileobj.fileno()
        key = self._keys[fileobj] = selectors.SelectorKey(fileobj, fd, events, data)
        return key

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._keys.pop(fileobj)

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self._keys

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None or timeout > 0:
            self.idle()
        return []


class Owner(Protocol):
    """Whose operation it is; what is frozen hears of nothing until it thaws."""

    frozen: bool
    dead: bool


@dataclass(eq=False)
class Crossing:
    """One operation on its way: not done, then done and its outcome on the way back, then told.

    `lost` is called with an outcome that reaches nobody.
    """

    what: str
    effect: Callable[[], Any]
    reply: asyncio.Future[Any]
    owner: Owner
    since: float
    lost: Callable[[Any], None]
    done: bool = False
    outcome: Any = None
    failure: BaseException | None = None

    @property
    def place(self) -> str:
        return self.what.partition(".")[0]

    def act(self) -> None:
        """Takes effect there."""
        self.done = True
        try:
            self.outcome = self.effect()
        except Exception as error:  # noqa: BLE001 - goes to who asked
            self.failure = error

    def refuse(self) -> None:
        """Its store is out of reach, or was before it could say what it did. A cache says nothing of it, and neither
        does a meter to who gives back."""
        quiet = self.place == "store" or self.what.startswith("meter.give")
        unheard = self.done and self.place == "tables"
        self.done, self.outcome = True, None
        error = Unheard("It may have been done.") if unheard else Unavailable("Out of reach.")
        self.failure = None if quiet else error

    def tell(self) -> None:
        """The outcome arrives, if anybody still waits for it."""
        if self.reply.done():
            if self.failure is None:
                self.lost(self.outcome)
        elif self.failure is not None:
            self.reply.set_exception(self.failure)
        else:
            self.reply.set_result(self.outcome)


@dataclass(eq=False)
class Air:
    """All that is on its way between the replicas and their stores and providers."""

    crossings: list[Crossing] = field(default_factory=list)

    def pop(self, crossing: Crossing) -> None:
        self.crossings.remove(crossing)

    def movable(self) -> list[Crossing]:
        """Those that can go on: what comes back to a frozen replica waits."""
        return [one for one in self.crossings if not (one.done and one.owner.frozen)]


def now_of(work: Coroutine[Any, Any, Any]) -> Any:
    """The result of a coroutine that never waits: the memory platform's ports."""
    try:
        work.send(None)
    except StopIteration as stop:
        return stop.value
    work.close()
    raise AssertionError("a port of the memory platform waited")


def _stuck() -> None:
    raise AssertionError("nothing is left that could happen")
