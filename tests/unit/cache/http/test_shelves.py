"""Shelves: who finds what. Never another owner's, never another variant, never what was taken back."""

from __future__ import annotations

from itertools import count
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.cache.http import entries, keys
from penstock.cache.http.entries import Entry
from penstock.cache.http.freshness import MOST_KEPT_SECONDS, Terms
from penstock.cache.http.keys import Place
from penstock.cache.http.rules import Came, Rules
from penstock.cache.http.shelves import MOST_VARIANTS, Shelves
from penstock.platforms.memory.store import MemoryStore
from penstock.platforms.memory.world import FakeClock
from penstock.wire.http import Request
from tests.unit.cache.http.scene import SECRET, get

R = Rules("r")


class Kit:
    """Shelves over a store in memory."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.store = MemoryStore(self.clock)
        numbers = count()
        self.shelves = Shelves(self.store, self.clock, SECRET, lambda: str(next(numbers)))
        self.places = keys.Places("r", SECRET)
        self.numbers: dict[str, int] = {}

    def place(self, request: Request, owner: str = "") -> Place:
        return self.places.of(request, owner, self.numbers)

    async def keep(
        self, request: Request, body: bytes, *headers: tuple[str, str], owner: str = "", lifetime: float = 60
    ) -> Entry:  # fmt: skip
        """Kept as the cache does: with what was found before."""
        place = self.place(request, owner)
        _, _, mark = await self.shelves.find(place, request)
        entry = self.made(request, body, *headers, owner=owner, lifetime=lifetime, mark=mark)
        await self.shelves.keep(place, entry)
        return entry

    def made(
        self, request: Request, body: bytes, *headers: tuple[str, str], owner: str = "", lifetime: float = 60,
        mark: bytes = b"",
    ) -> Entry:  # fmt: skip
        now = self.clock.now()
        came, terms = Came(200, headers, now, now), Terms(now, 0, lifetime)
        place = self.place(request, owner)
        return entries.made(
            request, came, body, terms, place=place, marked=mark, settings=R, secret=SECRET
        )

    async def find(self, request: Request, owner: str = "") -> bytes | None:
        entry, _, _ = await self.shelves.find(self.place(request, owner), request)
        return entry.body if entry else None


async def test_what_was_kept_is_found_until_it_is_of_no_use() -> None:
    kit = Kit()
    entry = await kit.keep(get(), b"1", ("x", "y"))
    assert await kit.shelves.find(kit.place(get()), get()) == (entry, False, b"")
    kit.clock.advance(60 + 61)
    assert await kit.find(get()) is None
    assert len(kit.store) == 0


async def test_what_is_stale_is_still_found() -> None:
    kit = Kit()
    await kit.keep(get(), b"1", ("etag", '"1"'))
    kit.clock.advance(3_600)
    assert await kit.find(get()) == b"1"


async def test_what_is_of_no_use_is_not_kept() -> None:
    kit = Kit()
    await kit.keep(get(), b"1", lifetime=-61)
    assert len(kit.store) == 0


async def test_variants_are_found_each_by_what_it_was_chosen_by() -> None:
    kit = Kit()
    vary = ("vary", "Foo")
    await kit.keep(get(foo="1"), b"one", vary)
    await kit.keep(get(foo="2"), b"two", vary)
    await kit.keep(get(), b"none", vary)
    found = [await kit.find(request) for request in (get(foo="1"), get(foo="2"), get())]
    assert found == [b"one", b"two", b"none"]
    entry, varied, _ = await kit.shelves.find(kit.place(get()), get(foo="3"))
    assert (entry, varied) == (None, True)


async def test_of_two_variants_that_fit_the_newer_is_found() -> None:
    kit = Kit()
    both = get(foo="1", bar="1")
    await kit.keep(both, b"older", ("vary", "foo"))
    await kit.keep(both, b"newer", ("vary", "bar"))
    assert await kit.find(both) == b"newer"
    assert await kit.find(get(foo="1")) == b"older"


async def test_a_variant_takes_the_place_of_the_one_before() -> None:
    kit = Kit()
    for body in (b"1", b"2"):
        await kit.keep(get(foo="1"), body, ("vary", "foo"))
    assert await kit.find(get(foo="1")) == b"2"
    assert len(kit.store) == 2


async def test_variants_are_bounded_and_the_oldest_goes() -> None:
    kit = Kit()
    for number in range(MOST_VARIANTS + 3):
        await kit.keep(get(foo=str(number)), b"%d" % number, ("vary", "foo"))
    assert [await kit.find(get(foo=str(n))) for n in (0, 2, 3)] == [None, None, b"3"]
    assert len(kit.store) == MOST_VARIANTS + 1


async def test_what_no_longer_varies_takes_the_place_of_all() -> None:
    kit = Kit()
    await kit.keep(get(foo="1"), b"one", ("vary", "foo"))
    await kit.keep(get(foo="1"), b"plain")
    assert await kit.find(get(foo="2")) == b"plain"


async def test_forgotten() -> None:
    kit = Kit()
    plain = await kit.keep(get("/plain"), b"1")
    varied = await kit.keep(get(foo="1"), b"1", ("vary", "foo"))
    await kit.shelves.forget(kit.place(get("/plain")), plain)
    await kit.shelves.forget(kit.place(get(foo="1")), varied)
    assert await kit.find(get("/plain")) is await kit.find(get(foo="1")) is None


async def test_an_invalidation_takes_back_what_every_owner_has() -> None:
    kit = Kit()
    for owner in ("", "a", "b"):
        await kit.keep(get(), b"1", owner=owner)
        await kit.keep(get("/other"), b"1", owner=owner)
    await kit.shelves.invalidate(get(method="POST"), ["/a"])
    assert [await kit.find(get(), owner) for owner in ("", "a", "b")] == [None, None, None]
    assert await kit.find(get("/other"), "a") == b"1"
    await kit.keep(get(), b"2", owner="a")
    assert await kit.find(get(), "a") == b"2"


async def test_what_was_asked_before_an_invalidation_is_not_found_though_kept_after_it() -> None:
    kit = Kit()
    asked = kit.made(get(), b"old")
    await kit.shelves.invalidate(get(), ["/a"])
    await kit.shelves.keep(kit.place(get()), asked)
    assert await kit.find(get()) is None


async def test_two_invalidations_in_one_moment_are_two() -> None:
    kit = Kit()
    await kit.shelves.invalidate(get(), ["/a"])
    await kit.keep(get(), b"1")
    await kit.shelves.invalidate(get(), ["/a"])
    assert await kit.find(get()) is None


async def test_what_was_taken_back_stays_so_though_the_store_loses_the_mark() -> None:
    kit = Kit()
    await kit.keep(get(), b"1")
    await kit.shelves.invalidate(get(), ["/a"])
    assert await kit.find(get()) is None
    await kit.store.delete(keys.mark(get(), SECRET, "/a"))
    assert await kit.find(get()) is None


async def test_a_mark_outlives_what_it_takes_back() -> None:
    kit = Kit()
    await kit.shelves.invalidate(get(), ["/a"])
    kit.clock.advance(MOST_KEPT_SECONDS - 1)
    assert await kit.store.get(keys.mark(get(), SECRET, "/a")) is not None


@pytest.mark.parametrize("scope", ["tag:t", "url:/a", "owner:o", "route:r", "kind:http"])
async def test_what_was_purged_is_not_found(scope: str) -> None:
    kit = Kit()
    await kit.keep(get(), b"1", ("cache-tag", "t, u"), owner="o")
    kit.numbers = {"tag:x": 1}
    assert await kit.find(get(), "o") == b"1"
    kit.numbers = {scope: 1}
    assert await kit.find(get(), "o") is None
    await kit.keep(get(), b"2", ("cache-tag", "t, u"), owner="o")
    assert await kit.find(get(), "o") == b"2"


async def test_what_another_version_wrote_is_nothing() -> None:
    kit = Kit()
    await kit.store.put(kit.place(get()).name, b"\xff", 60)
    assert await kit.find(get()) is None
    assert entries.decode(b"") is entries.decode(b"\x93\x01") is None


async def test_an_entry_under_another_s_key_is_not_served() -> None:
    """What is kept says what it answers and whose it is; a name alone is not believed."""
    kit = Kit()
    entry = await kit.keep(get(), b"1", owner="a")
    await kit.store.put(kit.place(get(), "b").name, entries.encode(entry), 60)
    await kit.store.put(kit.place(get("/b"), "a").name, entries.encode(entry), 60)
    assert await kit.find(get(), "b") is await kit.find(get("/b"), "a") is None


values = st.sampled_from(["1", "2", "1, 2", "a"])
requests = st.tuples(
    st.sampled_from(["/a", "/b"]),
    st.sampled_from(["", "o", "p"]),
    st.fixed_dictionaries({}, optional={"foo": values, "bar": values}),
)
varies = st.sampled_from(["", "foo", "bar", "foo, bar", "Bar,FOO"])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(requests, varies), max_size=12), st.lists(requests, max_size=12))
async def test_nothing_is_found_that_was_kept_for_another_owner_or_another_variant(
    kept: list[tuple[tuple[str, str, dict[str, Any]], str]],
    asked: list[tuple[str, str, dict[str, Any]]],
) -> None:
    kit = Kit()
    for number, ((target, owner, headers), vary) in enumerate(kept):
        fields = [("vary", vary)] if vary else []
        await kit.keep(get(target, **headers), b"%d" % number, *fields, owner=owner)
    for target, owner, headers in asked:
        found = await kit.find(get(target, **headers), owner)
        if found is None:
            continue
        (whose_target, whose, said), vary = kept[int(found)]
        assert (whose_target, whose) == (target, owner)
        for name in {"foo", "bar"} & set(vary.lower().replace(" ", "").split(",")):
            assert said.get(name) == headers.get(name)
