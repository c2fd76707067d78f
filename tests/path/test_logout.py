"""What a logout ends: the token, at once and on every process, once the service has said that it is done."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest

from penstock.auth import keys
from penstock.errors import Unavailable
from penstock.gateway import build
from penstock.gateway.upkeep import upkeep
from penstock.wire.http import Request, Response
from tests.path.test_accounts import AUTH, People, answering, problem


async def test_a_logout_ends_the_token_everywhere():
    world = People()
    world.answer = lambda request: Response(200, [], b'{"success":true}')
    token, other = world.token("alice"), world.token("alice", jti="another")
    elsewhere = build(world.gateway.config, world.platform, world.gateway.report)
    for gateway in (world.gateway, elsewhere):
        world.gateway, here = gateway, world.gateway
        assert (await world.get("/api/usage", token=token)).status == 200
        world.gateway = here
    assert (await world.post("logout", token=token)).status == 200
    assert world.sent("authorization") == [f"Bearer {token}"]
    for gateway in (world.gateway, elsewhere):
        world.gateway = gateway
        refused = await world.get("/api/usage", token=token)
        assert await problem(refused) == (401, "Invalid token")
        assert (await world.get("/api/usage", token=other)).status == 200
    again = await world.post("logout", token=token)
    assert await problem(again) == (401, "Invalid token")
    rows = await world.platform.tables.rows("select until from revocations")
    assert [until // 1000 for (until,) in rows] == [int(world.platform.clock.now()) + 3600]


async def test_what_a_logout_wrote_is_dropped_when_it_says_nothing_any_more():
    world = People()
    world.answer = answering(200)
    await world.post("logout", token=world.token())
    held = "select count(*) from revocations"
    for hours, rows in ((1, 1), (24, 1), (1, 0)):
        world.platform.clock.advance(hours * 3_600)
        await upkeep(world.gateway)
        assert (await world.platform.tables.rows(held))[0][0] == rows


async def test_a_logout_that_is_called_public_is_a_logout_all_the_same():
    world = People(AUTH + 'public = ["login", "logout"]\n')
    world.answer = answering(200)
    token = world.token()
    assert (await world.post("logout", token=token)).status == 200
    assert (await world.get("/api/usage", token=token)).status == 401


@pytest.mark.parametrize("status", [401, 500])
async def test_a_logout_that_the_service_refused_ends_nothing(status):
    world = People()
    world.answer = lambda request: Response(status)
    token = world.token()
    assert (await world.post("logout", token=token)).status == status
    assert (await world.get("/api/usage", token=token)).status == 200


async def test_a_logout_whose_client_leaves_before_the_answer_ends_the_token_too():
    world = People()
    never = asyncio.Event()

    async def hang(request: Request) -> Response:
        await never.wait()
        return Response(200)

    world.answer = hang
    token = world.token()
    leaving = asyncio.ensure_future(world.post("logout", token=token))
    await world.reached(1)
    leaving.cancel()
    with suppress(asyncio.CancelledError):
        await leaving
    await world.platform.spawn.join()
    assert (await world.get("/api/usage", token=token)).status == 401


async def test_a_logout_without_a_good_token_goes_no_further():
    world = People()
    assert await problem(await world.post("logout", token="forged")) == (401, "Invalid token")
    assert world.seen == []


async def test_a_key_is_not_ended_by_a_logout():
    world = People()
    key, _ = await keys.create(
        world.platform.tables, world.platform.ids, now=world.platform.clock.now(), sub="robot"
    )
    world.answer = lambda request: Response(200)
    assert (await world.post("logout", token=key)).status == 200
    assert (await world.get("/api/usage", token=key)).status == 200


class Away:
    """Tables whose next batches are refused."""

    def __init__(self, tables: Any) -> None:
        self._tables = tables
        self.refused = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._tables, name)

    async def batch(self, *statements: Any) -> Any:
        if self.refused:
            self.refused -= 1
            raise Unavailable("The tables are out of reach.")
        return await self._tables.batch(*statements)


async def test_a_logout_is_not_confirmed_before_the_token_is_refused():
    world = People()
    world.answer = lambda request: Response(200)
    away: Any = Away(world.platform.tables)
    world.gateway.platform = replace(world.platform, tables=away)
    away.refused = 1
    token = world.token()
    reply = await world.post("logout", token=token)
    assert reply.status == 503
    # It was tried again behind the reply.
    await world.platform.clock.run(2)
    assert (await world.get("/api/usage", token=token)).status == 401
