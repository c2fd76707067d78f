"""The chat service: answers with their usage and cost, streams, and conversations that are their owner's alone."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from load.fake_provider import FakeProvider
from penstock.auth.mint import mint
from penstock.platforms.http import Http
from penstock.platforms.memory.world import Handler
from penstock.ports import Tables
from penstock.wire.http import Request, Response
from penstock_services import settings
from penstock_services.chat.app import made
from penstock_services.chat.conversations import titled
from tests.services.home import SECRET, SHARED, Reply, ask, never, world

QUESTION = {"messages": [{"role": "user", "content": "Why is the sky blue?"}]}
KEY: dict[str, Any] = {"OPENAI_API_KEY": "sk-test", "OPENAI_BASE_URL": "http://openai.test/v1"}


class Chat:
    """The service, and callers of it."""

    def __init__(
        self,
        handler: Handler | None = None,
        fetch: Any = None,
        tables: Tables | None = None,
        **env: str,
    ) -> None:
        self.world = world("chat", handler, tables)
        if fetch is not None:
            object.__setattr__(self.world, "fetch", fetch)
        self.app = made(self.world, settings.read(env, None, SHARED), never)  # type: ignore[arg-type]  # no folder is used

    def token(self, sub: str = "ada", **claims: Any) -> str:
        named = {"sub": sub, "iss": SHARED.issuer, "aud": SHARED.audience, **claims}
        return mint(named, SECRET, now=self.world.clock.now())

    async def ask(self, route: str, body: Any = None, sub: str = "ada", **claims: Any) -> Reply:
        return await ask(self.app, route, body, token=self.token(sub, **claims))

    async def begun(self, title: str = "", sub: str = "ada") -> str:
        reply = await self.ask("POST /api/chat/conversations", {"title": title}, sub)
        assert reply.status == 201
        self.world.clock.advance(1)
        return str(reply.json["id"])


class Body:
    """A stream of these pieces, and whether it was closed."""

    def __init__(self, *pieces: bytes) -> None:
        self.pieces = list(pieces)
        self.closed = False

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        if not self.pieces:
            raise StopAsyncIteration
        return self.pieces.pop(0)

    async def aclose(self) -> None:
        self.closed = True


def chunk(text: str) -> bytes:
    return b"data: " + json.dumps({"choices": [{"delta": {"content": text}}]}).encode() + b"\n\n"


USAGE = b'data: {"choices":[],"usage":{"prompt_tokens":1000,"completion_tokens":200}}\n\n'
DONE = b"data: [DONE]\n\n"


def answering(*pieces: bytes, status: int = 200) -> tuple[Callable[[Request], Response], Body]:
    body = Body(*pieces)
    return (lambda request: Response(status, [], body)), body


def events(body: bytes) -> list[str]:
    return [event.removeprefix("data: ") for event in body.decode().split("\n\n") if event]


async def test_without_a_provider_the_answer_says_what_it_is():
    chat = Chat()
    reply = await chat.ask("POST /api/chat/completions", QUESTION)
    assert reply.status == 200
    said = reply.json
    assert said["message"]["content"].startswith("[sandbox] ")
    assert said["provider"] == "sandbox"
    assert said["tokens"] == said["usage"]["input"] + said["usage"]["output"]
    assert said["cost"] == 0


async def test_an_answer_carries_the_providers_usage_and_what_it_cost():
    handler, body = answering(chunk("Because of "), chunk("Rayleigh."), USAGE, DONE)
    chat = Chat(handler, **KEY)
    said = (await chat.ask("POST /api/chat/completions", QUESTION)).json
    assert said["message"] == {"role": "assistant", "content": "Because of Rayleigh."}
    assert (said["model"], said["provider"]) == ("gpt-4o", "openai")
    assert said["usage"] == {"input": 1000, "output": 200}
    assert said["tokens"] == 1200
    assert said["cost"] == 0.0045  # 1000 at $2.50 and 200 at $10 a million
    assert body.closed
    [request] = chat.world.fetch.requests
    assert request.header("authorization") == "Bearer sk-test"
    assert "ada" not in json.dumps(list(request.headers))


async def test_a_stream_is_pieces_then_the_whole_reply_then_done():
    handler, body = answering(chunk("Because"), chunk(" so"), USAGE, DONE)
    chat = Chat(handler, **KEY)
    reply = await chat.ask("POST /api/chat/completions", QUESTION | {"stream": True})
    assert reply.headers["content-type"].startswith("text/event-stream")
    *pieces, whole, done = events(reply.body)
    assert [json.loads(piece) for piece in pieces] == [{"delta": "Because"}, {"delta": " so"}]
    assert json.loads(whole)["message"]["content"] == "Because so"
    assert json.loads(whole)["cost"] == 0.0045
    assert done == "[DONE]"
    assert body.closed


@pytest.mark.parametrize(
    "end", [b"", b'data: {"error":{"message":"secret of theirs"}}\n\n', b"data: {broken\n\n"]
)
async def test_a_stream_that_fails_says_so_and_not_done(end):
    handler, body = answering(chunk("Because"), end)
    chat = Chat(handler, **KEY)
    reply = await chat.ask("POST /api/chat/completions", QUESTION | {"stream": True})
    piece, error = events(reply.body)
    assert json.loads(piece) == {"delta": "Because"}
    assert json.loads(error)["error"]["message"] == "Chat completion failed"
    assert b"secret" not in reply.body
    assert body.closed


async def test_a_provider_that_refuses_is_a_failure_without_its_words():
    handler, body = answering(b'{"error":{"message":"key sk-test is wrong"}}', status=401)
    chat = Chat(handler, **KEY)
    reply = await chat.ask("POST /api/chat/completions", QUESTION)
    assert reply.status == 502
    assert reply.json["error"] == "Chat completion failed"
    assert b"sk-test" not in reply.body
    assert body.closed


async def test_a_reader_who_leaves_closes_the_provider():
    handler, body = answering(chunk("Because"), chunk(" so"), USAGE, DONE)
    chat = Chat(handler, **KEY)
    request = Request(
        "POST", b"/api/chat/completions", "/api/chat/completions", "",
        [("authorization", f"Bearer {chat.token()}")], "test",
        json.dumps(QUESTION | {"stream": True}).encode(),
    )  # fmt: skip
    response = await chat.app(request)
    assert not isinstance(response.body, bytes)
    await anext(response.body)
    await response.aclose()
    assert body.closed


async def test_one_who_is_cancelled_and_asks_again_misses_nothing():
    gate = asyncio.Event()

    class Gated(Body):
        async def __anext__(self) -> bytes:
            await gate.wait()
            return await super().__anext__()

    body = Gated(chunk("Because"), USAGE, DONE)
    chat = Chat(lambda request: Response(200, [], body), **KEY)
    request = Request(
        "POST", b"/", "/api/chat/completions", "",
        [("authorization", f"Bearer {chat.token()}")], "test",
        json.dumps(QUESTION | {"stream": True}).encode(),
    )  # fmt: skip
    stream = (await chat.app(request)).body
    assert not isinstance(stream, bytes)
    waiting = asyncio.ensure_future(anext(stream))
    await asyncio.sleep(0)
    waiting.cancel()
    gate.set()
    assert await anext(stream) == b'data: {"delta":"Because"}\n\n'
    await stream.aclose()


async def test_callers_have_the_models_that_are_configured():
    handler, _ = answering(chunk("Hi"), USAGE, DONE)
    chat = Chat(handler, CHAT_MODELS="gpt-4o-mini, gpt-4o", **KEY)
    refused = await chat.ask("POST /api/chat/completions", QUESTION | {"model": "o1-pro"})
    assert (refused.status, refused.json["code"]) == (404, "model_not_found")
    taken = await chat.ask("POST /api/chat/completions", QUESTION | {"model": "gpt-4o"})
    assert taken.json["model"] == "gpt-4o"


async def test_through_a_real_connection_to_the_fake_provider():
    with FakeProvider() as provider:
        http = Http()
        chat = Chat(fetch=http, OPENAI_API_KEY="sk-x", OPENAI_BASE_URL=f"{provider.url}/v1")
        said = (await chat.ask("POST /api/chat/completions", QUESTION)).json
        await http.close()
    assert said["usage"]["output"] > 0
    assert said["cost"] > 0


async def test_a_conversation_is_kept_and_goes_along():
    asked: list[Any] = []

    def handler(request: Request) -> Response:
        assert isinstance(request.body, bytes)
        asked.append(json.loads(request.body)["messages"])
        return Response(200, [], Body(chunk("Because so."), USAGE, DONE))

    chat = Chat(handler, **KEY)
    id = await chat.begun()
    for question in ("Why is the sky blue?", "And at night?"):
        body = {"messages": [{"role": "user", "content": question}], "conversationId": id}
        assert (await chat.ask("POST /api/chat/completions", body)).status == 200
    assert [message["content"] for message in asked[1]] == [
        "Why is the sky blue?", "Because so.", "And at night?",
    ]  # fmt: skip
    kept = (await chat.ask(f"GET /api/chat/conversations/{id}")).json
    assert kept["title"] == "Why is the sky blue?"
    assert [(m["role"], m["content"]) for m in kept["messages"]] == [
        ("user", "Why is the sky blue?"), ("assistant", "Because so."),
        ("user", "And at night?"), ("assistant", "Because so."),
    ]  # fmt: skip
    assert kept["messages"][1]["cost"] == 0.0045
    assert (await chat.ask(f"GET /api/ai/chat/{id}")).json == kept


async def test_of_a_long_conversation_only_the_end_goes_along():
    asked: list[int] = []

    def handler(request: Request) -> Response:
        assert isinstance(request.body, bytes)
        asked.append(len(request.body))
        return Response(200, [], Body(chunk("x" * 90_000), USAGE, DONE))

    chat = Chat(handler, **KEY)
    id = await chat.begun()
    for _ in range(5):
        body = {"messages": [{"role": "user", "content": "Go on."}], "conversationId": id}
        assert (await chat.ask("POST /api/chat/completions", body)).status == 200
    assert max(asked) < 210_000
    assert asked[-1] > 180_000


async def test_an_answer_that_failed_is_not_kept():
    handler, _ = answering(chunk("Because"))
    chat = Chat(handler, **KEY)
    id = await chat.begun()
    body = QUESTION | {"conversationId": id}
    assert (await chat.ask("POST /api/chat/completions", body)).status == 502
    assert (await chat.ask(f"GET /api/chat/conversations/{id}")).json["messages"] == []


async def test_anothers_conversation_is_one_that_is_not_there():
    chat = Chat()
    id = await chat.begun("mine")
    routes = [
        (f"GET /api/chat/conversations/{id}", None),
        (f"GET /api/chat/conversations/{id}/messages", None),
        (f"GET /api/ai/chat/{id}", None),
        (f"PATCH /api/chat/conversations/{id}", {"title": "yours"}),
        (f"PATCH /api/chat/conversations/{id}", {"pinned": True}),
        (f"DELETE /api/chat/conversations/{id}", None),
        ("POST /api/chat/completions", QUESTION | {"conversationId": id}),
    ]
    for route, body in routes:
        bare = json.loads(json.dumps(body).replace(id, "con_nothing"))
        for claims in ({"sub": "eve"}, {"sub": "ada", "tenant": "other"}):
            theirs = await chat.ask(route, body, **claims)
            never_was = await chat.ask(route.replace(id, "con_nothing"), bare, **claims)
            assert theirs.status == 404
            assert theirs.body == never_was.body
    assert (await chat.ask(f"GET /api/chat/conversations/{id}")).json["title"] == "mine"
    assert (await chat.ask("GET /api/chat/conversations", sub="eve")).json["conversations"] == []


async def test_conversations_are_renamed_pinned_and_deleted():
    chat = Chat()
    ids = [await chat.begun(f"number {n}") for n in range(3)]
    changed = await chat.ask(
        f"PATCH /api/chat/conversations/{ids[0]}", {"title": "first", "pinned": True}
    )
    assert (changed.json["title"], changed.json["pinned"]) == ("first", True)
    assert (await chat.ask(f"DELETE /api/chat/conversations/{ids[1]}")).json == {"deleted": True}
    assert (await chat.ask(f"DELETE /api/chat/conversations/{ids[1]}")).status == 404
    listed = (await chat.ask("GET /api/chat/conversations")).json["conversations"]
    assert [one["id"] for one in listed] == [ids[0], ids[2]]
    rows = await chat.world.tables.rows("select count(*) from conversations")
    assert rows[0] == (3,)


async def test_lists_go_on_where_their_cursor_stands():
    chat = Chat()
    ids = [await chat.begun() for _ in range(7)]
    await chat.ask(f"PATCH /api/chat/conversations/{ids[2]}", {"pinned": True})
    seen, cursor = [], ""
    while cursor is not None:
        page = (await chat.ask(f"GET /api/chat/conversations?limit=3&cursor={cursor}")).json
        seen += [one["id"] for one in page["conversations"]]
        cursor = page["nextCursor"]
    assert seen == [ids[2], *[id for id in reversed(ids) if id != ids[2]]]


async def test_messages_go_on_where_their_cursor_stands():
    chat = Chat()
    id = await chat.begun()
    for _ in range(3):
        await chat.ask("POST /api/chat/completions", QUESTION | {"conversationId": id})
    seen, cursor = [], ""
    while cursor is not None:
        route = f"GET /api/chat/conversations/{id}/messages?limit=4&cursor={cursor}"
        page = (await chat.ask(route)).json
        seen += [one["role"] for one in page["messages"]]
        cursor = page["nextCursor"]
    assert seen == ["user", "assistant"] * 3


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({}, "Invalid messages"),
        ({"messages": []}, "Invalid messages"),
        ({"messages": "hello"}, "Invalid messages"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "Invalid messages"),
        ({"messages": [{"role": "user", "content": 1}]}, "Invalid messages"),
        (b"{", "Bad Request"),
    ],
)
async def test_bad_messages_are_refused(body, text):
    reply = await Chat().ask("POST /api/chat/completions", body)
    assert (reply.status, reply.json["error"]) == (400, text)


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=101", "limit=x", "cursor=!!", "cursor=YQ", "x=1"]
)
async def test_bad_queries_are_refused(query):
    assert (await Chat().ask(f"GET /api/chat/conversations?{query}")).status == 400


async def test_it_checks_the_token_itself():
    chat = Chat()
    assert (await ask(chat.app, "POST /api/chat/completions", QUESTION)).status == 401
    forged = mint(
        {"sub": "ada"}, "another secret of more than 32 bytes", now=chat.world.clock.now()
    )
    assert (await ask(chat.app, "POST /api/chat/completions", QUESTION, token=forged)).status == 401
    token = chat.token()
    chat.world.clock.advance(3601)
    assert (await ask(chat.app, "POST /api/chat/completions", QUESTION, token=token)).status == 401


def test_titles_are_cut_between_words():
    assert titled("  Short\n one ") == "Short one"
    long = titled("word " * 40)
    assert long.endswith("word…")
    assert len(long) <= 60
    assert len(titled("x" * 100)) == 60
