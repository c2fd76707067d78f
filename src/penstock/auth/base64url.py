"""Base64url as JOSE wants it: one spelling for each sequence of bytes."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode


def encode(data: bytes) -> str:
    """Without padding."""
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def decode(text: str) -> bytes | None:
    """The bytes, or None for padding, whitespace, foreign characters or set trailing bits."""
    try:
        data = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError:
        return None
    # Python's decoder skips what it does not know; the way back shows whether it did.
    return data if encode(data) == text else None
