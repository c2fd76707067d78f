"""Keys by the dashboard: what is shown of them, how they are made, and that a revoked one is one everywhere."""

from __future__ import annotations

from typing import Any

import pytest

from tests.path.dashboard import code
from tests.path.world import World, body


async def made(world: World, **fields: Any) -> dict[str, Any]:
    response = await world.ask("/admin/keys", {"name": "n", **fields}, token=admin(world))
    found: dict[str, Any] = await body(response)
    assert response.status == 201, found
    return found


def admin(world: World) -> str:
    return world.token("root", role="admin")


async def listed(world: World, query: str = "") -> dict[str, Any]:
    found: dict[str, Any] = await body(await world.get("/admin/keys", query, admin(world)))
    return found


async def test_a_key_is_shown_once_and_works_at_once() -> None:
    world = World()
    key = await made(
        world, sub="ann", tenant="acme", scopes=["chat", "usage"], tier="pro", expires="2027-03-01"
    )
    secret = key.pop("key")
    assert key | {"id": ""} == {
        "id": "", "name": "n", "tenant": "acme", "sub": "ann", "scopes": ["chat", "usage"], "tier": "pro",
        "created": "2027-01-15T08:00:00.000Z", "expires": "2027-03-01T00:00:00.000Z", "revoked": None,
    }  # fmt: skip
    assert (await listed(world)) == {"keys": [key], "next": None}
    assert (await world.chat("hi", token=secret)).status == 200
    assert (await world.get("/admin/keys", token=secret)).status == 403


async def test_what_is_left_out_has_its_default() -> None:
    key = await made(World(), name="laptop", expires=None, scopes=None)
    assert (key["sub"], key["tenant"], key["tier"], key["expires"]) == (
        "laptop",
        "default",
        "free",
        None,
    )
    assert key["scopes"] == ["chat", "embed", "rag"]


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"name": ""}, "name"), ({"name": 1}, "name"), ({"name": None}, "name"), ({"name": "x" * 129}, "name"),
        ({"name": "a\nb"}, "sub"), ({"sub": "x" * 257}, "sub"), ({"sub": ""}, "sub"), ({"tenant": "\0"}, "tenant"),
        ({"tenant": []}, "tenant"), ({"tier": "gold"}, "tier"), ({"scopes": []}, "scopes"), ({"scopes": "chat"}, "scopes"),
        ({"scopes": ["a b"]}, "scopes"), ({"scopes": [1]}, "scopes"), ({"scopes": ["x"] * 51}, "scopes"),
        ({"expires": "2020-01-01"}, "expires"), ({"expires": "soon"}, "expires"), ({"expires": 5}, "expires"),
        ({"expires": "9999-12-31T23:59:59-23:59"}, "expires"), ({"key": "pk-mine"}, "key"),
    ],
)  # fmt: skip
async def test_bad_fields_are_told_so(fields: dict[str, Any], param: str) -> None:
    world = World()
    response = await world.ask("/admin/keys", {"name": "n", **fields}, token=admin(world))
    told = await body(response)
    assert (response.status, told["code"], told["param"]) == (400, "invalid_field", param)
    assert (await listed(world))["keys"] == []


async def test_a_revoked_key_is_refused_from_the_next_request_on() -> None:
    world = World()
    key = await made(world)
    assert (await world.chat("hi", token=key["key"])).status == 200
    for _ in range(2):
        response = await world.ask(f"/admin/keys/{key['id']}", method="DELETE", token=admin(world))
        assert response.status == 204
        world.platform.clock.advance(1)
    assert (await world.chat("hi", token=key["key"])).status == 401
    (shown,) = (await listed(world))["keys"]
    assert shown["revoked"] == "2027-01-15T08:00:00.000Z"


@pytest.mark.parametrize(
    "id", ["key_nobody", "x", "key_", "key_\x00", "key_" + "a" * 100, "key_a/b", "key_é"]
)
async def test_there_is_no_such_key(id: str) -> None:
    world = World()
    response = await world.ask(f"/admin/keys/{id}", method="DELETE", token=admin(world))
    assert await code(response) == (404, "not_found")


async def test_pages_have_each_key_once_the_newest_first() -> None:
    world = World()
    ids = [(await made(world, tenant="acme" if n % 2 else "b"))["id"] for n in range(7)]
    found, before = [], ""
    while True:
        page = await listed(world, f"limit=3{before}")
        found += [one["id"] for one in page["keys"]]
        if page["next"] is None:
            break
        before = f"&before={page['next']}"
    assert found == ids[::-1]
    assert [one["id"] for one in (await listed(world, "tenant=acme"))["keys"]] == [
        ids[5],
        ids[3],
        ids[1],
    ]


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=201", "limit=x", "before=", "before=key_'", "before=doc_1", "tenant=", "colour=red",
     f"tenant={'x' * 201}"],
)  # fmt: skip
async def test_bad_questions_are_told_so(query: str) -> None:
    world = World()
    response = await world.get("/admin/keys", query, admin(world))
    assert await code(response) == (400, "invalid_field")


@pytest.mark.parametrize(("method", "path"), [("GET", ""), ("POST", ""), ("DELETE", "/key_1")])
async def test_only_an_admin_sees_or_changes_keys(method: str, path: str) -> None:
    world = World()
    for token, status in ((world.token("bob"), 403), (None, 401)):
        response = await world.ask(f"/admin/keys{path}", {}, method=method, token=token)
        assert response.status == status
