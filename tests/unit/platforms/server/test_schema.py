"""An address is told without its password, also where it was not written as an address asks."""

from __future__ import annotations

import pytest

from penstock.platforms.server.schema import place


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("postgresql://user:word@host:5432/name?sslmode=require", "host:5432/name"),
        ("postgresql://host/name?password=word", "host/name"),
        ("postgresql:///name?host=/run", "the local server/name"),
        ("rediss://:word@[::1]:6379/0", "[::1]:6379/0"),
        ("postgresql://user:secret@secret/secret@host/name", "host/name"),
        ("redis://user:12/secret@host:6379/0", "host:6379/0"),
        ("postgresql://user:secret?secret@host/name", "the server"),
        ("postgresql://user:secret#secret@host/name", "the server"),
        ("postgresql://user:secret@host/name?password=se@cret", "the server"),
    ],
)
def test_a_place_says_no_password(address: str, told: str) -> None:
    assert place(address) == told
