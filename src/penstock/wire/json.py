"""Strict JSON objects: UTF-8, no NaN, no duplicate keys, bounded in depth and in number of values."""

from __future__ import annotations

from itertools import accumulate
from typing import Any

import msgspec

from penstock.errors import BadRequest, TooLarge

encode = msgspec.json.Encoder().encode
canonical = msgspec.json.Encoder(order="sorted").encode

MAX_DEPTH = 128
"""Levels of lists and objects: far from where encoding a body again would run out of stack."""
MAX_VALUES = 50_000
"""Values in one body: what a small body may cost in memory and time once it is decoded."""

NANOS = 1_000_000_000
"""To a dollar."""

_HEAD = 1 << 20
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_decode = msgspec.json.Decoder().decode


def decode_object(body: bytes) -> tuple[dict[str, Any], bytes]:
    """A body as a dict, and its canonical form.

    Raises BadRequest for anything but one strict object, TooLarge for too many values.
    """
    if len(body) > MAX_VALUES and _too_many(body):
        raise _too_large()
    if body.count(b"[") + body.count(b"{") > MAX_DEPTH:
        _refuse_deep(body)
    try:
        value = _decode(body)
        if not isinstance(value, dict):
            raise BadRequest("The body must be a JSON object.", code="invalid_json")
        form = canonical(value)
    except (msgspec.DecodeError, RecursionError, UnicodeError, ValueError) as error:
        raise BadRequest("The body is not valid JSON.", code="invalid_json") from error
    # A dropped duplicate key takes its quotes along; canonical JSON writes \u0022 as an escaped quote.
    if body.count(b'"') + _escaped_quotes(body) != form.count(b'"'):
        raise BadRequest("The body names a field twice.", code="duplicate_field")
    return value, form


def usd(nanos: int) -> str:
    """Dollars as a JSON number of at most nine decimals, without a rounding."""
    whole, part = divmod(abs(nanos), NANOS)
    decimals = f"{part:09d}".rstrip("0")
    return f"{'-' if nanos < 0 else ''}{whole}{'.' if decimals else ''}{decimals}"


def _escaped_quotes(body: bytes) -> int:
    if b"\\u0022" not in body:
        return 0
    # Without the pairs that stand for a backslash, what is left begins an escape.
    return body.replace(b"\\\\", b"").count(b"\\u0022")


def _refuse_deep(body: bytes) -> None:
    """Before it is decoded: in WebAssembly the decoder's recursion ends in no exception, it takes the interpreter along."""
    brackets = _without_strings(body).translate(None, _NO_BRACKETS)
    # Each opening one is a value: the rest of a body that may be decoded is closing ones without a fellow.
    steps = (1 if bracket in b"[{" else -1 for bracket in brackets[: 2 * MAX_VALUES])
    if any(depth > MAX_DEPTH for depth in accumulate(steps)):
        raise BadRequest(f"The body is nested deeper than {MAX_DEPTH} levels.", code="invalid_json")
    if brackets.count(b"[") + brackets.count(b"{") > MAX_VALUES:
        raise _too_large()


def _too_large() -> TooLarge:
    return TooLarge(f"The body holds more than {MAX_VALUES} values, the most this server takes.")


def _too_many(body: bytes) -> bool:
    """Whether a body has more values than are taken, told without decoding it."""
    # The start of a hostile body mostly tells enough.
    return _least_values(body[:_HEAD]) > MAX_VALUES or (
        len(body) > _HEAD and _least_values(body) > MAX_VALUES
    )


def _least_values(body: bytes) -> int:
    """No more values than a body has: by its strings, else by the commas between them."""
    commas = body.count(b",")
    # Of two strings one may be the key of the other.
    strings = (body.count(b'"') - body.count(b'\\"')) // 4
    if strings > MAX_VALUES or commas < MAX_VALUES:
        return strings
    return _without_strings(body).count(b",") + 1


def _without_strings(body: bytes) -> bytes:
    """All of a body that stands outside its strings."""
    if b"\\" in body:
        body = body.replace(b"\\\\", b"").replace(b'\\"', b"")
    return b"".join(body.split(b'"')[::2])
