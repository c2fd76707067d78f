"""An Index with many entries, and with many at it at once."""

from __future__ import annotations

import asyncio
import math
import random

import pytest

from penstock.ports import MOST_ENTRIES, MOST_MATCHES, Index
from tests.contract.conftest import DIMENSION
from tests.contract.test_index import entry, lexical, near, told, toward


async def test_ten_thousand_entries_are_searched_exactly(index: Index) -> None:
    draw = random.Random(7)
    directions = {f"n{n}": tuple(draw.gauss() for _ in range(DIMENSION)) for n in range(10_000)}
    entries = [
        entry(name, values, document=name[-1], terms=[f"t{int(name[1:]) % 1_000}", "all"])
        for name, values in directions.items()
    ]
    for first in range(0, len(entries), MOST_ENTRIES):
        await index.upsert(entries[first : first + MOST_ENTRIES])
    asked = tuple(draw.gauss() for _ in range(DIMENSION))
    cosines = {
        name: sum(a * v for a, v in zip(asked, values, strict=True))
        / math.hypot(*asked)
        / math.hypot(*values)
        for name, values in directions.items()
    }
    found = await index.search("ann", MOST_MATCHES, vector=toward(*asked), terms=["t7", "all"])
    best = sorted(cosines.values(), reverse=True)[:MOST_MATCHES]
    assert [match.score for match in found.by_vector] == pytest.approx(best, abs=2e-6)
    assert [cosines[match.id] for match in found.by_vector] == pytest.approx(best, abs=2e-6)
    if await lexical(index):
        assert [match.id for match in found.by_terms[:10]] == sorted(
            f"n{n}" for n in range(7, 10_000, 1_000)
        )
        assert len(found.by_terms) == MOST_MATCHES
    assert (await index.describe()).entries == 10_000


async def test_writes_and_searches_at_once_disturb_nobody(index: Index) -> None:
    """Each search finds whole upserts: an owner's entries of one round, and all of them."""

    async def write(owner: str) -> None:
        for turn in range(5):
            await index.upsert(
                [
                    entry(f"n{n}", owner=owner, document=f"turn{turn}", terms=["a"])
                    for n in range(20)
                ]
            )

    async def search(owner: str) -> None:
        for turn in range(5):
            found = await near(index, owner=owner, k=MOST_MATCHES, document=f"turn{turn}")
            assert len(found) in (0, 20)

    owners = [f"owner{n}" for n in range(8)]
    await asyncio.gather(*map(write, owners), *map(search, owners))
    for owner in owners:
        assert len(await near(index, owner=owner, k=MOST_MATCHES, document="turn4")) == 20
        if await lexical(index):
            assert len(await told(index, "a", owner=owner, k=MOST_MATCHES)) == 20
    assert (await index.describe()).entries == 160
