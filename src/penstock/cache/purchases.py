"""Texts that are being bought in this process: who wants one of them meanwhile waits for it."""

from __future__ import annotations

import asyncio

from penstock.errors import Error
from penstock.wire.embeddings import Embedded

Purchase = asyncio.Future[Embedded | Error | None]
"""What becomes of one: the vector, why its target failed, or nothing, so that who waits goes itself."""


class Purchases:
    """The texts in the air, by cache key."""

    def __init__(self) -> None:
        self.open: dict[str, Purchase] = {}

    def find(self, key: str) -> Purchase | None:
        """The purchase to wait for, by `asyncio.wait`, which leaves it alone when who waits is cancelled."""
        return self.open.get(key)

    def begin(self, key: str) -> Purchase:
        """A purchase that all who come after it find; who begins one ends it, whatever happens."""
        purchase = self.open[key] = asyncio.get_running_loop().create_future()
        return purchase

    def end(self, key: str, purchase: Purchase) -> None:
        """Nobody finds it any more, and nobody waits for it."""
        if not purchase.done():
            purchase.set_result(None)
        if self.open.get(key) is purchase:
            del self.open[key]
