"""A backend of a service as plain sockets: it keeps what it is sent, answers what a test says, and can be killed."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Self

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
READ_SECONDS = 20.0


@dataclass
class Came:
    """A request as its bytes came."""

    line: str
    headers: list[tuple[str, str]]
    body: bytes

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key == name]


Answer = Callable[[Came], Iterable[bytes]]


def plain(came: Came) -> Iterable[bytes]:
    return [OK]


def sized(body: bytes, *lines: str) -> bytes:
    """A whole reply."""
    head = "\r\n".join(["HTTP/1.1 200 OK", *lines, f"content-length: {len(body)}"])
    return head.encode("latin-1") + b"\r\n\r\n" + body


class Backend:
    """Listens from `start` to `stop`, each time at the same port; an empty piece of an answer closes the connection."""

    def __init__(self, answer: Answer = plain) -> None:
        self.answer = answer
        self.came: list[Came] = []
        self.probes = 0
        self.broken = threading.Event()
        """Set once a client closed a connection while it was being answered."""
        self.port = 0
        self._listener: socket.socket | None = None
        self._open: set[socket.socket] = set()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", self.port), backlog=128)
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def stop(self) -> None:
        """As if its process were killed: nobody listens, and all connections break."""
        listener, self._listener = self._listener, None
        if listener is not None:
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        for connection in tuple(self._open):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def _accept(self, listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        self._open.add(connection)
        connection.settimeout(READ_SECONDS)
        with connection, suppress(OSError):
            file = connection.makefile("rb")
            with file:
                while (came := _read(file)) is not None:
                    if not self._replied(connection, came):
                        break
        self._open.discard(connection)

    def _replied(self, connection: socket.socket, came: Came) -> bool:
        if came.line.startswith("GET /health "):
            self.probes += 1
            connection.sendall(OK)
            return True
        self.came.append(came)
        for piece in self.answer(came):
            if not piece:
                return False
            try:
                connection.sendall(piece)
            except OSError:
                self.broken.set()
                return False
        return True


def _read(file) -> Came | None:
    line = file.readline().decode("latin-1").strip()
    if not line:
        return None
    headers = []
    while text := file.readline().decode("latin-1").strip():
        name, _, value = text.partition(":")
        headers.append((name.lower(), value.strip()))
    told = dict(headers)
    if told.get("transfer-encoding") == "chunked":
        return Came(line, headers, _chunks(file))
    return Came(line, headers, file.read(int(told.get("content-length", 0))))


def _chunks(file) -> bytes:
    body = b""
    while size := int(file.readline(), 16):
        body += file.read(size)
        file.readline()
    file.readline()
    return body
