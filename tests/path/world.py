"""A whole gateway in this process: memory platform, scripted upstream, callers with tokens."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from penstock.auth.mint import mint
from penstock.config import decode, defaults
from penstock.gateway import Gateway, build
from penstock.platforms import memory
from penstock.platforms.memory import MemoryPlatform
from penstock.wire.http import Request, Response

SECRET = "path-tests-secret-of-more-than-32-bytes"
CONFIG = """
[auth]
issuers = [{ mode = "hs256", secret = "path-tests-secret-of-more-than-32-bytes" }]
[providers.cheap]
kind = "openai"
base_url = "http://cheap.test/v1"
api_key = "sk-cheap"
[providers.dear]
kind = "openai"
base_url = "http://dear.test/v1"
api_key = "sk-dear"
[[targets]]
provider = "cheap"
model = "gpt-4o-mini"
[[targets]]
provider = "dear"
model = "gpt-4o"
[[targets]]
provider = "cheap"
model = "text-embedding-3-small"
verb = "embed"
[routes.auto]
policy = "heuristic"
simple = "cheap/gpt-4o-mini"
medium = "cheap/gpt-4o-mini"
strong = "dear/gpt-4o"
[routes.embed]
verb = "embed"
targets = ["cheap/text-embedding-3-small"]
[tiers.free]
requests_per_hour = 100
"""

Upstream = Callable[[Request], Any]


@dataclass
class Script:
    """An upstream's body that a test feeds; says whether it was closed."""

    parts: Sequence[bytes | BaseException]
    closed: bool = False
    read: int = field(default=0)

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        if self.read >= len(self.parts):
            raise StopAsyncIteration
        part = self.parts[self.read]
        self.read += 1
        if isinstance(part, BaseException):
            raise part
        return part

    async def aclose(self) -> None:
        self.closed = True


class World:
    """A gateway, its platform, and ways to ask it as a caller would."""

    def __init__(
        self, upstream: Upstream | None = None, more: str = "", env: dict[str, str] | None = None,
        now: float = 1_800_000_000.0,
    ) -> None:  # fmt: skip
        config, self.notes = defaults(
            decode(CONFIG + more if env is None else more, env or {}), env or {}
        )
        self.reports: list[BaseException] = []
        self.platform: MemoryPlatform = memory.platform(
            upstream or (lambda request: whole("Hello!")), now=now
        )
        self.gateway: Gateway = build(
            config, self.platform, lambda _, error: self.reports.append(error)
        )

    def token(self, sub: str = "alice", **claims: Any) -> str:
        return mint({"sub": sub, **claims}, SECRET, now=self.platform.clock.now())

    async def ask(
        self, path: str, body: Any = None, *, method: str = "POST", token: str | None = "", query: str = "",
        headers: Sequence[tuple[str, str]] = (), client: str = "192.0.2.1",
    ) -> Response:  # fmt: skip
        data = (
            body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        )
        given = [] if token is None else [("authorization", f"Bearer {token or self.token()}")]
        request = Request(method, path.encode(), path, query, [*given, *headers], client, data)
        return await self.gateway(request)

    async def get(self, path: str, query: str = "", token: str | None = "") -> Response:
        return await self.ask(path, method="GET", query=query, token=token)

    async def chat(
        self, text: Any = "hello", path: str = "/v1/chat/completions", **more: Any
    ) -> Response:
        how = {name: more.pop(name) for name in ("token", "headers", "client") if name in more}
        body = {"model": "auto", "messages": [{"role": "user", "content": text}], **more}
        return await self.ask(path, body, **how)

    async def ledger(self, columns: str = "stage, ended, amount_nanos") -> list[tuple[Any, ...]]:
        await self.gateway.journal.flush()
        found = await self.platform.tables.rows(
            f"select {columns} from ledger order by at, attempt, stage"
        )
        return [tuple(row) for row in found]

    async def stages(self) -> dict[str, int]:
        """How many rows of each stage and ending stand in the ledger."""
        counts: dict[str, int] = {}
        for stage, ended in await self.ledger("stage, ended"):
            counts[ended or stage] = counts.get(ended or stage, 0) + 1
        return counts


def usage(prompt: int = 10, output: int = 5) -> dict[str, int]:
    return {"prompt_tokens": prompt, "completion_tokens": output, "total_tokens": prompt + output}


def completion(text: str, finish: str = "stop", **message: Any) -> dict[str, Any]:
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "gpt-4o-mini-2024-07-18",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": text, **message},
                "finish_reason": finish,
            }
        ],
        "usage": usage(),
    }


def whole(text: str, finish: str = "stop", **message: Any) -> Response:
    return Response(
        200,
        [("content-type", "application/json")],
        json.dumps(completion(text, finish, **message)).encode(),
    )


def chunk(delta: dict[str, Any], finish: str | None = None, **more: Any) -> bytes:
    body = {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "gpt-4o-mini-2024-07-18",
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
        **more,
    }
    return b"data: " + json.dumps(body).encode() + b"\n\n"


USAGE_CHUNK = (
    b'data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"m","choices":[],'
    b'"usage":{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15}}\n\n'
)
DONE = b"data: [DONE]\n\n"


def pieces(*texts: str) -> list[bytes]:
    """The parts of a good stream."""
    return [
        chunk({"role": "assistant", "content": ""}),
        *[chunk({"content": text}) for text in texts],
        chunk({}, "stop"),
        USAGE_CHUNK,
        DONE,
    ]


def streamed(parts: Sequence[bytes | BaseException]) -> Response:
    return Response(200, [("content-type", "text/event-stream")], Script(parts))


async def read(response: Response) -> bytes:
    """A response's bytes, closed as an entry would."""
    try:
        if isinstance(response.body, bytes):
            return response.body
        return b"".join([part async for part in response.body])
    finally:
        await response.aclose()


async def body(response: Response) -> Any:
    return json.loads(await read(response))


def payloads(data: bytes) -> list[Any]:
    """The JSON payloads of an SSE body, with `[DONE]` as text."""
    lines = [line[6:] for line in data.split(b"\n") if line.startswith(b"data: ")]
    return ["[DONE]" if line == b"[DONE]" else json.loads(line) for line in lines]


def text_of(data: bytes) -> str:
    """What the chunks of an OpenAI stream say."""
    return "".join(
        choice["delta"].get("content") or ""
        for payload in payloads(data)
        if payload != "[DONE]"
        for choice in payload.get("choices", [])
    )
