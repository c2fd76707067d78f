"""What `/v1/models` lists, and what it must not: names that a caller made up."""

from __future__ import annotations

import pytest

from penstock.routing.routes import MOST_MADE
from tests.path.world import World, body

ANY = """
[providers.house]
kind = "openai"
base_url = "http://house.test/v1"
any_model = true
[aliases]
cheapest = "cheap/gpt-4o-mini"
smart = "auto"
"""


async def listed(world: World, sub: str = "alice") -> list[str]:
    response = await world.get("/v1/models", token=world.token(sub))
    return [model["id"] for model in (await body(response))["data"]]


async def test_routes_aliases_and_targets_are_listed_once_each() -> None:
    names = await listed(World(more=ANY))
    assert names[:2] == ["auto", "embed"]
    assert {"cheapest", "smart", "cheap/gpt-4o-mini", "dear/gpt-4o"} <= set(names)
    assert len(names) == len(set(names))


async def test_an_alias_is_found_by_its_name_and_answers() -> None:
    world = World(more=ANY)
    found = await body(await world.get("/v1/models/cheapest"))
    assert (found["id"], found["owned_by"]) == ("cheapest", "penstock")
    response = await world.chat(model="cheapest")
    assert response.header("x-penstock-target") == "cheap/gpt-4o-mini"
    assert (await world.chat(model="smart")).status == 200


async def test_a_name_that_one_caller_made_up_is_nobodys_to_see() -> None:
    world = World(more=ANY)
    before = await listed(world)
    assert (await world.chat(model="house/my-secret-project")).status == 200
    assert await listed(world, "bob") == before
    assert (await world.get("/v1/models/house/my-secret-project")).status == 404


async def test_made_up_names_never_use_up_the_place_of_others() -> None:
    world = World(more=ANY)
    find = world.gateway.names.routes.find
    for number in range(MOST_MADE + 10):
        find(f"house/m{number}", "chat")
    response = await world.chat(model="house/one-more")
    assert response.header("x-penstock-target") == "house/one-more"


@pytest.mark.parametrize(("first", "second"), [("chat", "embed"), ("embed", "chat")])
async def test_a_made_up_name_serves_each_verb_whichever_came_first(first, second) -> None:
    find = World(more=ANY).gateway.names.routes.find
    assert find("house/both", first).offers[0].target.verb == first
    assert find("house/both", second).offers[0].target.verb == second
