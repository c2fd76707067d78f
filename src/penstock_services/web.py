"""A service as a function from Request to Response: routes, bodies, and errors in one envelope."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar
from urllib.parse import parse_qsl

import msgspec

from penstock.errors import BadRequest, Error, NotAllowed, NotFound
from penstock.ports import Platform
from penstock.wire.http import JSON, PROBLEM, Request, Response
from penstock.wire.json import decode_object, encode
from penstock_services.sql import ANSWERS

T = TypeVar("T")

BODY_BYTES = 16 << 10
"""The most that is read of a body, where a route does not say otherwise."""
MOST_FIELDS = 20
NUL = rb"\u0000"
NO_STORE = ("cache-control", "no-store")
REQUEST_ID = re.compile(r"[A-Za-z0-9_.:-]{1,128}")
RETRY_SECONDS = "1"

Report = Callable[[str, BaseException], None]
"""Told the request id and an error nobody foresaw."""


class Call:
    """One request as a handler sees it; `parts` are the values of its path's `{…}`."""

    __slots__ = ("parts", "request")

    def __init__(self, request: Request, parts: tuple[str, ...] = ()) -> None:
        self.request = request
        self.parts = parts

    async def read(self, kind: type[T], text: str, limit: int = BODY_BYTES) -> T:
        """The body as this struct; raises BadRequest whose short text is `text`, without a word of the body."""
        try:
            body = await self.request.read(limit)
            fields, _ = decode_object(body)
            if NUL in body and holds_nul(fields):
                raise BadRequest("The body holds the character NUL, which no text has.")
            return msgspec.convert(fields, kind)
        except msgspec.ValidationError as error:
            named = ", ".join(kind.__struct_fields__)  # type: ignore[attr-defined]  # of any Struct
            raise BadRequest(
                f"A field is missing or not of its kind: the body takes {named}.", text=text
            ) from error

    def query(self, *names: str) -> dict[str, str]:
        """The query's fields; raises BadRequest for any but these."""
        try:
            pairs = dict(parse_qsl(self.request.query, max_num_fields=MOST_FIELDS))
        except ValueError as error:
            raise BadRequest("The query has too many fields.") from error
        if pairs.keys() - set(names):
            raise BadRequest(f"The query takes {', '.join(names) or 'nothing'}.")
        return pairs


Handler = Callable[[Call], Awaitable[Response]]


class App:
    """A `Fetch` made of routes such as `GET /api/chat/conversations/{id}`; answers `/health` by itself."""

    def __init__(self, world: Platform, routes: Mapping[str, Handler], report: Report) -> None:
        self._world = world
        self._report = report
        self._exact: dict[str, dict[str, Handler]] = {}
        self._open: list[tuple[list[str], str, Handler]] = []
        for route, handler in {"GET /health": self._health, **routes}.items():
            method, _, path = route.partition(" ")
            if "{" in path:
                self._open.append((path.split("/"), method, handler))
            else:
                self._exact.setdefault(path, {})[method] = handler

    async def __call__(self, request: Request) -> Response:
        named = request.header("x-request-id") or ""
        id = named if REQUEST_ID.fullmatch(named) else self._world.ids.new("req_")
        request.notes["id"] = id
        try:
            handler, parts = self._find(request)
            response = await handler(Call(request, parts))
        except Error as error:
            response = problem(error)
        except Exception as error:  # noqa: BLE001 - whatever it was, the caller gets an answer and no text of it
            self._report(id, error)
            response = problem(Error())
        response.headers = [*response.headers, ("x-request-id", id)]
        if request.method == "HEAD" and isinstance(response.body, bytes):
            response.headers = [*response.headers, ("content-length", str(len(response.body)))]
            response.body = b""
        return response

    def _find(self, request: Request) -> tuple[Handler, tuple[str, ...]]:
        found: dict[str, tuple[Handler, tuple[str, ...]]] = {
            method: (handler, ()) for method, handler in self._exact.get(request.path, {}).items()
        }
        if "\0" in request.path:
            raise NotFound()
        segments = request.path.split("/")
        for wanted, method, handler in self._open:
            if (parts := match(wanted, segments)) is not None:
                found.setdefault(method, (handler, parts))
        if not found:
            raise NotFound()
        method = "GET" if request.method == "HEAD" else request.method
        if method not in found:
            allowed = sorted([*found, *(["HEAD"] if "GET" in found else [])])
            raise NotAllowed(headers=(("allow", ", ".join(allowed)),))
        return found[method]

    async def _health(self, call: Call) -> Response:
        await self._world.tables.rows(ANSWERS)
        return answer({"status": "healthy"})


def now_ms(world: Platform) -> int:
    """Milliseconds since the epoch, as all tables keep time."""
    return int(world.clock.now() * 1000)


def holds_nul(value: Any) -> bool:
    """Whether a text in it holds NUL, which not every database can keep."""
    if isinstance(value, str):
        return "\0" in value
    if isinstance(value, dict):
        return any(map(holds_nul, (*value, *value.values())))
    return isinstance(value, list) and any(map(holds_nul, value))


def match(wanted: list[str], segments: list[str]) -> tuple[str, ...] | None:
    """What stands in the place of each `{…}`, or None where the path is another."""
    if len(wanted) != len(segments):
        return None
    parts = []
    for want, segment in zip(wanted, segments, strict=True):
        if want.startswith("{"):
            parts.append(segment)
        elif want != segment:
            return None
    return tuple(parts) if all(parts) else None


def answer(body: Any, status: int = 200, *headers: tuple[str, str]) -> Response:
    """A JSON reply, which no cache keeps unless its headers say so."""
    kept = any(name == "cache-control" for name, _ in headers)
    return Response(status, [JSON, *headers, *([] if kept else [NO_STORE])], encode(body))


def problem(error: Error) -> Response:
    """An error as RFC 9457 with the first design's `error` beside it: a fixed code, never an exception's text."""
    headers = [PROBLEM, NO_STORE, *error.headers]
    if error.status == 503:
        headers.append(("retry-after", RETRY_SECONDS))
    body = {
        "type": "about:blank",
        "title": error.text,
        "status": error.status,
        "detail": error.message,
        "code": error.code,
        "error": error.text,
    }
    return Response(error.status, headers, encode(body))
