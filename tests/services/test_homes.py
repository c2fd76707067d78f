"""The services on their real databases: SQLite in a file, and PostgreSQL, which agree on what happens."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from penstock.auth import base64url
from penstock.errors import Misconfigured
from penstock.ports import Tables
from penstock_services import storage
from tests.services.home import Auth, secret
from tests.services.test_billing import Billing
from tests.services.test_chat import DONE, KEY, QUESTION, USAGE, Chat, answering, chunk
from tests.stores import PostgresServer

Open = Callable[[str], AbstractAsyncContextManager[Tables]]


@pytest.fixture(params=["sqlite", "postgres"])
def home(request: pytest.FixtureRequest, tmp_path: Path) -> Open:
    """Opens a service's tables; those of the same name are the same again."""
    if request.param == "sqlite":
        return lambda name: storage.opened(name, tmp_path / "data", "")
    server: PostgresServer = request.getfixturevalue("postgres_server")
    addresses: dict[str, str] = {}

    def opened(name: str) -> AbstractAsyncContextManager[Tables]:
        if name not in addresses:
            addresses[name] = server.database()
        return storage.opened(name, tmp_path / "data", addresses[name])

    return opened


@pytest.fixture
async def on_home(home: Open, tmp_path: Path) -> AsyncIterator[Auth]:
    async with home("auth") as tables:
        auth = Auth(tmp_path, alone=True, tables=tables)
        yield auth
        auth.passwords.close()


async def test_accounts_and_sessions(on_home):
    entered = await on_home.verified()
    await on_home.register("ada@example.com", "password of a squatter")
    assert "You have an account" in (await on_home.letters())[-1]
    for _ in range(5):
        assert (await on_home.login(password="wrong password")).status == 401
    assert (await on_home.login()).status == 401
    await on_home.ask("POST /api/auth/forgot-password", {"email": "ada@example.com"})
    token = secret((await on_home.letters())[-1])
    body = {"token": token, "password": "a new password"}
    assert (await on_home.ask("POST /api/auth/reset-password", body)).status == 200
    assert (await on_home.refresh(entered["refreshToken"])).status == 401
    again = (await on_home.login(password="a new password")).json
    replies = await asyncio.gather(*(on_home.refresh(again["refreshToken"]) for _ in range(4)))
    assert sorted(reply.status for reply in replies) == [200, 401, 401, 401]
    [won] = [reply.json for reply in replies if reply.status == 200]
    assert (await on_home.refresh(won["refreshToken"])).status == 401
    last = (await on_home.login(password="a new password")).json
    assert (await on_home.ask("GET /api/auth/me", token=last["token"])).status == 200
    assert (await on_home.ask("POST /api/auth/logout", token=last["token"])).status == 200
    assert (await on_home.ask("GET /api/auth/me", token=last["token"])).status == 401
    on_home.clock.advance(61 * 24 * 3600)
    assert len((await on_home.ask("GET /api/auth/jwks.json")).json["keys"]) == 2


async def test_many_guesses_at_once_are_no_more_than_the_few(on_home):
    await on_home.verified()
    guesses = [on_home.login(password=f"guess number {n}") for n in range(10)]
    *_, last = await asyncio.gather(*guesses, on_home.login())
    assert last.status == 401


async def test_conversations(home):
    async with home("chat") as tables:
        chat = Chat(tables=tables)
        ids = [await chat.begun() for _ in range(3)]
        body = QUESTION | {"conversationId": ids[0]}
        replies = await asyncio.gather(
            *(chat.ask("POST /api/chat/completions", body) for _ in range(4))
        )
        assert [reply.status for reply in replies] == [200] * 4
        kept = (await chat.ask(f"GET /api/chat/conversations/{ids[0]}")).json
        assert [one["role"] for one in kept["messages"]] == ["user", "assistant"] * 4
        await chat.ask(f"PATCH /api/chat/conversations/{ids[2]}", {"title": "x", "pinned": True})
        await chat.ask(f"DELETE /api/chat/conversations/{ids[1]}")
        page = (await chat.ask("GET /api/chat/conversations?limit=1")).json
        assert [one["id"] for one in page["conversations"]] == [ids[2]]
        route = f"GET /api/chat/conversations?cursor={page['nextCursor']}"
        assert [one["id"] for one in (await chat.ask(route)).json["conversations"]] == [ids[0]]


async def test_subscriptions(home, on_home):
    entered = await on_home.verified()
    id = entered["user"]["id"]
    async with home("billing") as tables:
        billing = Billing(on_home, tables)
        told = await billing.subscribed(id)
        body = billing.stripe.event("customer.subscription.updated", told)
        replies = await asyncio.gather(*(billing.hook(body) for _ in range(3)))
        assert sorted(reply.json["duplicate"] for reply in replies) == [False, True, True]
        await billing.tell("invoice.paid", {"id": "in_1", "customer": told["customer"]})
        [payment] = (await billing.ask("GET /api/billing/payments", sub=id)).json["payments"]
        assert payment["status"] == "SUCCEEDED"
        assert await billing.tier(id) == "pro"
        assert (await billing.ask("POST /api/billing/cancel", sub=id)).status == 200
    assert (await on_home.login()).json["user"]["tier"] == "pro"


async def test_what_a_database_cannot_hold_is_refused(home, on_home):
    assert (await on_home.login("a\0@example.com")).status == 400
    async with home("chat") as tables, home("billing") as more:
        chat, billing = Chat(tables=tables), Billing(on_home, more)
        id = await chat.begun()
        body = {"messages": [{"role": "user", "content": "a\0b"}], "conversationId": id}
        assert (await chat.ask("POST /api/chat/completions", body)).status == 400
        body["messages"] = [{"role": "user", "content": "a\\u0000b"}]
        assert (await chat.ask("POST /api/chat/completions", body)).status == 200
        assert (await chat.ask("GET /api/chat/conversations/a%00b")).status == 404
        cursor = base64url.encode(b"1.1.a\0")
        listed = await chat.ask(f"GET /api/chat/conversations?cursor={cursor}")
        assert (listed.status, listed.json["code"]) == (400, "invalid_cursor")
        cursor = base64url.encode(b"1.a\0")
        paid = await billing.ask(f"GET /api/billing/payments?cursor={cursor}")
        assert (paid.status, paid.json["code"]) == (400, "invalid_cursor")
        odd = await billing.tell("invoice.paid", {"id": "in_\0", "customer": "x"})
        assert odd.status == 400


async def test_what_a_model_says_is_kept_whatever_it_is(home):
    async with home("chat") as tables:
        handler, _ = answering(chunk("a\0b"), USAGE, DONE)
        chat = Chat(handler, tables=tables, **KEY)
        id = await chat.begun()
        body = QUESTION | {"conversationId": id}
        reply = await chat.ask("POST /api/chat/completions", body)
        assert reply.json["message"]["content"] == "ab"


async def test_what_was_written_is_there_again(home, tmp_path):
    for reopened in (False, True):
        async with home("auth") as tables:
            auth = Auth(tmp_path, tables=tables)
            if not reopened:
                await auth.verified()
            assert (await auth.login()).status == 200
            auth.passwords.close()


async def test_a_database_out_of_reach_is_named_by_its_setting(tmp_path):
    with pytest.raises(
        Misconfigured, match=r"AUTH_DATABASE_URL: 127\.0\.0\.1:1/x cannot be reached"
    ):
        async with storage.opened("auth", tmp_path, "postgresql://me:secret@127.0.0.1:1/x"):
            raise AssertionError("it was opened")
