"""A gateway whose callers ask their documents, and a model that answers as a test says."""

from __future__ import annotations

import json
from typing import Any

from penstock.errors import Error
from penstock.wire.http import Request, Response
from tests.path.documents import BY_WORDS, Documents
from tests.path.world import body, payloads, pieces, read, streamed, whole

QUERY = "/api/rag/query"
MODEL = """
[providers.two]
kind = "openai"
base_url = "http://two.test/v1"
api_key = "sk-two"
[[targets]]
provider = "two"
model = "gpt-4o-mini"
[[targets]]
provider = "two"
model = "gpt-4o"
[routes.auto]
policy = "heuristic"
simple = "two/gpt-4o-mini"
medium = "two/gpt-4o-mini"
strong = "two/gpt-4o"
"""
CANNED = MODEL.replace(
    'kind = "openai"\nbase_url = "http://two.test/v1"\napi_key = "sk-two"', 'kind = "sandbox"'
)
EATS = "What does a walrus eat?"
SAYS = "It eats clams [1]."


class Asking(Documents):
    """`says` are the pieces of what the model answers, or what becomes of the call."""

    def __init__(self, more: str = MODEL, *, dense: bool = False) -> None:
        self.says: list[str] | Error | Response = [SAYS]
        # Where there has to be a model that embeds, the sandbox does not come by itself.
        super().__init__(more if more or BY_WORDS else CANNED, dense=dense)

    def embedded(self, request: Request) -> Response:
        if not request.target.endswith(b"/chat/completions"):
            return super().embedded(request)
        if isinstance(self.says, Error):
            raise self.says
        if isinstance(self.says, Response):
            return self.says
        assert isinstance(request.body, bytes)
        if json.loads(request.body).get("stream"):
            return streamed(pieces(*self.says))
        return whole("".join(self.says))

    async def query(self, question: str = EATS, **more: Any) -> Response:
        how = {name: more.pop(name) for name in ("token", "headers") if name in more}
        return await self.ask(QUERY, {"question": question, **more}, **how)

    async def answer(self, question: str = EATS, **more: Any) -> Any:
        return await body(await self.query(question, **more))

    async def stream(self, question: str = EATS, **more: Any) -> list[Any]:
        return payloads(await read(await self.query(question, stream=True, **more)))

    @property
    def chats(self) -> list[Any]:
        """What the model was asked."""
        return [
            json.loads(request.body)
            for request in self.platform.fetch.requests
            if request.target.endswith(b"/chat/completions") and isinstance(request.body, bytes)
        ]
