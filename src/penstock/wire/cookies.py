"""Cookies as requests carry them: all values under a name, and a request's headers without some names."""

from __future__ import annotations

from collections.abc import Container, Sequence

from penstock.wire.http import Headers

_HEADER = "cookie"


def values(headers: Headers, name: str) -> list[str]:
    """All that stand under this very name, in order; two of one name are for the reader to judge."""
    return [value for pair in _pairs(headers) for key, value in [_split(pair)] if key == name]


def without(headers: Headers, names: Container[str]) -> Sequence[tuple[str, str]]:
    """The headers without cookies of these names; the same ones where there are none."""
    if not any(_split(pair)[0] in names for pair in _pairs(headers)):
        return headers
    kept = []
    for header, value in headers:
        if header != _HEADER:
            kept.append((header, value))
        elif left := [pair for pair in value.split(";") if _split(pair)[0] not in names]:
            kept.append((header, ";".join(left).strip(" ")))
    return kept


def _pairs(headers: Headers) -> list[str]:
    return [pair for name, value in headers if name == _HEADER for pair in value.split(";")]


def _split(pair: str) -> tuple[str, str]:
    name, _, value = pair.partition("=")
    return name.strip(" \t"), value.strip(" \t")
