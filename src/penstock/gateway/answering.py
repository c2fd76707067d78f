"""How an answer from documents is written: sources first, only citations that hold, the whole reply at the end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec import Struct

from penstock.auth.caller import Caller
from penstock.errors import Error
from penstock.gateway.faces import Told
from penstock.gateway.reply import stream_error
from penstock.gateway.retrieval import Retrieved, Source, shown
from penstock.rag.citations import Checker, Cited, cited
from penstock.wire import completion, sse
from penstock.wire.chat import Ask, Event
from penstock.wire.embeddings import dollars
from penstock.wire.json import encode

VERB = "rag"


class Asked(Struct, frozen=True):
    """What a caller wants to know: from how many passages, and of which document."""

    question: str
    k: int
    document: str | None = None
    stream: bool = False


class Found(Struct, frozen=True):
    """What there is to answer from, how likely it does, and how many of the sources a model is shown."""

    retrieved: Retrieved
    confidence: float
    given: int = 0

    @property
    def sources(self) -> tuple[Source, ...]:
        return self.retrieved.sources


class Answering:
    """A face of chat that has its ask already; for one request alone, since it remembers what it has written."""

    gathers = True
    verb = VERB

    def __init__(self, asked: Asked, found: Found, ask: Ask) -> None:
        self._asked = asked
        self._found = found
        self._ask = ask
        self._checker = Checker(checked(found), asked.question)
        self._begun = False
        self._said: list[str] = []

    def decode(self, body: bytes, caller: Caller) -> Ask:
        return self._ask

    def whole(self, data: bytes, told: Told) -> bytes:
        text = completion.read(data).text
        answer = cited(text, checked(self._found), self._asked.question)
        return encode(replied(self._found, answer, told))

    def pieces(self, events: Sequence[Event], ask: Ask) -> bytes:
        text = "".join([completion.deltas(event.data) for event in events if event.data])
        return self._begin() + self._delta(self._checker.feed(text))

    def last(self, whole: bytes, usage_data: bytes, told: Told, ask: Ask) -> bytes:
        rest = self._begin() + self._delta(self._checker.close())
        done = self._checker
        answer = Cited(
            "".join(self._said), tuple(done.citations), tuple(done.removed), done.removals
        )
        return rest + sse.data(encode(replied(self._found, answer, told))) + sse.DONE

    def failed(self, failure: Error) -> bytes:
        return stream_error(failure)

    def _begin(self) -> bytes:
        if self._begun:
            return b""
        self._begun = True
        return first(self._found.sources)

    def _delta(self, text: str) -> bytes:
        if not text:
            return b""
        self._said.append(text)
        return sse.data(encode({"delta": text}))


def checked(found: Found) -> list[tuple[str, int]]:
    """The sources that an answer may cite, as they stand in their documents."""
    return [(one.text, one.start) for one in found.sources[: found.given]]


def first(sources: Sequence[Source]) -> bytes:
    """What a stream begins with."""
    return sse.data(encode({"sources": [shown(one) for one in sources]}))


def streamed(found: Found, answer: Cited, reply: dict[str, Any]) -> bytes:
    """A whole reply as the stream of one that a model gives."""
    delta = sse.data(encode({"delta": answer.text})) if answer.text else b""
    return first(found.sources) + delta + sse.data(encode(reply)) + sse.DONE


def replied(found: Found, answer: Cited, told: Told) -> dict[str, Any]:
    """The reply: of the sources those cited are marked; `cost` is that of the question's embedding too."""
    named = {one.source for one in answer.citations}
    retrieved = found.retrieved
    reply: dict[str, Any] = {
        "answer": answer.text,
        "sources": [
            {**shown(one), "cited": number in named} for number, one in enumerate(found.sources, 1)
        ],
        "citations": [
            {
                "source": one.source,
                "documentId": found.sources[one.source - 1].document,
                "start": one.start,
                "end": one.end,
                "text": one.text,
            }
            for one in answer.citations
        ],
        "removed": [{"marker": one.marker, "reason": one.reason} for one in answer.removed],
        "confidence": round(found.confidence, 4),
        "lexicalOnly": retrieved.lexical_only,
        "model": told.model,
        "provider": told.provider,
        "tokens": told.usage.total,
        "cost": dollars(told.cost_nanos + retrieved.cost_nanos),
    }
    return reply | {"cached": True} if told.cached else reply
