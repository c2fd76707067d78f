"""Strict JSON objects: UTF-8, no NaN, no duplicate keys, bounded depth."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from penstock.errors import BadRequest

encode = msgspec.json.Encoder().encode
canonical = msgspec.json.Encoder(order="sorted").encode

_decode = msgspec.json.Decoder().decode


def decode_object(body: bytes) -> tuple[dict[str, Any], bytes]:
    """A body as a dict, and its canonical form; raises BadRequest(invalid_json) for anything but one strict object."""
    try:
        value = _decode(body)
        if not isinstance(value, dict):
            raise BadRequest("The body must be a JSON object.", code="invalid_json")
        form = canonical(value)
    except (msgspec.DecodeError, RecursionError, UnicodeError, ValueError) as error:
        raise BadRequest("The body is not valid JSON.", code="invalid_json") from error
    # A dropped duplicate key takes its quotes along; an escaped quote could hide that.
    if body.count(b'"') != form.count(b'"') or b"\\u0022" in body:
        _refuse_duplicates(body)
    return value, form


def _refuse_duplicates(body: bytes) -> None:
    try:
        json.loads(body, object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        raise BadRequest("The body is not valid JSON.", code="invalid_json") from error


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise BadRequest("The body names a field twice.", code="duplicate_field")
    return found
