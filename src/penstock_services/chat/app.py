"""The routes of the chat service."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from msgspec import Struct

from penstock.auth import calls
from penstock.errors import BadRequest, Failed, ModelNotFound
from penstock.ports import Platform
from penstock.wire import sse
from penstock.wire.http import Response
from penstock_services.callers import Callers
from penstock_services.chat.completing import FAILED, Completion, Events
from penstock_services.chat.conversations import Conversations, Exchange, limited
from penstock_services.chat.provider import Ask, Canned, Chat, OpenAI
from penstock_services.settings import Settings
from penstock_services.web import App, Call, Handler, Report, answer

ASK_BYTES = 1 << 20
MOST_MESSAGES = 500
MESSAGES = "Invalid messages"
FIELDS = "Missing required fields"


class Message(Struct):
    role: Literal["system", "user", "assistant"]
    content: str


class Completing(Struct):
    messages: list[Message]
    model: str | None = None
    stream: bool = False
    conversationId: str | None = None
    temperature: float | None = None
    max_tokens: int | None = None


class Begin(Struct):
    title: str = ""
    model: str = ""


class Change(Struct):
    title: str | None = None
    pinned: bool | None = None


class ChatService:
    """The handlers; each begins with who asks."""

    def __init__(
        self, world: Platform, callers: Callers, chat: Chat, models: tuple[str, ...]
    ) -> None:
        self._world = world
        self._callers = callers
        self._chat = chat
        self._models = models
        self._conversations = Conversations(world)

    async def complete(self, call: Call) -> Response:
        owner = await self._owner(call)
        asked = await call.read(Completing, MESSAGES, ASK_BYTES)
        if not 0 < len(asked.messages) <= MOST_MESSAGES:
            raise BadRequest(f"Send 1 to {MOST_MESSAGES} messages.", text=MESSAGES)
        completion = await self._begun(owner, asked, call.request.header(calls.NAME) or "")
        if asked.stream:
            return Response(200, sse.HEADERS, Events(completion, self._world.clock.now))
        try:
            while await completion.next() is not None:
                continue
            return answer(await completion.whole(self._world.clock.now()))
        except Failed as error:
            error.text = FAILED
            raise
        finally:
            await completion.answer.aclose()

    async def _begun(self, owner: str, asked: Completing, mark: str) -> Completion:
        id = asked.conversationId
        before = await self._conversations.context(owner, id) if id else []
        model = self._named(asked.model)
        said = [{"role": one.role, "content": one.content} for one in asked.messages]
        given = {"temperature": asked.temperature, "max_tokens": asked.max_tokens}
        options = {name: value for name, value in given.items() if value is not None}

        async def keep(exchange: Exchange) -> None:
            if id:
                await self._conversations.keep(owner, id, exchange)

        try:
            begun = await self._chat.begin(Ask(model, [*before, *said], options, mark))
        except Failed as error:
            error.text = FAILED
            raise
        return Completion(self._chat, model, said[-1]["content"], begun, keep)

    async def begin(self, call: Call) -> Response:
        owner = await self._owner(call)
        asked = await call.read(Begin, FIELDS)
        model = self._named(asked.model)
        return answer(await self._conversations.begin(owner, asked.title, model), 201)

    async def page(self, call: Call) -> Response:
        owner = await self._owner(call)
        query = call.query("cursor", "limit")
        limit = limited(query.get("limit", ""))
        return answer(await self._conversations.page(owner, query.get("cursor", ""), limit))

    async def get(self, call: Call) -> Response:
        """With its first messages; the rest by their cursor."""
        owner = await self._owner(call)
        found = await self._conversations.get(owner, call.parts[0])
        said = await self._conversations.messages(owner, call.parts[0], "", limited(""))
        return answer(found | said)

    async def messages(self, call: Call) -> Response:
        owner = await self._owner(call)
        query = call.query("cursor", "limit")
        limit = limited(query.get("limit", ""))
        cursor = query.get("cursor", "")
        return answer(await self._conversations.messages(owner, call.parts[0], cursor, limit))

    async def change(self, call: Call) -> Response:
        owner = await self._owner(call)
        asked = await call.read(Change, FIELDS)
        changed = self._conversations.change(owner, call.parts[0], asked.title, asked.pinned)
        return answer(await changed)

    async def delete(self, call: Call) -> Response:
        await self._conversations.delete(await self._owner(call), call.parts[0])
        return answer({"deleted": True})

    def _named(self, model: str | None) -> str:
        """A model that callers may have: it is not theirs to pick the dearest there is."""
        if model in (None, "", "auto"):
            return self._models[0]
        assert model is not None
        if model not in self._models and self._chat.name != "sandbox":
            raise ModelNotFound(f"The chat service answers as {', '.join(self._models)}.")
        return model

    async def _owner(self, call: Call) -> str:
        return (await self._callers.identify(call.request)).owner


def made(world: Platform, settings: Settings, report: Report) -> App:
    """The service as a `Fetch`."""
    chat: Chat = Canned()
    if settings.openai_key:
        chat = OpenAI(world.fetch, settings.openai_key, settings.openai_url, settings.gateway_url)
    service = ChatService(world, Callers(settings.taken, world), chat, settings.chat_models)
    routes: Mapping[str, Handler] = {
        "POST /api/chat/completions": service.complete,
        "POST /api/chat/conversations": service.begin,
        "GET /api/chat/conversations": service.page,
        "GET /api/chat/conversations/{id}": service.get,
        "GET /api/chat/conversations/{id}/messages": service.messages,
        "PATCH /api/chat/conversations/{id}": service.change,
        "DELETE /api/chat/conversations/{id}": service.delete,
        "GET /api/ai/chat/{id}": service.get,
    }
    return App(world, routes, report)
