"""Worlds whose requests leave spans."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, TypeVar

from msgspec import structs

from penstock.gateway import build
from penstock.platforms.memory.traces import MemoryTraces
from penstock.wire.tracing import Span
from tests.path.world import World

W = TypeVar("W", bound=World)
TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
GIVEN = ("traceparent", f"00-{TRACE}-{PARENT}-01")


class Traced:
    """The spans that a world's requests left, oldest first."""

    def __init__(self, world: World, most: int = 10_000, **settings: Any) -> None:
        self.kept = MemoryTraces(most)
        world.platform = replace(world.platform, traces=self.kept)
        config = world.gateway.config
        telemetry = structs.replace(config.telemetry, **settings)
        config = structs.replace(config, telemetry=telemetry)
        world.gateway = build(config, world.platform, world.gateway.report)

    @property
    def spans(self) -> list[Span]:
        return self.kept.spans

    @property
    def names(self) -> list[str]:
        return [span.name for span in self.spans]

    def one(self, begins: str) -> Span:
        """The only span with such a name."""
        [found] = self.all(begins)
        return found

    def all(self, begins: str) -> list[Span]:
        return [span for span in self.spans if span.name.startswith(begins)]
