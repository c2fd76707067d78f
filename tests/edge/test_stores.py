"""What is Cloudflare's own about the tables and the caches: its numbers, its columns, its least time to live."""

from __future__ import annotations

import pytest

from penstock.errors import Conflict
from penstock.platforms.memory.world import FakeClock
from penstock.ports import Store, Tables

ADD = "insert into things (name, number) values ($1, $2)"
EXACT = 2**53 - 1


@pytest.mark.parametrize("number", [EXACT + 1, -EXACT - 1, 2**63 - 1])
async def test_a_number_that_would_not_arrive_as_it_is_is_not_sent(
    tables: Tables, number: int
) -> None:
    with pytest.raises(RuntimeError, match="OverflowError"):
        await tables.batch((ADD, ("a", 1)), (ADD, ("b", number)))
    assert await tables.rows("select count(*) from things") == [(0,)]


async def test_a_number_that_was_lost_on_its_way_back_is_told(tables: Tables) -> None:
    await tables.batch((ADD, ("a", EXACT)))
    assert await tables.rows("select number from things") == [(EXACT,)]
    with pytest.raises(RuntimeError, match="OverflowError"):
        await tables.rows("select number + 1 from things")


async def test_columns_of_one_name_are_all_there(tables: Tables) -> None:
    assert await tables.rows("select 1, 2, 1 as x, 3 as x") == [(1, 2, 1, 3)]


@pytest.mark.parametrize("size", [0, 1, 70_000])
async def test_bytes_of_any_length_come_back(tables: Tables, size: int) -> None:
    await tables.batch(("insert into things (name, data) values ($1, $2)", ("a", bytes(size))))
    assert await tables.rows("select data from things") == [(bytes(size),)]


async def test_a_column_that_may_not_be_null_is_named(tables: Tables) -> None:
    with pytest.raises(Conflict) as conflict:
        await tables.batch((ADD, ("a", None)))
    assert conflict.value.name == "things_number_not_null"


async def test_a_value_for_less_than_a_minute_is_kept_for_it(store: Store) -> None:
    await store.put("a", b"1", 0.5)
    assert await store.get("a") == b"1"


async def test_a_value_that_is_too_large_is_not_kept_and_drops_the_older(store: Store) -> None:
    await store.put("a", b"1", 60)
    await store.put("a", bytes(101), 60)
    assert await store.get("a") is None


async def test_a_kept_reply_has_its_very_time_though_the_cache_knows_whole_seconds(
    replies: Store, clock: FakeClock
) -> None:
    await replies.put("a", b"1", 0.5)
    clock.advance(0.499)
    assert await replies.get("a") == b"1"
    clock.advance(0.001)
    assert await replies.get("a") is None


async def test_a_reply_that_is_too_large_is_not_kept_and_drops_the_older(replies: Store) -> None:
    await replies.put("a", b"1", 60)
    await replies.put("a", bytes(101), 60)
    assert await replies.get("a") is None


async def test_keys_are_no_parts_of_each_other(replies: Store) -> None:
    for key in ("a", "a/b", "a?b", "a#b", "a%2Fb", "a/../c"):
        await replies.put(key, key.encode(), 60)
    for key in ("a", "a/b", "a?b", "a#b", "a%2Fb", "a/../c"):
        assert await replies.get(key) == key.encode()
