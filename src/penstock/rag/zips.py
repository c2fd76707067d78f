"""What a ZIP archive says it holds, and the bytes of one part; nothing is unpacked that was not checked first.

Read by hand because a directory is hostile: it may list a million parts, lie about their sizes, lay one over another, or
name files outside. APPNOTE.TXT 4.3; of Zip64 the sizes, which some writers put there whatever they are.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import NamedTuple

from penstock.ports import MOST_UNPACKED_BYTES
from penstock.rag.reasons import MOST_PARTS, unreadable

PIECE_BYTES = 1 << 20
_FED_BYTES = 1 << 18

_END = struct.Struct("<4s4H2LH")
_ENTRY = struct.Struct("<4s4B4HL2L5H2L")
_FIELD = struct.Struct("<2H")
_WIDE = struct.Struct("<Q")
_LOCAL = struct.Struct("<4s5H3L2H")
_MOST_COMMENT = 0xFFFF
_ENCRYPTED, _UTF8 = 1, 1 << 11
_STORED, _DEFLATED = 0, 8
_ZIP64 = 0xFFFFFFFF


class Part(NamedTuple):
    """One file in the archive: where its local header begins, and what it is packed and unpacked, in bytes."""

    start: int
    packed: int
    size: int
    method: int


Parts = dict[str, Part]


def parts(data: bytes) -> Parts:
    """The files by name, in order; Unreadable where that is no document's archive."""
    count, size, place = _end(data)
    if count > MOST_PARTS:
        raise unreadable("document_bomb")
    found: Parts = {}
    at = place
    for _ in range(count):
        name, part, at = _entry(data, at)
        if name in found:
            raise unreadable("document_unsafe")
        if not name.endswith("/"):
            found[name] = part
    if at != place + size:
        raise unreadable("document_corrupt")
    if sum(part.size for part in found.values()) > MOST_UNPACKED_BYTES:
        raise unreadable("document_bomb")
    return found


def unpack(data: bytes, part: Part) -> Iterator[bytes]:
    """Its bytes, in pieces; never more than the directory says."""
    try:
        mark, *_, names, extra = _LOCAL.unpack_from(data, part.start)
    except struct.error:
        raise unreadable("document_corrupt") from None
    begin = part.start + _LOCAL.size + names + extra
    if mark != b"PK\3\4" or begin + part.packed > len(data):
        raise unreadable("document_corrupt")
    packed = memoryview(data)[begin : begin + part.packed]
    pieces = _inflate(packed) if part.method == _DEFLATED else iter((bytes(packed),))
    left = part.size
    for piece in pieces:
        left -= len(piece)
        if left < 0:
            raise unreadable("document_bomb")
        yield piece
    if left:
        raise unreadable("document_corrupt")


def _inflate(packed: memoryview) -> Iterator[bytes]:
    machine = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        for at in range(0, len(packed), _FED_BYTES):
            fed: bytes | memoryview = packed[at : at + _FED_BYTES]
            while fed and not machine.eof:
                yield machine.decompress(fed, PIECE_BYTES)
                fed = machine.unconsumed_tail
    except zlib.error:
        raise unreadable("document_corrupt") from None
    yield machine.flush(PIECE_BYTES)
    if not machine.eof:
        raise unreadable("document_corrupt")


def ends(data: bytes) -> bool:
    """Whether it ends as an archive does, whatever it begins as."""
    at = _mark(data)
    return at >= 0 and at + _END.size + _END.unpack_from(data, at)[-1] == len(data)


def _mark(data: bytes) -> int:
    """Where the last record begins, -1 without one."""
    return data.rfind(b"PK\5\6", max(0, len(data) - _END.size - _MOST_COMMENT), -_END.size + 4)


def _end(data: bytes) -> tuple[int, int, int]:
    """How many entries the directory has, its size and its place."""
    at = _mark(data)
    if at < 0:
        raise unreadable("document_corrupt")
    _, disk, first_disk, here, count, size, place, comment = _END.unpack_from(data, at)
    whole = at + _END.size + comment == len(data) and place + size == at
    if disk or first_disk or here != count or not whole:
        raise unreadable("document_corrupt")
    return count, size, place


def _entry(data: bytes, at: int) -> tuple[str, Part, int]:
    """A part with its name, and where the next entry begins."""
    try:
        fields = _ENTRY.unpack_from(data, at)
    except struct.error:
        raise unreadable("document_corrupt") from None
    mark, flags, method = fields[0], fields[5], fields[6]
    names, extra, comment = fields[12:15]
    end = at + _ENTRY.size + names
    if mark != b"PK\1\2" or end + extra > len(data):
        raise unreadable("document_corrupt")
    size, packed, start = _wide((fields[11], fields[10], fields[18]), data[end : end + extra])
    if start >= len(data):
        raise unreadable("document_corrupt")
    if flags & _ENCRYPTED:
        raise unreadable("document_encrypted")
    if method not in (_STORED, _DEFLATED) or (method == _STORED and packed != size):
        raise unreadable("document_corrupt")
    name = data[at + _ENTRY.size : end].decode("utf-8" if flags & _UTF8 else "cp437", "replace")
    if not _inside(name):
        raise unreadable("document_unsafe")
    return name, Part(start, packed, size, method), end + extra + comment


def _wide(told: tuple[int, int, int], extra: bytes) -> Iterator[int]:
    """Numbers of four bytes, or of eight in the field of Zip64 where those are all ones."""
    wide = memoryview(b"")
    while len(extra) >= _FIELD.size:
        kind, size = _FIELD.unpack_from(extra)
        if kind == 1:
            wide = memoryview(extra)[_FIELD.size : _FIELD.size + size]
        extra = extra[_FIELD.size + size :]
    for number in told:
        if number != _ZIP64:
            yield number
            continue
        if len(wide) < _WIDE.size:
            raise unreadable("document_corrupt")
        yield _WIDE.unpack_from(wide)[0]
        wide = wide[_WIDE.size :]


def _inside(name: str) -> bool:
    """Whether a name stays where the archive is unpacked; ours never is, but the next reader's may be."""
    return not (
        not name
        or name.startswith("/")
        or "\\" in name
        or "\0" in name
        or ":" in name.split("/", 1)[0]
        or ".." in name.split("/")
    )
