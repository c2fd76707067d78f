"""A gateway as the first design's front end meets it: Workers AI for what is cheap, OpenAI for what is strong."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from penstock.wire.http import JSON, Request, Response
from tests.path.world import SECRET, World, chunk, completion, streamed, usage

SMALL = "@cf/ibm-granite/granite-4.0-h-micro"
MEDIUM = "@cf/meta/llama-3.1-8b-instruct-fp8-fast"
BGE = "@cf/baai/bge-base-en-v1.5"
CONFIG = f"""
[auth]
issuers = [{{ mode = "hs256", secret = "{SECRET}" }}]
[providers.cloudflare]
kind = "workers_ai"
base_url = "http://cloudflare.test/client/v4"
account = "acc"
api_key = "cf-key"
max_batch = 100
free_neurons_per_day = 10_000
[providers.openai]
kind = "openai"
base_url = "http://openai.test/v1"
api_key = "sk-key"
[[targets]]
provider = "cloudflare"
model = "{SMALL}"
[[targets]]
provider = "cloudflare"
model = "{MEDIUM}"
[[targets]]
provider = "cloudflare"
model = "{BGE}"
verb = "embed"
dimension = 4
[[targets]]
provider = "openai"
model = "gpt-4o-mini"
[[targets]]
provider = "openai"
model = "gpt-4o"
"""
CHAT = "/api/ai/chat/completions"
ONE = "/api/ai/chat"
EMBED = "/api/ai/embeddings"
PER_WORD = 1_000
"""Tokens that the upstream counts for a word to embed: so many that prices show."""


class Product(World):
    """A world of CONFIG; `tokens` is what the upstream says a chat took."""

    def __init__(self, more: str = "", config: str = CONFIG) -> None:
        self.tokens = (10, 5)
        self.words = ["Hel", "lo!"]
        super().__init__(self.upstream, more=config + more, env={})

    def upstream(self, request: Request) -> Any:
        assert isinstance(request.body, bytes)
        asked = json.loads(request.body)
        if b"/ai/run/" not in request.target:
            return self._openai(asked)
        if "text" in asked:
            return cloudflare_vectors(asked["text"])
        if asked.get("stream"):
            said: list[Any] = [{"response": word} for word in self.words]
            said.append({"response": "", "usage": usage(*self.tokens)})
            lines = [b"data: " + json.dumps(one).encode() + b"\n\n" for one in said]
            return streamed([*lines, b"data: [DONE]\n\n"])
        return wrapped({"response": "".join(self.words), "usage": usage(*self.tokens)})

    def _openai(self, asked: dict[str, Any]) -> Response:
        if asked.get("stream"):
            end = {"choices": [], "usage": usage(*self.tokens)}
            parts = [chunk({"content": word}) for word in self.words]
            last = b"data: " + json.dumps(end).encode() + b"\n\n"
            return streamed([*parts, chunk({}, "stop"), last, b"data: [DONE]\n\n"])
        body = completion("".join(self.words)) | {"usage": usage(*self.tokens)}
        return Response(200, [JSON], json.dumps(body).encode())

    async def say(self, text: str = "hello", path: str = CHAT, **more: Any) -> Response:
        """A chat of the product face without a model named."""
        how = {name: more.pop(name) for name in ("token", "headers", "client") if name in more}
        body = {"message": text} if path == ONE else {"messages": [user(text)]}
        return await self.ask(path, body | more, **how)

    @property
    def sent(self) -> list[tuple[str, dict[str, Any]]]:
        """(host and path, body) of what went upstream."""
        found = []
        for request in self.platform.fetch.requests:
            assert isinstance(request.body, bytes)
            found.append(
                (request.target.decode().removeprefix("http://"), json.loads(request.body))
            )
        return found


def user(text: str) -> dict[str, str]:
    return {"role": "user", "content": text}


def wrapped(result: Any) -> Response:
    """Cloudflare's envelope."""
    whole = {"result": result, "success": True, "errors": [], "messages": []}
    return Response(200, [JSON], json.dumps(whole).encode())


def vector(text: str) -> list[float]:
    """A vector of the text's own."""
    return [len(text) / 64, ord(text[0]) / 128, ord(text[-1]) / 128, 1.0]


def close(given: Sequence[float]) -> Any:
    """Equal as far as float32 goes."""
    return pytest.approx(given, abs=1e-6)


def cloudflare_vectors(texts: list[str]) -> Response:
    words = sum(len(text.split()) for text in texts)
    result = {
        "shape": [len(texts), 4],
        "data": [vector(text) for text in texts],
        "usage": usage(words * PER_WORD, 0),
    }
    return wrapped(result)
