"""The door: no more inside than there is room for; who waits outside comes in when another goes."""

from __future__ import annotations

import asyncio
import errno
import resource
import socket
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest

from penstock.entry.door import SPARE_FILES, Door
from tests.inbound import turns


class Guest(asyncio.Protocol):
    def __init__(self, inside: set[Guest]) -> None:
        self.inside = inside

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.inside.add(self)


class House:
    def __init__(self, most: int) -> None:
        self.socket = socket.socket()
        self.socket.bind(("127.0.0.1", 0))
        self.inside: set[Guest] = set()
        self.reports: list[BaseException] = []
        self.outside: list[socket.socket] = []
        self.door = Door(
            self.socket, lambda: Guest(self.inside), lambda _, error: self.reports.append(error),
            self.inside, most,
        )  # fmt: skip

    async def ring(self, number: int) -> None:
        """So many connect; returns once whoever may come in is inside."""
        self.outside += [socket.create_connection(self.socket.getsockname()) for _ in range(number)]
        await turns(200)

    def one_goes(self) -> None:
        guest = self.inside.pop()
        guest.transport.close()
        self.door.again()


@pytest.fixture
async def two() -> AsyncIterator[House]:
    house = House(2)
    yield house
    with suppress(OSError):
        await house.door.close()
    for guest in house.inside:
        guest.transport.close()
    for outside in house.outside:
        outside.close()
    await turns()


async def test_no_more_come_in_than_there_is_room_for(two: House) -> None:
    await two.ring(5)
    assert len(two.inside) == 2
    assert two.door.full
    two.one_goes()
    await turns(200)
    assert len(two.inside) == 2


async def test_a_wider_door_lets_the_others_in(two: House) -> None:
    await two.ring(3)
    two.door.bound(3)
    two.door.again()
    await turns(200)
    assert len(two.inside) == 3


async def test_without_files_it_waits_for_the_next_second(
    two: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Spent:
        def accept(self) -> None:
            raise OSError(errno.EMFILE, "Too many open files")

    listening = two.door._on
    monkeypatch.setattr(two.door, "_on", Spent())
    two.door._loop.remove_reader(listening)
    two.door._loop.add_reader(listening, two.door._take)
    monkeypatch.setattr(two.door._loop, "remove_reader", lambda _: removed.append(listening))
    removed: list[socket.socket] = []
    two.door._take()
    assert removed == [listening]
    assert len(two.reports) == 1
    monkeypatch.undo()
    two.door._loop.remove_reader(listening)
    two.door.again()
    await two.ring(1)
    assert len(two.inside) == 1


async def test_each_may_need_a_second_file(two: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (SPARE_FILES + 2, 1_000))
    two.door.bound(500)
    await two.ring(2)
    assert len(two.inside) == 1


async def test_closed_it_lets_nobody_in(two: House) -> None:
    address = two.socket.getsockname()
    await two.door.close()
    await two.door.close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address)
