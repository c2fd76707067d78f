"""Indexes of several models in one place: each is whole in itself, and documents come to a new one while the old answers."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager

import pytest

from penstock.errors import BadRequest, WrongModel
from penstock.ports import Entry, Index, Other, Vector
from tests.contract import homes, servers
from tests.contract.homes import Beside

OLD, NEW, PLAIN = ("small", 2), ("large", 3), ("", 0)


@pytest.fixture(params=[*homes.BESIDE, *servers.INDEXES])
async def beside(request, tmp_path, clock) -> AsyncGenerator[Beside]:
    """Opens indexes in one place."""
    place: AbstractAsyncContextManager[Beside]
    if request.param in servers.INDEXES:
        place = servers.beside(request.getfixturevalue(servers.INDEXES[request.param]))
    else:
        place = homes.BESIDE[request.param](tmp_path, clock)
    async with place as opened:
        yield opened


def entry(name: str, shape: tuple[str, int], *, owner="ann", document="d", term="x") -> Entry:
    model, dimension = shape
    vector = Vector(model, (1.0, *[0.0] * (dimension - 1))) if model else None
    return Entry(name, owner, document, vector, (term,))


async def found(index: Index, *, owner="ann") -> list[str]:
    about = await index.describe()
    vector = entry("", (about.model, about.dimension)).vector
    ids = await index.search(owner, 10, vector=vector, terms=["x"])
    lists = ids.by_terms or ids.by_vector
    return [match.id for match in lists]


async def test_each_model_has_its_own_entries_and_scores(beside: Beside) -> None:
    old, new, plain = [await beside(*shape) for shape in (OLD, NEW, PLAIN)]
    await old.upsert([entry(name, OLD) for name in "abc"])
    before = await old.search("ann", 10, vector=entry("", OLD).vector, terms=["x"])
    await new.upsert([entry(name, NEW) for name in "ad"])
    await plain.upsert([entry(name, PLAIN) for name in "e"])
    assert await found(old) == ["a", "b", "c"]
    assert await found(new) == ["a", "d"]
    assert await found(plain) == (["e"] if (await plain.describe()).lexical else [])
    assert (await plain.describe()).entries == 1
    assert await old.search("ann", 10, vector=entry("", OLD).vector, terms=["x"]) == before


async def test_a_place_tells_of_the_others(beside: Beside) -> None:
    old, new = await beside(*OLD), await beside(*NEW)
    assert (await new.describe()).others == ()
    await old.upsert([entry(name, OLD) for name in "abc"])
    about = await new.describe()
    assert (about.entries, about.others) == (0, (Other(*OLD, 3),))
    assert (await old.describe()).others == ()


async def test_one_name_with_two_dimensions_is_two_models(beside: Beside) -> None:
    old, long = await beside("small", 2), await beside("small", 4)
    await old.upsert([entry("a", ("small", 2))])
    await long.upsert([entry("b", ("small", 4))])
    assert (await found(old), await found(long)) == (["a"], ["b"])


async def test_vectors_of_the_other_are_refused_here(beside: Beside) -> None:
    old, new = await beside(*OLD), await beside(*NEW)
    with pytest.raises(WrongModel):
        await new.upsert([entry("a", OLD)])
    with pytest.raises(WrongModel):
        await old.search("ann", 1, vector=entry("", NEW).vector)


async def test_what_is_deleted_is_gone_in_every_model(beside: Beside) -> None:
    old, new = await beside(*OLD), await beside(*NEW)
    for index, shape in ((old, OLD), (new, NEW)):
        await index.upsert([entry(name, shape, document=name) for name in "abc"])
        await index.upsert([entry(name, shape, document=name, owner="bob") for name in "abc"])
    await new.delete("ann", ["a"], "b")
    assert await found(old) == await found(new) == ["c"]
    assert await found(old, owner="bob") == await found(new, owner="bob") == ["a", "b", "c"]


async def test_documents_move_to_a_new_model_while_the_old_one_answers(beside: Beside) -> None:
    old = await beside(*OLD)
    await old.upsert([entry(f"n{n}", OLD, document=f"d{n}") for n in range(5)])
    new = await beside(*NEW)
    for n in range(5):
        await new.upsert([entry(f"n{n}", NEW, document=f"d{n}")])
        assert len(await found(old)) == 5
    assert await found(new) == await found(old)
    await new.drop(*OLD)
    about = await new.describe()
    assert (about.entries, about.others) == (5, ())
    assert await found(old) == []
    assert len(await found(new)) == 5


async def test_more_than_one_part_is_dropped_whole(beside: Beside) -> None:
    old, new = await beside(*OLD), await beside(*NEW)
    for part in range(3):
        await old.upsert([entry(f"{part}n{n}", OLD, owner=f"o{n % 7}") for n in range(500)])
    await new.upsert([entry("a", NEW)])
    await new.drop(*OLD)
    assert (await old.describe()).entries == 0
    assert await found(new) == ["a"]


async def test_only_others_are_dropped(beside: Beside) -> None:
    new = await beside(*NEW)
    await new.upsert([entry("a", NEW)])
    with pytest.raises(BadRequest):
        await new.drop(*NEW)
    await new.drop("never seen", 7)
    assert await found(new) == ["a"]
