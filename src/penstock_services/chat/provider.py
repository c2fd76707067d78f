"""Who answers: a provider with OpenAI's API, or plainly labelled canned words where none is configured."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Sequence
from typing import Any, Protocol

import msgspec
from msgspec import Struct

from penstock.auth import calls
from penstock.config import Provider
from penstock.errors import Error, Failed
from penstock.ports import Fetch
from penstock.providers import openai
from penstock.providers.usage import read_usage
from penstock.wire import sse
from penstock.wire.chat import Usage
from penstock.wire.http import Request, Response, Timeouts

ERROR_BYTES = 64 << 10
TIMEOUTS = Timeouts(first_byte=120.0, idle=60.0)
CANNED = (
    "[sandbox] No provider is configured for the chat service, so this is a canned answer."
    " Set OPENAI_API_KEY to have a real one."
)


class Ask(Struct, frozen=True):
    """What goes to a provider."""

    model: str
    messages: Sequence[dict[str, str]]
    options: dict[str, Any]
    mark: str = ""
    """What a gateway put on the call, which is charged there already: shown again where the provider is that gateway."""


class Piece(Struct, frozen=True):
    """A part of an answer; the last one has `end`, and usage where it was reported."""

    text: str = ""
    usage: Usage | None = None
    end: bool = False


class Answer(Protocol):
    """An answer as it comes; whoever holds it closes it. A cancelled `__anext__` loses nothing."""

    def __aiter__(self) -> AsyncIterator[Piece]: ...
    async def __anext__(self) -> Piece: ...
    async def aclose(self) -> None: ...


class Chat(Protocol):
    """Somebody who answers; `kind` is where the prices of its models stand."""

    name: str
    kind: str

    async def begin(self, ask: Ask) -> Answer:
        """Raises Failed, before a word was said."""


class Canned:
    """The stand-in: the same words whatever is asked, a token a word."""

    name = kind = "sandbox"

    async def begin(self, ask: Ask) -> Answer:
        words = CANNED.split()
        asked = sum(len(message["content"].split()) for message in ask.messages)
        pieces = [Piece(f"{' ' if n else ''}{word}") for n, word in enumerate(words)]
        return Ready([*pieces, Piece(usage=Usage(input=asked, output=len(words)), end=True)])


class Ready:
    """An answer that is all there."""

    def __init__(self, pieces: Sequence[Piece]) -> None:
        self._pieces = deque(pieces)

    def __aiter__(self) -> AsyncIterator[Piece]:
        return self

    async def __anext__(self) -> Piece:
        if not self._pieces:
            raise StopAsyncIteration
        return self._pieces.popleft()

    async def aclose(self) -> None:
        self._pieces.clear()


class OpenAI:
    """Any server with OpenAI's API; every answer is asked for as a stream, with its usage."""

    name = kind = "openai"

    def __init__(self, fetch: Fetch, key: str, base_url: str, gateway_url: str = "") -> None:
        self._fetch = fetch
        self._marked = bool(gateway_url) and f"{base_url}/".startswith(
            f"{gateway_url.rstrip('/')}/"
        )
        self._at = Provider(kind="openai", base_url=base_url or openai.BASE_URL, api_key=key)

    async def begin(self, ask: Ask) -> Answer:
        response = await self._fetch(self._request(ask))
        if response.status == 200 and not isinstance(response.body, bytes):
            return Streamed(response)
        try:
            body = response.body if isinstance(response.body, bytes) else await _start(response)
        finally:
            await response.aclose()
        if response.status == 200:
            return Streamed(Response(200, response.headers, _Whole(body)))
        raise openai.failure(response.status, response.headers, body)

    def _request(self, ask: Ask) -> Request:
        body = {
            **ask.options,
            "model": ask.model,
            "messages": list(ask.messages),
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        made = openai.post(self._at.base_url, "/chat/completions", body, stream=True)
        made.headers = [*made.headers, *openai.key_headers(self._at)]
        if self._marked and ask.mark:
            made.headers = [*made.headers, (calls.NAME, ask.mark)]
        made.timeouts = TIMEOUTS
        return made


class Streamed:
    """OpenAI's stream, read into pieces; one that ends without its mark is a failure."""

    def __init__(self, response: Response) -> None:
        self._response = response
        self._blocks = sse.Blocks()
        self._ready: deque[Piece] = deque()
        self._usage: Usage | None = None
        self._ended = False

    def __aiter__(self) -> AsyncIterator[Piece]:
        return self

    async def __anext__(self) -> Piece:
        body = self._response.body
        assert not isinstance(body, bytes)
        while not self._ready:
            if self._ended:
                raise StopAsyncIteration
            try:
                chunk = await anext(body)
            except StopAsyncIteration:
                raise Failed("The provider's answer ended before its end.") from None
            self._take(self._blocks.feed(chunk))
        return self._ready.popleft()

    async def aclose(self) -> None:
        await self._response.aclose()

    def _take(self, block: bytes) -> None:
        for _, payload in sse.payloads(block):
            if payload.strip() == b"[DONE]":
                self._ended = True
                self._ready.append(Piece(usage=self._usage, end=True))
                return
            text = self._read(payload)
            if text:
                self._ready.append(Piece(text))

    def _read(self, payload: bytes) -> str:
        try:
            chunk = _decode(payload)
        except msgspec.DecodeError as error:
            raise Failed("The provider's answer could not be read.") from error
        if chunk.error is not None:
            raise Failed("The provider failed in the middle of its answer.")
        self._usage = read_usage(chunk.usage) or self._usage
        return "".join(one.delta.content or "" for one in chunk.choices[:1] if one.delta)


class _Delta(Struct):
    content: str | None = None


class _Choice(Struct):
    delta: _Delta | None = None


class _Chunk(Struct):
    choices: list[_Choice] = []
    usage: msgspec.Raw = msgspec.Raw()
    error: Any = None


_decode = msgspec.json.Decoder(_Chunk).decode


class _Whole:
    """Bytes as a stream of one piece."""

    def __init__(self, data: bytes) -> None:
        self._left = [data]

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        if not self._left:
            raise StopAsyncIteration
        return self._left.pop()

    async def aclose(self) -> None:
        self._left.clear()


async def _start(response: Response) -> bytes:
    """The beginning of an error's body: no more is looked at."""
    parts, size = [], 0
    assert not isinstance(response.body, bytes)
    try:
        async for part in response.body:
            parts.append(part)
            size += len(part)
            if size >= ERROR_BYTES:
                break
    except Error:
        return b""
    return b"".join(parts)
