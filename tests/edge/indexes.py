"""The edge's `Index` as the contract suite reaches it: over something that looks like Vectorize (vectorize.mjs)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from penstock.ports import About, Entry, Found, Vector

MOST_TURNS = 100


class EdgeIndex:
    """Waits after each write until it is found, as who asks at once has to where `settled` says so."""

    def __init__(self, port: Any) -> None:
        self.port = port

    async def upsert(self, entries: Sequence[Entry]) -> None:
        await self.port.upsert(list(entries))
        await self.settled()

    async def delete(
        self, owner: str, ids: Sequence[str] = (), document: str | None = None
    ) -> None:
        await self.port.delete(owner, list(ids), document)

    async def search(
        self,
        owner: str,
        k: int,
        *,
        vector: Vector | None = None,
        terms: Sequence[str] | None = None,
        document: str | None = None,
    ) -> Found:
        found: Found = await self.port.find(owner, k, vector, terms, document)
        return found

    async def describe(self) -> About:
        about: About = await self.port.describe()
        return about

    async def drop(self, model: str, dimension: int) -> None:
        await self.port.drop(model, dimension)

    async def settled(self) -> None:
        """Returns once every write is found."""
        for _ in range(MOST_TURNS):
            if (await self.describe()).settled == math.inf:
                return
        raise AssertionError("the index does not settle")
