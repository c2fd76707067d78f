"""Strict JSON objects: UTF-8, no NaN, no duplicate keys, bounded in depth and in number of values; and what others reply."""

from __future__ import annotations

from collections.abc import Callable
from itertools import accumulate
from typing import Any, TypeVar

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

SHALLOW_BYTES = 512
"""No text is deeper than it is long; the decoder has been seen to bear 2,000 levels in WebAssembly, and not 4,000."""

_HEAD = 1 << 20
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_NO_MARKS = bytes(set(range(256)) - set(b'[]{}"'))
_ROUND = bytes.maketrans(b"{}", b"[]")
_OPEN = ord("[")
_TURNS = 8
_MOST_LEFT = 1 << 20
_decode = msgspec.json.Decoder().decode
T = TypeVar("T")


def parser(kind: type[T]) -> Callable[[bytes | msgspec.Raw], T]:
    """Decodes what others sent, of whatever length, as this type; raises DecodeError for what is `deep`, too.

    A Raw is taken as it is: it is a part of what was decoded so.
    """
    decode = msgspec.json.Decoder(kind).decode

    def checked(data: bytes | msgspec.Raw) -> T:
        if len(data) > SHALLOW_BYTES and type(data) is not msgspec.Raw and deep(data):
            raise msgspec.DecodeError("nested too deep")
        return decode(data)

    return checked


def deep(data: bytes) -> bool:
    """Whether a whole JSON text is nested deeper than MAX_DEPTH, or so full of lists and objects that nobody looks.

    Told without decoding it: in WebAssembly the decoder's recursion ends in no exception, it takes the interpreter along.
    """
    if data.translate(_ROUND, _NO_BRACKETS).count(b"[") <= MAX_DEPTH:
        return False
    left = _brackets(data)
    # Each turn takes a level of innermost pairs: of most texts nothing is left.
    for _ in range(_TURNS):
        left = left.replace(b"[]", b"")
    return len(left) > _MOST_LEFT or _passes(left, MAX_DEPTH - _TURNS)


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
    brackets = _brackets(body)
    # Each opening one is a value: the rest of a body that may be decoded is closing ones without a fellow.
    if _passes(brackets[: 2 * MAX_VALUES], MAX_DEPTH):
        raise BadRequest(f"The body is nested deeper than {MAX_DEPTH} levels.", code="invalid_json")
    if brackets.count(b"[") > MAX_VALUES:
        raise _too_large()


def _passes(brackets: bytes, most: int) -> bool:
    """Whether more of them than this are open at once."""
    return any(at > most for at in accumulate(1 if one == _OPEN else -1 for one in brackets))


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


def _brackets(body: bytes) -> bytes:
    """The brackets of a text outside its strings, all of one kind."""
    # Strings that lie beside each other may be one here: none of what is between them is a bracket.
    marks = _unescaped(body).translate(_ROUND, _NO_MARKS).replace(b'""', b"")
    return b"".join(marks.split(b'"')[::2])


def _without_strings(body: bytes) -> bytes:
    """All of a body that stands outside its strings."""
    return b"".join(_unescaped(body).split(b'"')[::2])


def _unescaped(body: bytes) -> bytes:
    """A text whose strings hold no quotes."""
    if b"\\" in body:
        return body.replace(b"\\\\", b"").replace(b'\\"', b"")
    return body
