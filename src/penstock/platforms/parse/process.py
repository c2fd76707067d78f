"""The `Parse` that reads each file in a process of its own."""

from __future__ import annotations

import asyncio
import codecs
import os
import re
import signal
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from itertools import pairwise

import msgspec

from penstock.errors import Unavailable
from penstock.platforms.parse.frames import LENGTH, MOST_HEAD, MOST_PIECE, SPENT, Task, Told, framed
from penstock.platforms.parse.limits import Limits
from penstock.ports import MOST_CHARACTERS, MOST_PAGES, Clock, Text
from penstock.rag import reading
from penstock.rag.canonical import MOST_TITLE
from penstock.rag.reasons import REASONS, unreadable
from penstock.rag.sniff import CALLED, Sniffed, sniff

AT_ONCE = 1
MOST_WAITING = 8
IN_PROCESS_BYTES = 64 << 10
"""Texts to this size are read here: a process takes longer to begin than they do to read."""
_IN_PROCESS = frozenset(("text", "markdown", "csv"))
_PIECE_BYTES = 1 << 18
Answer = tuple[Told, str]
"""An empty text is one that no reader of ours gives."""
_FORBIDDEN = re.compile("[\0-\x08\x0b-\x1f\x7f-\x9f]")
_TIMES = frozenset((-signal.SIGXCPU, -signal.SIGALRM))
_COMMAND = (sys.executable, "-I", "-B", "-m", "penstock.platforms.parse.child")


class ProcessParse:
    """Reads `at_once` files at a time; `aclose` it, which ends those that are being read."""

    def __init__(
        self,
        clock: Clock,
        *,
        at_once: int = AT_ONCE,
        limits: Limits | None = None,
        command: tuple[str, ...] = _COMMAND,
    ) -> None:
        self._clock = clock
        self._limits = limits or Limits()
        self._command = command
        self._places = asyncio.Semaphore(at_once)
        self._waiting = 0
        self._running: set[asyncio.subprocess.Process] = set()
        self._closed = False

    async def text(self, data: bytes, name: str = "", declared: str = "") -> Text:
        sniffed = sniff(data, name, declared)
        if sniffed.kind in _IN_PROCESS and len(data) <= IN_PROCESS_BYTES:
            return reading.read(sniffed, data)
        async with self._place():
            return await self._read(sniffed, data)

    async def aclose(self) -> None:
        """Whoever waits for a file that is being read gets Unavailable."""
        self._closed = True
        for process in self._running:
            _kill(process)

    @asynccontextmanager
    async def _place(self) -> AsyncGenerator[None]:
        if self._waiting >= MOST_WAITING:
            raise Unavailable(
                f"{self._waiting} files wait to be read already: send it again later.",
                headers=(("retry-after", str(self._limits.seconds)),),
            )
        self._waiting += 1
        try:
            await self._places.acquire()
        finally:
            self._waiting -= 1
        try:
            yield
        finally:
            self._places.release()

    async def _read(self, sniffed: Sniffed, data: bytes) -> Text:
        process = await self._start()
        self._running.add(process)
        if self._closed:
            _kill(process)
        try:
            async with self._clock.timeout(self._limits.seconds):
                await _send(process, self._task(sniffed), data)
                told = await _receive(process)
                if told is None and process.stdout is not None and process.stdout.at_eof():
                    await process.wait()
        except TimeoutError:
            raise self._refusal("document_too_slow", sniffed) from None
        finally:
            self._running.discard(process)
            await _end(process)
        return self._text(sniffed, told, process.returncode)

    async def _start(self) -> asyncio.subprocess.Process:
        if self._closed:
            raise Unavailable("The gateway is shutting down.")
        try:
            return await asyncio.create_subprocess_exec(
                *self._command,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                env={},
                cwd="/",
                start_new_session=True,
            )
        except OSError:
            raise Unavailable("No process could be started to read the file.") from None

    def _task(self, sniffed: Sniffed) -> bytes:
        return framed(Task(sniffed.kind, sniffed.codec, self._limits))

    def _text(self, sniffed: Sniffed, told: Answer | None, returned: int | None) -> Text:
        """What the process said, believed only as far as it is what a reader says."""
        if self._closed:
            raise Unavailable("The gateway is shutting down.")
        if told is None:
            raise self._died(returned or 0, sniffed)
        head, text = told
        if head.code:
            raise self._refusal(head.code, sniffed)
        if not text or not _sound(head, len(text)):
            raise self._refusal("document_too_complex", sniffed)
        return Text(sniffed.kind, text, head.title, head.pages)

    def _died(self, returned: int, sniffed: Sniffed) -> Exception:
        if returned in _TIMES:
            return self._refusal("document_too_slow", sniffed)
        if returned < 0 or returned == SPENT:
            return self._refusal("document_too_complex", sniffed)
        return Unavailable("The process that reads files ended before it answered: try again.")

    def _refusal(self, code: str, sniffed: Sniffed) -> Exception:
        gaps: dict[str, str | int] = {"kind": CALLED[sniffed.kind]}
        if code == "document_too_complex":
            gaps["most"] = self._limits.memory_bytes >> 20
        elif code == "document_too_slow":
            gaps["most"] = self._limits.seconds
        return unreadable(code if code in REASONS else "document_corrupt", **gaps)


async def _send(process: asyncio.subprocess.Process, task: bytes, data: bytes) -> None:
    """A process that ends before it was told all says why on its other side."""
    assert process.stdin is not None
    try:
        process.stdin.write(task)
        for at in range(0, len(data), _PIECE_BYTES):
            process.stdin.write(data[at : at + _PIECE_BYTES])
            await process.stdin.drain()
        process.stdin.close()
    except (BrokenPipeError, ConnectionResetError):
        return


async def _receive(process: asyncio.subprocess.Process) -> Answer | None:
    """What the process said; None where it ended before it had, or said what none of ours says."""
    assert process.stdout is not None
    try:
        head = msgspec.json.decode(await _piece(process.stdout, MOST_HEAD), type=Told)
        return head, await _pieces(process.stdout)
    except (asyncio.IncompleteReadError, msgspec.DecodeError, RecursionError):
        return None


async def _pieces(source: asyncio.StreamReader) -> str:
    """The text; empty where it is not one. A piece is checked when it comes, so that a long text does not hold the loop."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    pieces: list[str] = []
    room = MOST_CHARACTERS
    try:
        while piece := await _piece(source, MOST_PIECE):
            pieces.append(decoder.decode(piece))
            room -= len(pieces[-1])
            if room < 0 or _FORBIDDEN.search(pieces[-1]):
                return ""
        decoder.decode(b"", True)
    except UnicodeDecodeError:
        return ""
    return "".join(pieces)


async def _piece(source: asyncio.StreamReader, most: int) -> bytes:
    [size] = LENGTH.unpack(await source.readexactly(LENGTH.size))
    if size > most:
        raise asyncio.IncompleteReadError(b"", size)
    return await source.readexactly(size)


def _sound(head: Told, characters: int) -> bool:
    """Whether what goes with a text is as the port promises."""
    pages = head.pages
    return (
        len(head.title) <= MOST_TITLE
        and not _FORBIDDEN.search(head.title)
        and len(pages) <= MOST_PAGES
        and all(one <= after for one, after in pairwise((0, *pages, characters)))
    )


async def _end(process: asyncio.subprocess.Process) -> None:
    """It and whatever it started, at once; returns when it is gone, and only then lets one go who is leaving."""
    _kill(process)
    # What it said and nobody reads would hold up the news of its end.
    process._transport.close()  # type: ignore[attr-defined]  # asyncio has no public way to close its pipes
    ended = asyncio.ensure_future(process.wait())
    left: asyncio.CancelledError | None = None
    while not ended.done():
        try:
            await asyncio.shield(ended)
        except asyncio.CancelledError as leaving:
            left = leaving
    if left is not None:
        raise left


def _kill(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            return
