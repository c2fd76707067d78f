"""Purges over HTTP: what is named as people write it is forgotten, and what names nothing is refused."""

from __future__ import annotations

import pytest

from tests.path.world import World, body

KEY = "chat:" + "0" * 64


async def purge(world: World, query: str) -> tuple[int, dict]:
    admin = world.token("root", role="admin")
    response = await world.ask("/admin/cache", method="DELETE", query=query, token=admin)
    return response.status, await body(response)


async def cached(world: World, **claims: str) -> str | None:
    return (await world.chat(token=world.token(**claims))).header("x-penstock-cache")


async def key_shown(world: World) -> str:
    """The key of the last request, as `penstock explain` shows it."""
    await world.gateway.journal.flush()
    found = await world.platform.tables.rows(
        "select json_extract(record, '$.cache_key') from decisions order by request_id"
    )
    return str(found[-1][0])


async def test_a_key_is_purged_as_explain_shows_it_however_often_it_was_before() -> None:
    world = World()
    for _ in range(3):
        assert [await cached(world), await cached(world)] == ["miss", "hit"]
        status, _ = await purge(world, f"key={await key_shown(world)}")
        assert status == 200
    assert (await key_shown(world)).endswith(".2")
    assert await cached(world) == "miss"


@pytest.mark.parametrize(
    ("claims", "owner"),
    [
        ({}, "alice"),
        ({}, "default/alice"),
        ({}, "default%2Falice"),
        ({"sub": "auth0|x y"}, "auth0|x%20y"),
        ({"sub": "auth0|x y"}, "auth0%7Cx+y"),
        ({"sub": "a/b"}, "default/a/b"),
        ({"tenant": "my team"}, "my%20team/alice"),
        ({"tenant": "my team"}, "my+team/alice"),
        ({"tenant": "a&b"}, "a%26b/alice"),
    ],
)
async def test_an_owner_is_written_as_people_write_it(claims: dict[str, str], owner: str) -> None:
    world = World()
    assert [await cached(world, **claims), await cached(world, **claims)] == ["miss", "hit"]
    assert (await purge(world, f"owner={owner}"))[0] == 200
    assert await cached(world, **claims) == "miss"


@pytest.mark.parametrize(
    ("query", "param", "named"),
    [
        ("kind=answers", "kind", "chat, embed"),
        ("kind=Chat", "kind", "chat, embed"),
        ("key=abc", "key", "explain"),
        (f"key={KEY}.x", "key", "explain"),
        (f"key=tag{KEY[4:]}", "key", "explain"),
        (f"kind=chat&key={KEY[:-1]}", "key", "explain"),
    ],
)
async def test_what_names_nothing_is_refused(query: str, param: str, named: str) -> None:
    world = World()
    status, told = await purge(world, query)
    assert (status, told["code"], told["param"]) == (400, "invalid_field", param)
    assert named in told["detail"]
    assert await world.platform.tables.rows("select scope from generations") == []
