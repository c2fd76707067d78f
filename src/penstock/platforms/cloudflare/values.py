"""The boundary to JavaScript: what passes it is plain, in both directions.

A Python `None` is `undefined` there, which bindings refuse, and a whole number beyond 32 bits may become a `BigInt`, which
D1 refuses; so numbers go as JavaScript's own, exact up to 2⁵³-1, and nothing that could be inexact passes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from js import (
    JSON,
    AbortController,
    Array,
    Object,
    Promise,
    Request,
    Response,
    TransformStream,
    caches,
    crypto,
    fetch,
)
from pyodide.ffi import JsException, create_proxy, jsnull, to_js

from penstock.ports import Value

__all__ = [
    "AbortController",
    "Array",
    "JsException",
    "Request",
    "TransformStream",
    "array",
    "binding",
    "content",
    "create_proxy",
    "fetch",
    "is_header",
    "is_there",
    "options",
    "parsed",
    "plain",
    "promise",
    "replies",
    "response",
    "subtle",
    "text",
    "value",
    "variables",
]

subtle = crypto.subtle
MOST_EXACT = 2**53 - 1


def value(given: Value) -> Any:
    """One parameter of a statement; raises OverflowError for what JavaScript cannot say exactly."""
    if given is None:
        return jsnull
    if isinstance(given, int):
        return float(_exact(given))
    return to_js(given) if isinstance(given, bytes) else given


def plain(found: Any) -> Any:
    """One value of a decoded row: bytes come as lists of numbers; a whole float comes as an int."""
    if isinstance(found, list):
        return bytes(found)
    return _exact(found) if isinstance(found, int) else found


def is_there(found: Any) -> bool:
    """Whether JavaScript found something: neither its null nor its undefined."""
    return found is not None and found is not jsnull


def content(buffer: Any) -> bytes | None:
    """The bytes of an ArrayBuffer, None of JavaScript's null."""
    return bytes(buffer.to_bytes()) if is_there(buffer) else None


def array(items: Iterable[Any]) -> Any:
    """An Array of what already is JavaScript's."""
    return to_js(list(items))


def options(settings: Mapping[str, Any]) -> Any:
    """A plain Object."""
    return to_js(settings, dict_converter=Object.fromEntries)


def replies() -> Any:
    """The cache of the data centre that this runs in."""
    return caches.default


def response(content: Any, headers: Mapping[str, str]) -> Any:
    """A Response of what already is JavaScript's."""
    return Response.new(content, options({"headers": headers}))


def is_header(value: str) -> bool:
    """Whether JavaScript takes it as a header's value, and HTTP as nothing more than that."""
    return not any(sign > "\xff" or sign in "\r\n\0" for sign in value)


def text(found: Any) -> str:
    """Any plain JavaScript value as JSON: one crossing, however many rows."""
    return str(JSON.stringify(found))


def parsed(data: bytes) -> Any:
    """What JSON says, as JavaScript's own: one crossing, however much it is."""
    return JSON.parse(data.decode())


def promise() -> tuple[Any, Callable[[], None]]:
    """A promise, and what keeps it."""
    made = Promise.withResolvers()
    return made.promise, made.resolve


def binding(env: Any, name: str) -> Any:
    """JavaScript's own object under a name of a Worker's `env`, None where there is none."""
    found = getattr(env, name, None)
    return found if is_there(found) else None


def variables(env: Any) -> dict[str, str]:
    """The variables and secrets of a Worker's `env`."""
    found = {str(name): getattr(env, name) for name in Object.keys(env)}
    return {name: given for name, given in found.items() if isinstance(given, str)}


def _exact(number: int) -> int:
    if abs(number) > MOST_EXACT:
        raise OverflowError("A number above 2^53 - 1 cannot pass D1 exactly.")
    return number
