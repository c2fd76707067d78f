"""What goes between the gateway and the process that reads a file: a head in JSON, then bytes.

Each has its length before it. A task's bytes go on to the end of the stream, an answer's come in pieces, an empty one last.
"""

from __future__ import annotations

import struct

import msgspec
from msgspec import Struct

from penstock.platforms.parse.limits import Limits
from penstock.ports import DocumentKind

LENGTH = struct.Struct(">I")
MOST_HEAD = 1 << 17
PIECE_CHARACTERS = 1 << 18
SPENT = 70
"""The exit status of a reader that had no memory left to say so."""
MOST_PIECE = 4 * PIECE_CHARACTERS


class Task(Struct, frozen=True):
    """Read the bytes that follow."""

    kind: DocumentKind
    codec: str
    limits: Limits


class Told(Struct, frozen=True):
    """A refusal with its code, or what goes with the text that follows, in UTF-8."""

    code: str = ""
    title: str = ""
    pages: tuple[int, ...] = ()


def framed(head: Struct) -> bytes:
    return piece(msgspec.json.encode(head))


def piece(told: bytes) -> bytes:
    return LENGTH.pack(len(told)) + told
