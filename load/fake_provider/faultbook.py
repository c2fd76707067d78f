"""The faults set for everybody by POST /_fault, until used up or deleted."""

from __future__ import annotations

from dataclasses import dataclass

from load.fake_provider.faults import Fault


@dataclass(slots=True)
class Standing:
    """A fault for the next `left` calls (None: all) whose path starts with `path`."""

    fault: Fault
    left: int | None
    path: str


class FaultBook:
    """Standing faults in the order they were set: the first that fits is the one."""

    def __init__(self) -> None:
        self.standing: list[Standing] = []

    def add(self, fault: Fault, times: int | None, path: str) -> None:
        """Sets a fault."""
        self.standing.append(Standing(fault, times, path))

    def clear(self) -> None:
        """Ends all faults."""
        self.standing.clear()

    def take(self, path: str) -> Fault | None:
        """The fault of a call, counted as used."""
        for entry in self.standing:
            if path.startswith(entry.path):
                if entry.left is not None:
                    entry.left -= 1
                    if not entry.left:
                        self.standing.remove(entry)
                return entry.fault
        return None
