"""Listening: on 127.0.0.1 only, until told to end; signals make it refuse and accept again."""

from __future__ import annotations

import asyncio
import signal
import ssl
import sys

from load.fake_provider.server import Connection, Server
from load.fake_provider.settings import Settings

HOST = "127.0.0.1"
BACKLOG = 4_096


class Listener:
    """The listening socket, which can be closed and opened again on the same port."""

    def __init__(self, settings: Settings, server: Server) -> None:
        self.server = server
        self.port = settings.port
        self.tls = _tls(settings)
        self.listening: asyncio.Server | None = None

    async def open(self) -> None:
        """Listens and says so on standard output."""
        loop = asyncio.get_running_loop()
        self.listening = await loop.create_server(
            lambda: Connection(self.server),
            HOST,
            self.port,
            ssl=self.tls,
            backlog=BACKLOG,
            reuse_address=True,
        )
        self.port = self.listening.sockets[0].getsockname()[1]
        _say(f"listening on {'https' if self.tls else 'http'}://{HOST}:{self.port}")

    async def close(self) -> None:
        """Stops listening and resets every connection, so that clients are refused."""
        if self.listening:
            self.listening.close()
            self.listening = None
        for connection in list(self.server.connections):
            connection.reset()
        await asyncio.sleep(0)

    async def refuse(self) -> None:
        """Closes and says so."""
        await self.close()
        _say("refusing")


async def serve(settings: Settings) -> None:
    """Serves until SIGTERM or SIGINT; SIGUSR1 refuses connections, SIGUSR2 accepts them again."""
    loop = asyncio.get_running_loop()
    listener = Listener(settings, Server(settings, loop))
    ended = asyncio.Event()
    tasks: set[asyncio.Task[None]] = set()

    def spawn(refuse: bool) -> None:
        task = asyncio.ensure_future(listener.refuse() if refuse else listener.open())
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    if settings.end_with_stdin:
        loop.add_reader(sys.stdin, ended.set)
    loop.add_signal_handler(signal.SIGUSR1, spawn, True)
    loop.add_signal_handler(signal.SIGUSR2, spawn, False)
    await listener.open()
    await ended.wait()
    await listener.close()


def _tls(settings: Settings) -> ssl.SSLContext | None:
    if settings.certificate is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(settings.certificate, settings.certificate_key)
    return context


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
