"""API keys: shown once, kept as hashes, ended everywhere at once."""

from __future__ import annotations

from typing import Any

import pytest

from penstock.auth import keys, sql
from penstock.errors import BadRequest, Conflict
from penstock.platforms import memory
from penstock.platforms.memory import MemoryPlatform
from penstock.ports import Demand, Denial
from tests.unit.auth.signing import NOW


@pytest.fixture
def world() -> MemoryPlatform:
    return memory.platform()


async def create(world: MemoryPlatform, **more: Any) -> tuple[str, keys.ApiKey]:
    return await keys.create(world.tables, world.ids, **{"now": NOW, "sub": "u", **more})


async def denied(world: MemoryPlatform, credential: str) -> bool:
    return isinstance(await world.meter.take([Demand("alive", "alive", credential)]), Denial)


async def test_a_key_is_found_by_its_hash_alone(world: MemoryPlatform) -> None:
    more = {
        "tenant": "t",
        "tier": "pro",
        "scopes": ["chat", "admin"],
        "name": "ci",
        "expires_at": NOW + 9,
    }
    key, made = await create(world, **more)
    assert await keys.find(world.tables, keys.hash_of(key)) == made
    assert (made.sub, made.tenant, made.tier, made.name) == ("u", "t", "pro", "ci")
    assert made.scopes == {"chat", "admin"}
    assert (made.created_at, made.expires_at, made.revoked_at) == (NOW, NOW + 9, 0)
    assert await keys.find(world.tables, key) is None
    assert await keys.find(world.tables, made.hash[:16]) is None


async def test_a_key_is_long_and_kept_nowhere(world: MemoryPlatform) -> None:
    key, made = await create(world)
    assert key.startswith("pk-")
    assert len(key) == 3 + 43
    assert keys.looks_like_key(key)
    rows = await world.tables.rows("select * from api_keys")
    assert key not in repr(rows)
    assert key[3:] not in repr(rows)
    assert key not in repr(made)
    assert len({(await create(world))[0] for _ in range(20)}) == 20


@pytest.mark.parametrize(
    "text", ["", "pk-", "pk-short", "pk-" + "a" * 42, "pk-" + "a" * 44, "pk-" + "a" * 42 + "\n",
             "pk-" + "a" * 43 + "\n",
             "PK-" + "a" * 43, "pk-" + "\u0661" * 43, "pk-' or 1=1 --" + "a" * 31]
)  # fmt: skip
def test_other_texts_do_not_look_like_keys(text: str) -> None:
    assert not keys.looks_like_key(text)


async def test_the_same_key_twice_is_a_conflict(world: MemoryPlatform) -> None:
    _, made = await create(world)
    again = ("other", made.hash, "u", "t", "free", "", "", 0, 0)
    with pytest.raises(Conflict) as caught:
        await world.tables.batch((sql.CREATE, again))
    assert caught.value.name == "api_keys_hash_key"


@pytest.mark.parametrize(
    ("field", "value"),
    [("sub", ""), ("sub", "a\x00b"), ("tenant", ""), ("tier", "x" * 257), ("name", "x" * 129),
     ("name", "a\nb"), ("scopes", ["a b"]), ("scopes", [""]),
     ("scopes", ['"']), ("scopes", ["\u00e9"])],
)  # fmt: skip
async def test_refuses_bad_names(world: MemoryPlatform, field: str, value: Any) -> None:
    with pytest.raises(BadRequest) as caught:
        await create(world, **{field: value})
    assert caught.value.param == field
    assert await keys.listing(world.tables) == []


async def test_lists_keys_oldest_first_of_all_or_of_one(world: MemoryPlatform) -> None:
    made = [
        (await create(world, sub=f"u{n % 3}", tenant=f"t{n % 2}", now=NOW + n // 2))[1]
        for n in range(12)
    ]
    listed = await keys.listing(world.tables)
    assert listed == made
    assert await keys.listing(world.tables, sub="u1") == [key for key in made if key.sub == "u1"]
    both = await keys.listing(world.tables, sub="u1", tenant="t0")
    assert both == [key for key in made if (key.sub, key.tenant) == ("u1", "t0")]
    assert await keys.listing(world.tables, sub="nobody") == []


async def test_lists_more_than_a_page(world: MemoryPlatform) -> None:
    made = [(await create(world, sub=f"u{n}"))[1].id for n in range(2100)]
    assert sorted(key.id for key in await keys.listing(world.tables)) == sorted(made)


async def test_a_revoked_key_is_denied_at_once_and_stays_so(world: MemoryPlatform) -> None:
    _, made = await create(world)
    _, other = await create(world)
    assert not await denied(world, made.hash)
    ended = await keys.revoke(world.tables, world.meter, made.id, now=NOW + 5)
    assert ended is not None
    assert ended.revoked_at == NOW + 5
    assert await denied(world, made.hash)
    assert not await denied(world, other.hash)
    assert await keys.is_revoked(world.tables, made.hash, now=NOW + 6)
    assert not await keys.is_revoked(world.tables, other.hash, now=NOW + 6)
    again = await keys.revoke(world.tables, world.meter, made.id, now=NOW + 99)
    assert again == ended
    assert len(await world.tables.rows("select * from revocations")) == 1


async def test_an_unknown_key_cannot_be_revoked(world: MemoryPlatform) -> None:
    assert await keys.revoke(world.tables, world.meter, "key_none", now=NOW) is None
    assert await world.tables.rows("select * from revocations") == []


async def test_a_token_is_refused_until_its_end(world: MemoryPlatform) -> None:
    await keys.revoke_token(world.tables, world.meter, "c1", NOW + 60, now=NOW)
    assert await denied(world, "c1")
    assert await keys.is_revoked(world.tables, "c1", now=NOW + 60)
    world.clock.advance(60.5)
    assert not await denied(world, "c1")
    assert not await keys.is_revoked(world.tables, "c1", now=NOW + 60.5)


async def test_an_ended_token_leaves_no_mark(world: MemoryPlatform) -> None:
    await keys.revoke_token(world.tables, world.meter, "c1", NOW, now=NOW)
    assert await world.tables.rows("select * from revocations") == []


async def test_a_second_revocation_never_shortens_the_first(world: MemoryPlatform) -> None:
    for until in (NOW + 60, NOW + 600, NOW + 30):
        await keys.revoke_token(world.tables, world.meter, "c1", until, now=NOW)
    assert await keys.is_revoked(world.tables, "c1", now=NOW + 599)


async def test_an_empty_meter_learns_all_that_still_counts(world: MemoryPlatform) -> None:
    _, made = await create(world)
    await keys.revoke(world.tables, world.meter, made.id, now=NOW)
    for n in range(2100):
        await keys.revoke_token(world.tables, world.meter, f"c{n:04}", NOW + 60 + n % 2, now=NOW)
    empty = memory.platform(now=NOW + 60.5)
    assert await keys.load_marks(world.tables, empty.meter, now=NOW + 60.5) == 1051
    assert await denied(empty, made.hash)
    assert await denied(empty, "c0001")
    assert not await denied(empty, "c0000")


def test_a_token_is_known_by_what_it_signs() -> None:
    """Whoever holds an ECDSA signature can make a second one that is as good."""
    assert keys.hash_of("a.b.first") == keys.hash_of("a.b.second") != keys.hash_of("a.c.first")
    assert keys.hash_of("pk-x") != keys.hash_of("pk-y")
