"""Load that does not wait for answers: so many requests a second, whether or not those before them were answered.

Run by itself it prints one JSON line. What finds no free connection is counted as unsent, so a sum over all fates is what was
offered. With `--pour BYTES` each connection sends one body of that size, all at once, again and again; with `--slow` each asks
once and reads nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import selectors
import socket
import sys
import time
from collections import deque
from dataclasses import asdict, dataclass, field

TICK_SECONDS = 0.002
LATE_SECONDS = 2.0
"""An answer that took longer came too late for anybody."""


@dataclass
class Fates:
    """What became of the requests that were offered."""

    offered: int = 0
    unsent: int = 0
    good: int = 0
    late: int = 0
    refused: int = 0
    other: int = 0
    broken: int = 0
    seconds: float = 0.0
    good_ms: list[float] = field(default_factory=list)

    def told(self) -> dict[str, float]:
        found = asdict(self)
        times = sorted(found.pop("good_ms")) or [0.0]
        found["p50_ms"] = times[len(times) // 2]
        found["p99_ms"] = times[len(times) * 99 // 100]
        return found


class Line:
    """One kept connection, and what is being read on it."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.open()

    def open(self) -> None:
        self.socket = socket.create_connection(("127.0.0.1", self.port), 10)
        self.socket.setblocking(False)
        self.got = b""
        self.sent_at = 0.0

    def whole(self) -> bool:
        """Every reply here is one JSON object, and its length stands before it."""
        return self.got.endswith(b"}")


def flood(port: int, message: bytes, rate: float, connections: int, seconds: float) -> Fates:
    """Offers `rate` requests a second on so many connections; the first second is not counted."""
    fates = Fates()
    chosen = selectors.DefaultSelector()
    free: deque[Line] = deque()
    for _ in range(connections):
        line = Line(port)
        chosen.register(line.socket, selectors.EVENT_READ, line)
        free.append(line)
    began = time.monotonic()
    due, until = began, began + 1.0 + seconds
    counting = False
    while (now := time.monotonic()) < until:
        if not counting and now > began + 1.0:
            fates, counting = Fates(), True
            started = now
        wanted = int((now - due) * rate)
        due += wanted / rate
        fates.offered += wanted
        sent = min(wanted, len(free))
        fates.unsent += wanted - sent
        for _ in range(sent):
            _send(free.popleft(), message, now)
        for key, _ in chosen.select(TICK_SECONDS):
            _hear(key.data, chosen, free, fates)
    fates.seconds = time.monotonic() - started
    return fates


def _send(line: Line, message: bytes, now: float) -> None:
    line.sent_at, line.got = now, b""
    line.socket.send(message)


def _hear(line: Line, chosen: selectors.BaseSelector, free: deque[Line], fates: Fates) -> None:
    try:
        data = line.socket.recv(65_536)
    except OSError:
        data = b""
    if not data:
        fates.broken += bool(line.sent_at)
        chosen.unregister(line.socket)
        line.socket.close()
        line.open()
        chosen.register(line.socket, selectors.EVENT_READ, line)
        free.append(line)
        return
    line.got = line.got + data if line.got else data
    if line.whole():
        _count(line, fates)
        line.sent_at = 0.0
        free.append(line)


def _count(line: Line, fates: Fates) -> None:
    status, took = line.got[9:12], time.monotonic() - line.sent_at
    if status == b"200" and took <= LATE_SECONDS:
        fates.good += 1
        fates.good_ms.append(took * 1000)
    elif status == b"200":
        fates.late += 1
    elif status == b"503":
        fates.refused += 1
    else:
        fates.other += 1


def slow(port: int, message: bytes, connections: int, seconds: float) -> None:
    """Asks on each connection, and reads none of it; what the system keeps for the reader is as little as it lets."""
    lines = []
    for _ in range(connections):
        line = socket.socket()
        line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        line.connect(("127.0.0.1", port))
        line.send(message)
        lines.append(line)
    time.sleep(seconds)
    for line in lines:
        line.close()


async def pour(port: int, message: bytes, size: int, connections: int, seconds: float) -> Fates:
    """Large bodies on all connections at once; `message` is a request whose text is made so long."""
    head, _, body = message.partition(b"\r\n\r\n")
    text = body.replace(b"word00", b"x" * (size - len(body)))
    kept = [line for line in head.split(b"\r\n") if not line.startswith(b"content-length")]
    whole = b"\r\n".join([*kept, b"content-length: %d" % len(text), b"connection: close", b"", b""])
    fates, until = Fates(seconds=seconds), time.monotonic() + seconds
    async with asyncio.TaskGroup() as group:
        for _ in range(connections):
            group.create_task(_pour_on(port, whole + text, until, fates))
    return fates


async def _pour_on(port: int, message: bytes, until: float, fates: Fates) -> None:
    while time.monotonic() < until:
        fates.offered += 1
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            writer.write(message)
            async with asyncio.timeout(30):
                status = (await reader.readexactly(12))[9:]
            fates.good += status == b"200"
            fates.refused += status == b"503"
            fates.other += status not in (b"200", b"503")
        except (OSError, EOFError, TimeoutError):
            fates.broken += 1
        finally:
            writer.transport.abort()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("port", type=int)
    parser.add_argument("--rate", type=float, required=True)
    parser.add_argument("--connections", type=int, default=2_000)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--pour", type=int, default=0)
    parser.add_argument("--slow", action="store_true")
    options = parser.parse_args()
    message, many, seconds = sys.stdin.buffer.read(), options.connections, options.seconds
    if options.slow:
        slow(options.port, message, many, seconds)
        fates = Fates(offered=many)
    elif options.pour:
        fates = asyncio.run(pour(options.port, message, options.pour, many, seconds))
    else:
        fates = flood(options.port, message, options.rate, many, seconds)
    print(json.dumps(fates.told()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
