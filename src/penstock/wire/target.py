"""A request's target as the path that is routed."""

from __future__ import annotations

from functools import lru_cache
from urllib.parse import unquote

REMEMBERED_BYTES = 256


def path_of(target: bytes) -> tuple[str, str]:
    """The path of a request target, decoded once, and its raw query; an absolute URL counts by its path."""
    return _remembered(target) if len(target) <= REMEMBERED_BYTES else _path_of(target)


def raw_path(target: bytes) -> bytes:
    """The path of a request target as it was sent."""
    raw = target.partition(b"?")[0]
    return raw if raw.startswith(b"/") else _after_host(raw)


def _path_of(target: bytes) -> tuple[str, str]:
    raw, _, query = target.partition(b"?")
    if not raw.startswith(b"/"):
        raw = _after_host(raw)
    path = raw.decode("latin-1")
    return unquote(path) if "%" in path else path, query.decode("latin-1")


_remembered = lru_cache(maxsize=1_024)(_path_of)
"""Most requests name one of few targets."""


def _after_host(url: bytes) -> bytes:
    scheme, found, rest = url.partition(b"://")
    if not found or scheme.lower() not in (b"http", b"https"):
        return url
    return b"/" + rest.partition(b"/")[2]
