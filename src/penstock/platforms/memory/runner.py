"""Bound models that a test answers for."""

from __future__ import annotations

import inspect
from collections.abc import Sequence

from penstock.errors import Unavailable
from penstock.platforms.memory.world import Handler
from penstock.ports import Vectors
from penstock.wire.http import Request, Response


class FakeRunner:
    """Models by name, played by a handler; `runs` are those that were asked for. It embeds nothing."""

    def __init__(self, handler: Handler | None = None) -> None:
        self.handler = handler
        self.runs: list[tuple[str, Request]] = []

    async def embed(self, texts: Sequence[str]) -> Vectors:
        raise Unavailable("No embedding model is set.")

    async def run(self, model: str, request: Request) -> Response:
        self.runs.append((model, request))
        if self.handler is None:
            raise Unavailable("No model is set.")
        answer = self.handler(request)
        return await answer if inspect.isawaitable(answer) else answer
