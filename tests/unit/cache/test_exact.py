"""The exact cache: keys that never meet, entries that are compared, purges that reach everything."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.cache.exact import Entry, Exact, Key
from penstock.cache.generations import Generations, raise_generations
from penstock.errors import BadRequest
from penstock.platforms import memory
from penstock.platforms.memory import MemoryPlatform
from penstock.wire.chat import Usage


@dataclass
class Case:
    platform: MemoryPlatform
    generations: Generations
    exact: Exact

    async def key(self, owner: str = "o", request: bytes = b"{}", **more: str) -> Key:
        of = {
            "kind": "chat",
            "partition": f"owner:{owner}",
            "model": "auto",
            "route": "auto",
        } | more
        return await self.exact.key(
            of["kind"], of["partition"], owner, of["model"], of["route"], request
        )


@pytest.fixture
def case() -> Case:
    platform = memory.platform()
    generations = Generations(platform.tables, platform.clock)
    exact = Exact(platform.store, platform.clock, b"k" * 32, generations, 1_000)
    return Case(platform, generations, exact)


def entry(key: Key, data: bytes = b"answer") -> Entry:
    return Entry(key.request, data, "p/m", "p", "m", Usage(input=1, output=2))


async def test_what_was_kept_is_found_until_its_time(case: Case) -> None:
    key = await case.key()
    await case.exact.keep(key, entry(key), ttl=60)
    found = await case.exact.find(key)
    assert found is not None
    assert found.data == b"answer"
    assert found.usage == Usage(input=1, output=2)
    case.platform.clock.advance(61)
    assert await case.exact.find(key) is None


async def test_another_request_under_the_same_name_is_not_served(case: Case) -> None:
    key = await case.key()
    await case.exact.keep(key, entry(key), ttl=60)
    assert await case.exact.find(Key(key.name, b"another", {})) is None


async def test_what_cannot_be_read_is_dropped(case: Case) -> None:
    key = await case.key()
    await case.platform.store.put(key.name, b"\xc1 not ours", 60)
    assert await case.exact.find(key) is None
    assert await case.platform.store.get(key.name) is None


async def test_too_large_an_answer_is_not_kept(case: Case) -> None:
    key = await case.key()
    await case.exact.keep(key, entry(key, b"x" * 2_000), ttl=60)
    assert await case.exact.find(key) is None


_text = st.text(st.characters(codec="utf-8"), max_size=8)


@given(
    st.tuples(_text, _text, _text, _text, st.binary(max_size=8)),
    st.tuples(_text, _text, _text, _text, st.binary(max_size=8)),
)
async def test_two_requests_share_a_key_only_if_they_are_one(
    one: tuple[str, str, str, str, bytes], other: tuple[str, str, str, str, bytes]
) -> None:
    platform = memory.platform()
    exact = Exact(
        platform.store,
        platform.clock,
        b"k" * 32,
        Generations(platform.tables, platform.clock),
        1_000,
    )
    if any("\0" in part for both in (one[:4], other[:4]) for part in both):
        return
    keys = [
        await exact.key(kind, partition, "o", model, route, request)
        for kind, partition, model, route, request in (one, other)
    ]
    assert (keys[0].name == keys[1].name) == (one == other)


@pytest.mark.parametrize(
    "wanted",
    [
        {"kind": "chat"},
        {"owner": "default/o"},
        {"model": "m"},
        {"model": "p/m"},
        {"route": "auto"},
        {},
    ],
)
async def test_a_purge_reaches_what_it_names(case: Case, wanted: dict[str, str]) -> None:
    before = await case.key("default/o")
    await case.exact.keep(before, entry(before), ttl=60)
    await case.generations.purge(wanted)
    assert await case.exact.find(await case.key("default/o")) is None


@pytest.mark.parametrize(
    "wanted",
    [
        {"kind": "embed"},
        {"owner": "other/o"},
        {"model": "auto"},
        {"route": "embed"},
        {"key": "chat:" + "0" * 64},
    ],
)
async def test_a_purge_leaves_the_rest(case: Case, wanted: dict[str, str]) -> None:
    key = await case.key("default/o")
    await case.exact.keep(key, entry(key), ttl=60)
    await case.generations.purge(wanted)
    assert await case.exact.find(await case.key("default/o")) is not None


async def test_an_answer_on_its_way_during_a_purge_is_not_found_after_it(case: Case) -> None:
    key = await case.key()
    await case.generations.purge({"model": "m"})
    await case.exact.keep(key, entry(key), ttl=60)
    assert await case.exact.find(await case.key()) is None


async def test_a_single_key_can_be_purged(case: Case) -> None:
    key = await case.key()
    await case.exact.keep(key, entry(key), ttl=60)
    await case.generations.purge({"key": key.name})
    again = await case.key()
    assert await case.exact.find(again) is None
    await case.exact.keep(again, entry(again), ttl=60)
    await case.generations.purge({"key": again.name})
    assert await case.exact.find(await case.key()) is None


async def test_a_purge_by_another_process_counts_within_ten_seconds(case: Case) -> None:
    before = await case.key()
    await raise_generations(case.platform.tables, {"route": "auto"})
    case.platform.clock.advance(10)
    assert (await case.key()).name != before.name


@pytest.mark.parametrize(
    "wanted", [{"color": "red"}, {"kind": "film"}, {"key": "x"}, {"route": ""}, {"owner": ""}]
)
async def test_an_unknown_purge_is_refused(case: Case, wanted: dict[str, str]) -> None:
    with pytest.raises(BadRequest):
        await case.generations.purge({"kind": "chat"} | wanted)
    assert await case.platform.tables.rows("select scope from generations") == []
