"""What every Index keeps to."""

from __future__ import annotations

import math
from typing import Any

import pytest

from penstock.errors import BadRequest, WrongModel
from penstock.ports import (
    MOST_ENTRIES,
    MOST_MATCHES,
    MOST_TERMS,
    MOST_TERMS_ASKED,
    Entry,
    Index,
    Vector,
)
from tests.contract.conftest import DIMENSION, MODEL

EAST, NORTH, UP = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)
HOSTILE = [
    '"',
    "'",
    "*",
    "a*",
    "NEAR",
    "NEAR(a b)",
    "a OR b",
    "AND",
    "NOT",
    "-a",
    "^a",
    "owner:b",
    "a:b",
]
HOSTILE += ["(", ")", "\x00", "a\x00b", "'; drop table entries; --", "%", "_", "$1", "[]", "\ud800"]
HOSTILE += ["x" * 1_000_000, "", " ", "\u202e", "\uff41"]


def toward(*values: float) -> Vector:
    return Vector(MODEL, values)


def entry(name: str, direction=EAST, *, owner="ann", document="d", terms=()) -> Entry:
    return Entry(name, owner, document, toward(*direction), tuple(terms))


async def near(index: Index, direction=EAST, *, owner="ann", k=10, document=None) -> list[str]:
    """The ids found by vector, best first."""
    found = await index.search(owner, k, vector=toward(*direction), document=document)
    assert found.by_terms == ()
    return [match.id for match in found.by_vector]


async def told(index: Index, *terms: str, owner="ann", k=10, document=None) -> list[str]:
    """The ids found by terms, best first."""
    found = await index.search(owner, k, terms=terms, document=document)
    assert found.by_vector == ()
    return [match.id for match in found.by_terms]


async def lexical(index: Index) -> bool:
    return (await index.describe()).lexical


async def test_a_new_index_says_what_it_is_and_finds_nothing(index: Index) -> None:
    about = await index.describe()
    assert (about.model, about.dimension, about.entries) == (MODEL, DIMENSION, 0)
    assert await near(index) == []
    assert await told(index, "a") == []


async def test_the_nearest_come_first_with_their_cosine(index: Index) -> None:
    await index.upsert([entry("up", UP), entry("north", (3, 4, 0)), entry("east", (0.001, 0, 0))])
    await index.upsert([entry("west", (-9e30, 0, 0))])
    found = await index.search("ann", 10, vector=toward(2, 0, 0))
    assert [match.id for match in found.by_vector] == ["east", "north", "up", "west"]
    scores = [match.score for match in found.by_vector]
    assert scores == pytest.approx([1, 0.6, 0, -1], abs=2e-6)
    assert (await index.describe()).entries == 4


async def test_k_of_them_are_found(index: Index) -> None:
    await index.upsert([entry(f"n{n:03}", (1, n / 100, 0)) for n in range(150)])
    assert await near(index, k=3) == ["n000", "n001", "n002"]
    assert await near(index, k=MOST_MATCHES) == [f"n{n:03}" for n in range(MOST_MATCHES)]


async def test_equals_are_told_by_id(index: Index) -> None:
    names = ["b", "é", "a", "Z", "ß", "\N{GRINNING FACE}", "\uffee"]
    await index.upsert([entry(name, EAST, terms=["a", "b"]) for name in names])
    assert await near(index) == sorted(names)
    assert await near(index, k=2) == ["Z", "a"]
    if await lexical(index):
        assert await told(index, "b", "a") == sorted(names)


async def test_what_is_written_again_is_replaced(index: Index) -> None:
    await index.upsert([entry("a", EAST, terms=["old", "both"]), entry("b", NORTH)])
    await index.upsert([entry("a", UP, document="e", terms=["new", "both"])])
    assert await near(index, UP) == ["a", "b"]
    assert await near(index, document="d") == ["b"]
    assert await near(index, document="e") == ["a"]
    assert await told(index, "old") == []
    if await lexical(index):
        assert await told(index, "new") == await told(index, "both") == ["a"]
    assert (await index.describe()).entries == 2


async def test_of_one_id_twice_the_last_counts(index: Index) -> None:
    await index.upsert([entry("a", EAST, document="d"), entry("a", NORTH, document="e")])
    assert await near(index, document="d") == []
    found = await index.search("ann", 1, vector=toward(*NORTH), document="e")
    assert [match.score for match in found.by_vector] == [pytest.approx(1)]
    assert (await index.describe()).entries == 1


async def test_nothing_to_write_or_delete_is_done(index: Index) -> None:
    await index.upsert([])
    await index.delete("ann")
    await index.delete("ann", ["a"], "d")
    assert (await index.describe()).entries == 0


async def test_what_is_deleted_is_gone(index: Index) -> None:
    await index.upsert([entry(f"n{n}", document=f"d{n % 3}", terms=["a"]) for n in range(9)])
    await index.delete("ann", ["n0", "n1", "nobody"])
    assert await near(index) == ["n2", "n3", "n4", "n5", "n6", "n7", "n8"]
    await index.delete("ann", document="d2")
    assert await near(index) == ["n3", "n4", "n6", "n7"]
    await index.delete("ann", ["n3"], "d1")
    assert await near(index) == ["n6"]
    assert await told(index, "a") == (["n6"] if await lexical(index) else [])
    assert (await index.describe()).entries == 1


async def test_a_document_alone_is_searched_where_it_is_named(index: Index) -> None:
    await index.upsert([entry(f"n{n}", document=f"d{n % 2}", terms=["a"]) for n in range(4)])
    assert await near(index, document="d1") == ["n1", "n3"]
    assert await near(index, document="d", k=1) == []
    if await lexical(index):
        assert await told(index, "a", document="d0") == ["n0", "n2"]


async def test_both_searches_are_one(index: Index) -> None:
    await index.upsert([entry("a", EAST, terms=["x"]), entry("b", NORTH, terms=["y"])])
    found = await index.search("ann", 1, vector=toward(*EAST), terms=["y"])
    assert [match.id for match in found.by_vector] == ["a"]
    assert [match.id for match in found.by_terms] == (["b"] if await lexical(index) else [])


# Owners


OWNERS = [
    "ann",
    "ann ",
    "Ann",
    "an",
    "ann\x00",
    "a" * 64,
    "a" * 65,
    "a" * 66,
    "b" * 10_000,
    "anñ",
    "ann\u0303",
    "ANN",
    "%",
    "ann'",
    'ann"',
    "'; drop table entries; --",
    '["ann"]',
    "\ud800",
]


async def test_no_owner_finds_anothers(index: Index) -> None:
    """Whatever they share: ids, documents, terms, vectors; and whoever has a thousand times as much."""
    await index.upsert([entry(f"n{n}", owner="rich", terms=["a"]) for n in range(1_000)])
    for place, owner in enumerate(OWNERS):
        terms = ["a", f"t{place}"]
        await index.upsert(
            [entry("same", owner=owner, terms=terms), entry(f"own{place}", NORTH, owner=owner)]
        )
    for place, owner in enumerate(OWNERS):
        assert await near(index, owner=owner, k=MOST_MATCHES) == ["same", f"own{place}"]
        assert await near(index, owner=owner, k=MOST_MATCHES, document="d") == [
            "same",
            f"own{place}",
        ]
        if await lexical(index):
            assert await told(index, "a", owner=owner, k=MOST_MATCHES) == ["same"]
            assert await told(index, f"t{place + 1}", owner=owner) == []
    assert await near(index, owner="nobody", document="d") == []
    assert await told(index, "a", owner="nobody", document="d") == []


async def test_no_owner_deletes_or_replaces_anothers(index: Index) -> None:
    for owner in OWNERS:
        await index.upsert([entry("same", owner=owner, terms=["a"])])
    await index.delete(OWNERS[0], ["same"], "d")
    await index.upsert([entry("same", NORTH, owner=OWNERS[1], document="e")])
    await index.delete("nobody", ["same"], "d")
    assert await near(index, owner=OWNERS[0]) == []
    for owner in OWNERS[2:]:
        assert await near(index, owner=owner, document="d") == ["same"]
    assert (await index.describe()).entries == len(OWNERS) - 1


async def test_no_other_owner_moves_a_score(index: Index) -> None:
    await index.upsert(
        [entry("a", terms=["x", "y"]), entry("b", terms=["x"]), entry("c", terms=["z"] * 9)]
    )
    before = await index.search("ann", 9, vector=toward(*EAST), terms=["x", "y", "z"])
    await index.upsert([entry(f"n{n}", owner="bob", terms=["x"] * n) for n in range(200)])
    assert await index.search("ann", 9, vector=toward(*EAST), terms=["x", "y", "z"]) == before


# Terms


async def test_terms_are_scored_by_bm25_among_the_owners_entries(index: Index) -> None:
    if not await lexical(index):
        return
    await index.upsert(
        [
            entry("a", terms=["x", "x", "y"]),
            entry("b", terms=["x"], document="e"),
            entry("c", terms=["y", "z", "z", "z"]),
            entry("d"),
        ]
    )
    found = await index.search("ann", 9, terms=["x", "z", "x", "unheard"], document="d")

    def weight(having: int, count: int, length: int) -> float:
        mean = 2
        rarity = math.log(1 + (4 - having + 0.5) / (having + 0.5))
        return rarity * count * 2.2 / (count + 1.2 * (0.25 + 0.75 * length / mean))

    assert [match.id for match in found.by_terms] == ["c", "a"]
    scores = [match.score for match in found.by_terms]
    assert scores == pytest.approx([weight(1, 3, 4), weight(2, 2, 3)], abs=2e-6)


async def test_no_terms_find_nothing(index: Index) -> None:
    await index.upsert([entry("a", terms=["x"])])
    assert await told(index) == []


async def test_a_term_is_never_more_than_itself(index: Index) -> None:
    here = await lexical(index)
    await index.upsert([entry("plain", terms=["a", "b"])])
    await index.upsert([entry(f"odd{n}", terms=[term]) for n, term in enumerate(HOSTILE)])
    for place, term in enumerate(HOSTILE):
        assert await told(index, term) == ([f"odd{place}"] if here else [])
        assert await told(index, term + "?") == []
    await index.delete("ann", [f"odd{n}" for n in range(len(HOSTILE))])
    assert await told(index, *HOSTILE) == []
    assert await told(index, "a") == (["plain"] if here else [])


async def test_hostile_terms_together_find_what_has_one(index: Index) -> None:
    await index.upsert([entry("all", terms=HOSTILE), entry("none", terms=["other"])])
    assert await told(index, *HOSTILE) == (["all"] if await lexical(index) else [])


async def test_names_are_any_text_that_fits(index: Index) -> None:
    names = ["ü'$1;--\n", "a\x00b", "a\x00", "a", "%", "\N{GRINNING FACE}" * 16, "é" * 32]
    await index.upsert([entry(name, document=name) for name in names])
    for name in names:
        assert await near(index, document=name) == [name]
    await index.delete("ann", ["a\x00"], names[0])
    assert await near(index) == sorted(set(names) - {"a\x00", names[0]})


# What is refused


OTHERS = [
    Vector("large", EAST),
    Vector(MODEL, (1, 0)),
    Vector(MODEL, (1, 0, 0, 0)),
    Vector(MODEL, ()),
]


@pytest.mark.parametrize("vector", OTHERS)
async def test_vectors_of_another_model_or_dimension_are_refused(
    index: Index, vector: Vector
) -> None:
    with pytest.raises(WrongModel, match=r"'small' with 3 dimensions.*configuration"):
        await index.upsert([entry("a"), Entry("b", "ann", "d", vector)])
    with pytest.raises(WrongModel):
        await index.search("ann", 1, vector=vector)
    assert (await index.describe()).entries == 0


WRONG = [
    entry(""),
    entry("a" * 65),
    entry("é" * 33),
    entry("\ud800"),
    entry("a", document=""),
    entry("a", document="d" * 65),
    entry("a", owner=""),
    entry("a", (0, 0, 0)),
    entry("a", (1, math.nan, 0)),
    entry("a", (1, math.inf, 0)),
    entry("a", terms=["x"] * (MOST_TERMS + 1)),
    Entry("a", "ann", "d"),
]


async def test_an_entry_that_not_every_platform_can_hold_is_refused(index: Index) -> None:
    for wrong in WRONG:
        with pytest.raises(BadRequest):
            await index.upsert([entry("good"), wrong])
    assert (await index.describe()).entries == 0


async def test_what_is_above_a_limit_is_refused(index: Index) -> None:
    whole = [entry(f"n{n}") for n in range(MOST_ENTRIES)]
    with pytest.raises(BadRequest):
        await index.upsert([*whole, entry("more")])
    assert (await index.describe()).entries == 0
    await index.upsert(whole)
    with pytest.raises(BadRequest):
        await index.delete("ann", [f"n{n}" for n in range(MOST_ENTRIES + 1)])
    assert (await index.describe()).entries == MOST_ENTRIES
    await index.delete("ann", [f"n{n}" for n in range(MOST_ENTRIES)])
    assert (await index.describe()).entries == 0


ABOVE: list[dict[str, Any]] = [
    {"k": 0, "terms": ["a"]},
    {"k": MOST_MATCHES + 1, "terms": ["a"]},
    {"k": 1},
    {"k": 1, "terms": ["a"] * (MOST_TERMS_ASKED + 1)},
    {"k": 1, "vector": toward(0, 0, 0)},
    {"k": 1, "vector": toward(math.nan, 0, 0)},
    {"k": 1, "terms": ["a"], "document": ""},
    {"k": 1, "terms": ["a"], "document": "d" * 65},
    {"k": 1, "terms": ["a"], "owner": ""},
]


async def test_a_search_that_not_every_platform_can_do_is_refused(index: Index) -> None:
    for asked in ABOVE:
        with pytest.raises(BadRequest):
            await index.search(**{"owner": "ann", **asked})


async def test_without_a_model_terms_alone_are_searched(plain_index: Index) -> None:
    about = await plain_index.describe()
    assert (about.model, about.dimension) == ("", 0)
    await plain_index.upsert([Entry("a", "ann", "d", terms=("x",)), Entry("b", "ann", "d")])
    assert await told(plain_index, "x") == (["a"] if about.lexical else [])
    with pytest.raises(WrongModel):
        await plain_index.upsert([entry("c")])
    with pytest.raises(WrongModel):
        await plain_index.search("ann", 1, vector=toward(*EAST))
    assert (await plain_index.describe()).entries == 2


async def test_its_own_model_is_not_dropped(index: Index) -> None:
    await index.upsert([entry("a")])
    with pytest.raises(BadRequest):
        await index.drop(MODEL, DIMENSION)
    await index.drop(MODEL, DIMENSION + 1)
    await index.drop("", 0)
    assert await near(index) == ["a"]
