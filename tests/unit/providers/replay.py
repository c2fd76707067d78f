"""Plays bytes into a decoder and gathers what came out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
from hypothesis import strategies as st

from penstock.config import Kind, Provider, Target
from penstock.errors import Failed
from penstock.providers import CHAT, Call
from penstock.wire.chat import Ask, Event, Usage, decode_chat
from penstock.wire.http import Request
from penstock.wire.json import encode
from penstock.wire.sse import payloads

HELLO = [{"role": "user", "content": "hello"}]


@dataclass
class Played:
    data: bytes = b""
    usage_data: bytes = b""
    usage: Usage | None = None
    finish: str = ""
    tools: bool = False
    failure: Failed | None = None
    raised: Failed | None = None
    ends: int = 0
    usages: list[Usage] = field(default_factory=list)

    @property
    def facts(self) -> tuple[Any, ...]:
        """All that must not depend on how the bytes were split."""
        failed = self.failure or self.raised
        code = failed.code if failed else ""
        return (self.data, self.usage_data, self.usage, self.finish, self.tools, code, self.ends)

    def take(self, events: Iterable[Event]) -> None:
        for event in events:
            assert not self.ends, "an event after the last"
            self.data += event.data
            self.usage_data += event.usage_data
            if event.usage:
                self.usage = event.usage
                self.usages.append(event.usage)
            self.finish = event.finish or self.finish
            self.tools |= event.tools
            self.failure = self.failure or event.failure
            self.ends += event.end

    @property
    def chunks(self) -> list[dict[str, Any]]:
        return [msgspec.json.decode(payload) for _, payload in payloads(self.data)]

    @property
    def text(self) -> str:
        deltas = [choice["delta"] for chunk in self.chunks for choice in chunk["choices"]]
        return "".join(delta.get("content") or "" for delta in deltas)


def ask(**body: Any) -> Ask:
    return decode_chat(encode({"model": "auto", "messages": HELLO, **body}))


def call(kind: Kind = "openai", model: str = "gpt-4o", **body: Any) -> Call:
    """A call to a provider of that kind, with settings of their own default."""
    return Call(ask(**body), Target(kind, model), Provider(kind), "chatcmpl-9", 1_700_000_000)


def sent(request: Request) -> dict[str, Any]:
    """A request's body."""
    assert isinstance(request.body, bytes)
    return msgspec.json.decode(request.body, type=dict[str, Any])


def play(kind: Kind, parts: Sequence[bytes], **body: Any) -> Played:
    """Feeds the parts to a fresh decoder and closes it; only Failed may be raised."""
    played = Played()
    decoder = CHAT[kind].decoder(call(kind, **body))
    try:
        for part in parts:
            played.take(decoder.feed(part))
        played.take(decoder.close())
    except Failed as error:
        assert played.facts == Played().facts, "raised after something was given out"
        played.raised = error
    return played


@st.composite
def splits(draw: st.DrawFn, body: bytes) -> list[bytes]:
    """Any way to cut a body into parts, empty ones too."""
    cuts = sorted(draw(st.lists(st.integers(0, len(body)), max_size=12)))
    return [body[a:b] for a, b in zip([0, *cuts], [*cuts, len(body)], strict=True)]
