"""What a provider is: pure translation, per verb, without I/O, keys or clocks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from msgspec import Struct

from penstock import config
from penstock.errors import Failed
from penstock.ports import Vectors
from penstock.wire.chat import Ask, Event, Usage
from penstock.wire.http import Headers, Request

OPENAI_ALONE: tuple[tuple[str, tuple[Any, ...]], ...] = (
    ("logprobs", (False,)),
    ("top_logprobs", (0,)),
    ("logit_bias", ({},)),
    ("functions", ([],)),
    ("function_call", ("none", "auto")),
    ("reasoning_effort", ()),
    ("store", (False,)),
)
"""Fields that no other API has, each with the values that ask for nothing."""


class Call(Struct, frozen=True):
    """One attempt at one target.

    `id` and `created` (seconds since the epoch) go into replies whose provider sends none;
    `max_output` is the cap the gateway decided, None leaves the caller's as it is.
    """

    ask: Ask
    target: config.Target
    at: config.Provider
    id: str = "chatcmpl-0"
    created: int = 0
    max_output: int | None = None


class Decoder(Protocol):
    """Reads one 2xx reply as it comes, whatever the split of its bytes.

    Garbage raises Failed while nothing was given out and nothing is known to be billed; afterwards
    it comes as an event with `failure`. Exactly one event has `end`; what follows it is ignored.
    """

    def feed(self, data: bytes) -> list[Event]: ...
    def close(self) -> list[Event]:
        """The reply ended as HTTP; without an end mark of its own that is a failure."""


class Chat(Protocol):
    """A provider that chats."""

    def chat(self, call: Call) -> Request:
        """The request without its key, of an ask that `inexpressible` found no fault with."""

    def decoder(self, call: Call) -> Decoder: ...
    def inexpressible(self, ask: Ask, target: config.Target) -> str | None:
        """The first top-level field of the ask that this provider has no words for; raises BadRequest where it has
        words for the field, but not for what stands in it. Asked before anything is held for the ask."""

    def failure(self, status: int, headers: Headers, body: bytes) -> Failed:
        """What a reply that is not 2xx means; the provider's own text never passes."""

    def key_headers(self, at: config.Provider) -> Headers: ...


class Embed(Protocol):
    """A provider that embeds."""

    def embed(
        self,
        texts: Sequence[str],
        target: config.Target,
        at: config.Provider,
        fields: Mapping[str, Any],
    ) -> Request:
        """The request without its key; of the fields, those that the kind has words for (`EMBED_FIELDS`)."""

    def vectors(
        self, body: bytes, target: config.Target, texts: Sequence[str]
    ) -> tuple[Vectors, Usage]:
        """One vector a text, in order, and what they took; raises Failed."""

    def failure(self, status: int, headers: Headers, body: bytes) -> Failed: ...
    def key_headers(self, at: config.Provider) -> Headers: ...
