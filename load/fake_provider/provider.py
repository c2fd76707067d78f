"""What a provider's dialect must offer, and the bytes of server-sent events they share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from load.fake_provider.answer import Variant
from load.fake_provider.plan import Plan, Reply
from load.fake_provider.settings import Settings

REFUSAL = "I cannot help with that."
DONE = b"data: [DONE]\n\n"

Header = Callable[[bytes], str]

encode = msgspec.json.Encoder().encode


class BadAsk(Exception):
    """A request the provider refuses, with the status it does it with."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class Order(msgspec.Struct, frozen=True):
    """One request to plan for: the decoded path, the body, and the fault that changes the answer."""

    path: str
    body: bytes
    variant: Variant
    settings: Settings


class Provider(msgspec.Struct, frozen=True):
    """One dialect: `plan` answers a request, the others speak of errors in its own envelope.

    `admits` takes the request's header getter and the key; it returns None or (status, message).
    """

    plan: Callable[[Order], Plan]
    failure: Callable[[int, str], bytes]
    error_event: Callable[[str], bytes]
    admits: Callable[[Header, str | None], tuple[int, str] | None]


def data_event(value: Any) -> bytes:
    """One unnamed server-sent event."""
    return b"data: %s\n\n" % encode(value)


def named_event(name: str, value: Any) -> bytes:
    """One server-sent event with its type."""
    return b"event: %s\ndata: %s\n\n" % (name.encode(), encode(value))


def refused(provider: Provider, bad: BadAsk) -> Plan:
    """The plan of a request that is not answered: nothing is charged."""
    return Plan(Reply(bad.status, (provider.failure(bad.status, bad.message),)))


def bearer(header: Header, key: str | None) -> tuple[int, str] | None:
    """Admission by `Authorization: Bearer`, as OpenAI and Cloudflare have it."""
    if key is None or header(b"authorization") == f"Bearer {key}":
        return None
    return 401, "Incorrect API key provided."
