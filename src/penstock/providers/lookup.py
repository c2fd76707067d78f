"""What a provider says of a call afterwards, by the `x-request-id` it had: a pair of pure functions.

The reply is a JSON object whose `usage` is in OpenAI's form. 404 says that no such call was taken.
"""

from __future__ import annotations

from urllib.parse import quote

import msgspec
from msgspec import Raw, Struct

from penstock import config
from penstock.errors import Failed
from penstock.providers.openai import BASE_URL
from penstock.providers.usage import read_usage
from penstock.wire.chat import Usage
from penstock.wire.http import Request
from penstock.wire.json import parser

PLACE = "{id}"
UNKNOWN = 404
MAX_REPLY = 64 << 10


class _Said(Struct):
    usage: Raw = Raw(b"null")


_decode = parser(_Said)


def lookup(at: config.Provider, id: str) -> Request:
    """The question what the call of that mark took, without the provider's key."""
    address = at.usage_lookup.replace(PLACE, quote(id, safe=""))
    if address.startswith("/"):
        address = (at.base_url or BASE_URL).rstrip("/") + address
    accept = (("accept", "application/json"),)
    return Request("GET", address.encode(), headers=accept, max_reply=MAX_REPLY)


def looked_up(status: int, body: bytes) -> Usage | None:
    """What the call took, None where the provider took no such call; raises Failed where it does not say, or not yet."""
    if status == UNKNOWN:
        return None
    if status != 200:
        raise Failed("The target's usage look-up failed.", upstream_status=status)
    try:
        usage = read_usage(_decode(body).usage)
    except (msgspec.DecodeError, RecursionError) as error:
        raise Failed("The target's usage look-up cannot be read.") from error
    if usage is None:
        raise Failed("The target does not say yet what the call took.", upstream_status=200)
    return usage
