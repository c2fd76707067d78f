"""The path of a request at a service, as its bytes were sent: what was routed is what is asked for there."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import unquote, urlsplit

from penstock.errors import BadRequest, NotFound
from penstock.wire.http import Request
from penstock.wire.target import raw_path

_UNSAFE = re.compile(r"(?:^|/)\.{1,2}(?:[/;]|$)|[\x00-\x1f\x7f\\]")
"""Segments that lead elsewhere, as some servers read them, and what hides one."""
_PLAIN = re.compile(r"[!\"$-~]*")
PORTS = {"http": 80, "https": 443}


def below(request: Request, prefix: str) -> str:
    """What a service under `prefix` is asked for: path and query as they came.

    Raises BadRequest for a path that a server could read as another, NotFound where only its decoded form has the prefix.
    """
    raw, query = raw_path(request.target).decode("latin-1"), request.query
    if _UNSAFE.search(request.path) or not (_PLAIN.fullmatch(raw) and _PLAIN.fullmatch(query)):
        raise BadRequest(
            "The path holds a dot segment, a backslash or a character that no URL has.",
            code="invalid_path",
        )
    root = "" if prefix == "/" else prefix
    rest = raw[len(root) :]
    if not raw.startswith(root) or (rest and not rest.startswith("/")):
        raise NotFound(code="not_found")
    return f"{root}{rest}?{query}" if query else root + rest


def renamed(target: bytes, prefix: str, rewrite: Mapping[str, str]) -> bytes:
    """A path and query below `prefix`, its first segment as the service calls it."""
    path, mark, query = target.decode("ascii").partition("?")
    at = 0 if prefix == "/" else len(prefix)
    return f"{path[:at]}{_renamed(path[at:], rewrite)}{mark}{query}".encode("ascii")


def location(value: str, url: str, prefix: str, rewrite: Mapping[str, str]) -> str:
    """A reply's Location: one at the backend's own address as a path here, any other as it is."""
    try:
        found, own = urlsplit(value), urlsplit(url)
        inside = (found.scheme or own.scheme, found.hostname, _port(found.port, own.scheme))
        if found.netloc and inside != (own.scheme, own.hostname, _port(own.port, own.scheme)):
            return value
    except ValueError:
        return value
    path = found.path or "/"
    if not path.startswith("/"):
        return value
    base = own.path
    if base and (path == base or path.startswith(f"{base}/")):
        path = path[len(base) :] or "/"
    root = "" if prefix == "/" else prefix
    if rewrite and path.startswith(f"{root}/"):
        path = root + _renamed(path[len(root) :], {there: here for here, there in rewrite.items()})
    if path.startswith(("//", "/\\")):
        return value  # without its host it would name another, to a browser with a backslash too
    query = f"?{found.query}" if found.query else ""
    return f"{path}{query}#{found.fragment}" if found.fragment else path + query


def _renamed(rest: str, names: Mapping[str, str]) -> str:
    """`/register/x` with its first segment as `names` has it."""
    first, slash, more = rest[1:].partition("/")
    name = names.get(unquote(first))
    return rest if name is None else f"/{name}{slash}{more}"


def _port(port: int | None, scheme: str) -> int:
    return port or PORTS.get(scheme, 0)
