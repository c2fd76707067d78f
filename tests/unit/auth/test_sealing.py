"""Sealing to a place: opens there, by its master key, and nowhere else."""

from __future__ import annotations

import asyncio

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from penstock.auth.sealing import Master, Sealed, masters, opened, seal
from penstock.platforms.crypto import Signatures

OLD, NEW = masters([b"o" * 32, b"n" * 32])
NAMES = st.text(max_size=12)


def sealed(master: Master, secret: str, place: tuple[str, str], nonce: bytes = bytes(12)) -> Sealed:
    return asyncio.run(seal(Signatures(), master, nonce, secret, place))


def found(known: tuple[Master, ...], one: Sealed, place: tuple[str, str]) -> str | None:
    return asyncio.run(opened(Signatures(), known, one, place))


@given(st.text(max_size=80), NAMES, NAMES, NAMES, NAMES)
def test_it_opens_at_its_own_place_only(secret: str, a: str, b: str, c: str, d: str) -> None:
    one = sealed(NEW, secret, (a, b))
    assert found((NEW, OLD), one, (a, b)) == secret
    assert ((a, b) == (c, d)) == (found((NEW,), one, (c, d)) is not None)


def test_names_do_not_run_together() -> None:
    one = sealed(NEW, "secret", ("ab", "c"))
    for place in (("a", "bc"), ("abc", ""), ("c", "ab")):
        assert found((NEW,), one, place) is None


def test_old_master_keys_open_and_others_do_not() -> None:
    one = sealed(OLD, "secret", ("t", "p"))
    assert found((NEW, OLD), one, ("t", "p")) == "secret"
    assert found((NEW,), one, ("t", "p")) is None
    assert found((NEW,), replace(one, master=NEW.id), ("t", "p")) is None
    assert found((), one, ("t", "p")) is None


@given(st.text(max_size=60))
def test_what_was_spoiled_opens_nothing(text: str) -> None:
    assert found((NEW,), Sealed(NEW.id, text), ("t", "p")) is None


def test_an_id_says_nothing_of_its_key() -> None:
    assert OLD.id != NEW.id
    assert len(OLD.key) == 32
    assert not OLD.key.hex().startswith(OLD.id)
    assert b"o" * 8 not in OLD.key
