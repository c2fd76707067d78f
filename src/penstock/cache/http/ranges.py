"""Parts of a body that is kept whole (RFC 9110 §14): one range; what asks for several gets the whole."""

from __future__ import annotations

import re

Part = tuple[int, int]
"""The first byte and the one behind the last."""

NOWHERE: Part = (0, 0)
"""A range of which the body has nothing."""

_RANGE = re.compile(r"bytes=[ \t]*([0-9]{0,18})-([0-9]{0,18})[ \t]*", re.ASCII | re.IGNORECASE)


def part(wanted: str, size: int) -> Part | None:
    """The bytes a Range header names of `size`; NOWHERE for 416, None where it is to be ignored."""
    found = _RANGE.fullmatch(wanted.strip())
    if found is None or found[1] == found[2] == "":
        return None
    if not found[1]:
        last = min(int(found[2]), size)
        return (size - last, size) if last else NOWHERE
    first = int(found[1])
    if found[2] and int(found[2]) < first:
        return None
    end = min(int(found[2]) + 1, size) if found[2] else size
    return (first, end) if first < size else NOWHERE


def content_range(part: Part, size: int) -> str:
    """`bytes 0-1/10`, or `bytes */10` for NOWHERE."""
    return f"bytes {part[0]}-{part[1] - 1}/{size}" if part != NOWHERE else f"bytes */{size}"
