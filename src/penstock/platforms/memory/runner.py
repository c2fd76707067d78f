"""Models that a test answers for, and an embedding model that knows texts by their hashes."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from hashlib import shake_256

from penstock.errors import Unavailable
from penstock.platforms.memory.world import Handler
from penstock.ports import Vectors
from penstock.wire.http import Request, Response

EMBEDDING = "hashes"


class FakeRunner:
    """Models by name, played by a handler; `runs` are those that were asked for. Without a dimension it embeds nothing."""

    def __init__(self, handler: Handler | None = None, *, dimension: int = 0) -> None:
        self.handler = handler
        self.dimension = dimension
        self.runs: list[tuple[str, Request]] = []

    async def embed(self, texts: Sequence[str]) -> Vectors:
        if not self.dimension:
            raise Unavailable("No embedding model is set.")
        values = [_values(text, self.dimension) for text in texts]
        return Vectors(EMBEDDING, self.dimension, values, sum(len(text.split()) for text in texts))

    async def run(self, model: str, request: Request) -> Response:
        self.runs.append((model, request))
        if self.handler is None:
            raise Unavailable("No model is set.")
        answer = self.handler(request)
        return await answer if inspect.isawaitable(answer) else answer


def _values(text: str, dimension: int) -> list[float]:
    return [byte / 255 for byte in shake_256(text.encode()).digest(dimension)]
