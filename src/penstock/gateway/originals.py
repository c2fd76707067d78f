"""Documents as they came, in pieces that every store of blobs takes."""

from __future__ import annotations

from penstock.ports import Blobs

PIECE_BYTES = 1 << 20
FOREVER = 100 * 365 * 24 * 3600.0


async def put(blobs: Blobs, id: str, data: bytes) -> None:
    """Raises Unavailable where there is no room."""
    for number, start in enumerate(range(0, len(data), PIECE_BYTES)):
        await blobs.put(_place(id, number), data[start : start + PIECE_BYTES], FOREVER)


async def get(blobs: Blobs, id: str, size: int) -> bytes | None:
    """All of it, or None where a piece is not there."""
    parts: list[bytes] = []
    for number in range(-(-size // PIECE_BYTES)):
        part = await blobs.get(_place(id, number))
        if part is None:
            return None
        parts.append(part)
    data = b"".join(parts)
    return data if len(data) == size else None


async def delete(blobs: Blobs, id: str, size: int) -> None:
    """What is there of it."""
    for number in range(-(-size // PIECE_BYTES)):
        await blobs.delete(_place(id, number))


def _place(id: str, number: int) -> str:
    return f"documents/{id}/{number}"
