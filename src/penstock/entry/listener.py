"""The HTTP server: takes connections, looks after their deadlines, and stops without cutting anyone short."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from email.utils import formatdate

from penstock.entry.connection import STOPS, Connection
from penstock.entry.door import Door
from penstock.entry.service import Log, Report
from penstock.entry.writer import Outbox
from penstock.errors import Unavailable
from penstock.gateway.bodies import Bodies
from penstock.gateway.reply import stream_error
from penstock.ports import Fetch
from penstock.wire.http import Request

SWEEP_SECONDS = 1.0
MAX_CONNECTIONS = 4_096
GRACE_SECONDS = 20.0
"""How long requests in the air may take to end once the server stops."""

SENDING_SECONDS = 5.0
"""How long what they wrote last may then take to be read."""


class Listener:
    """One listening socket and its connections."""

    def __init__(
        self, gateway: Fetch, new_id: Callable[[str], str], report: Report, log: Log | None = None
    ) -> None:
        self.gateway = gateway
        self.new_id = new_id
        self.report = report
        self.log = log or _nothing
        self.connections: set[Connection] = set()
        self.bodies = Bodies()
        self.door: Door | None = None
        self.max_connections = MAX_CONNECTIONS
        self.closing = False
        self.grace_seconds = GRACE_SECONDS
        self.date = b""
        self.cut_off = stream_error(Unavailable(STOPS))

    async def serve(self, on: socket.socket, stop: asyncio.Event) -> None:
        """Serves until `stop` is set, then lets what is in the air end."""
        loop = asyncio.get_running_loop()
        self.outbox = Outbox(loop)
        self.sweep()
        door = self.door = Door(
            on, lambda: Connection(self), self.report, self.connections, self.max_connections
        )
        sweeping = loop.create_task(self._sweep_on())
        try:
            await stop.wait()
            await door.close()
            await self._stop()
        finally:
            await door.close()
            sweeping.cancel()

    def sweep(self) -> None:
        """What is done once a second, for all connections at once: a timer for each would cost each request."""
        self.outbox.now += SWEEP_SECONDS
        self.date = f"date: {formatdate(time.time(), usegmt=True)}\r\n".encode()
        for connection in tuple(self.connections):
            try:
                connection.check()
            except Exception as error:  # noqa: BLE001 - one connection must not end the care for all
                self.report("", error)
                connection.close()
        if self.door is not None:
            if self.door.full:
                for connection in tuple(self.connections):
                    connection.make_room()
            self.door.again()

    def left(self, connection: Connection) -> None:
        """A connection is lost."""
        self.connections.discard(connection)
        if self.door is not None:
            self.door.again()

    def bound(self, connections: int, bodies: Bodies) -> None:
        """Sets how many connections may be open, and what room is for bodies."""
        self.max_connections, self.bodies = connections, bodies
        if self.door is not None:
            self.door.bound(connections)

    async def _sweep_on(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            self.sweep()

    async def _stop(self) -> None:
        self.closing = True
        for connection in tuple(self.connections):
            connection.shut()
        tasks = {
            one.task for one in self.connections if one.task is not None and not one.task.done()
        }
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=self.grace_seconds)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        with suppress(TimeoutError):
            async with asyncio.timeout(SENDING_SECONDS):
                await self._sent()
        for connection in tuple(self.connections):
            connection.close()

    async def _sent(self) -> None:
        """Returns when all replies have left this process, and with them their connections."""
        while self.connections:
            for connection in tuple(self.connections):
                connection.shut()
            await asyncio.sleep(SENDING_SECONDS / 100)


def _nothing(request: Request, status: int, seconds: float) -> None:
    """For who serves without a log."""
