"""Addresses as a configuration may write them."""

from __future__ import annotations

from urllib.parse import SplitResult, urlsplit


def parts_of(text: str) -> SplitResult | None:
    """The parts of an address, None where it is no whole http(s) one."""
    try:
        url = urlsplit(text)
        _ = url.port  # raises where it is no number
    except ValueError:
        return None
    plain = text.isprintable() and " " not in text
    return url if plain and url.scheme in {"http", "https"} and url.hostname else None


def shown(text: str) -> str:
    """An address for people to read, without a password that it may hold."""
    url = urlsplit(text)
    return f"{url.scheme}://{url.netloc.rpartition('@')[2]}{url.path}" if url.scheme else ""
