"""The gateway served over HTTP: a process, or several on one socket, each with one event loop."""

from __future__ import annotations

import asyncio
import gc
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import NamedTuple

import uvloop

import penstock
from penstock.config import Config
from penstock.entry import judging
from penstock.entry.access import AccessLog, shared_output
from penstock.entry.board import Board, sharing
from penstock.entry.door import BACKLOG, more_files
from penstock.entry.home import check, opened
from penstock.entry.lines import as_json, report
from penstock.entry.listener import Listener
from penstock.entry.probing import probing
from penstock.entry.processes import Place, Processes
from penstock.entry.reconciling import reconciling
from penstock.entry.reload import Again, Serving, say
from penstock.entry.upkeeping import upkeeping
from penstock.errors import Error, Misconfigured
from penstock.gateway import build
from penstock.ports import Platform
from penstock.wire.json import encode


class Start(NamedTuple):
    """What a server is started with; `again` reads the configuration anew."""

    config: Config
    notes: Sequence[str]
    again: Again
    as_json: bool = False
    workers: int = 1
    open: Callable[[Config], AbstractAsyncContextManager[Platform]] = opened


def run(start: Start) -> int:
    """Serves until told to stop; raises Misconfigured where it cannot start."""
    more_files()
    # SIGHUP waits until it can be heard: by default it would end a process that is starting.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})
    try:
        with as_json(), listening(start.config) as on:
            return _run(start, on)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _run(start: Start, on: socket.socket) -> int:
    if start.workers == 1:
        uvloop.run(_serve(start, on))
        return 0
    # What all would stumble over is said once.
    uvloop.run(check(start.config))
    board = Board(start.workers)
    return Processes(start.workers, partial(_work, start, on, board)).run()


def _work(start: Start, on: socket.socket, board: Board, place: Place) -> int:
    try:
        uvloop.run(_serve(start, on, place, board))
    except Error as error:
        say({"level": "error", "process": place.number, "code": error.code, "error": error.message})
        return 1
    return 0


async def _serve(
    start: Start, on: socket.socket, place: Place | None = None, board: Board | None = None
) -> None:
    config = start.config
    log = AccessLog(shared_output if place else None) if config.server.access_log else None
    async with start.open(config) as platform:
        gateway = build(config, platform, report)
        judging.equip(gateway, judging.given(config))
        await gateway.start()
        listener = Listener(gateway, platform.ids.new, report, log)
        serving = Serving(gateway, listener, start.again, say)
        stop = _told_to_stop(serving, place)
        _told_to_reload(serving)
        # Whoever reads where it listens may connect at once, and waits for what is still done here.
        on.listen(BACKLOG)
        if place is None or place.number == 0:
            announce(start, on.getsockname())
        if place is not None and board is not None:
            platform.spawn(sharing(board, place.number, gateway, stop))
        platform.spawn(probing(serving, stop))
        platform.spawn(reconciling(platform, config.providers, stop, report))
        platform.spawn(upkeeping(serving, stop))
        # What stands now lives as long as the process: the collector need not look at it again.
        gc.collect()
        gc.freeze()
        gc.set_threshold(50_000, 50, 50)
        await listener.serve(on, stop)
        await serving.gateway.stop()
        if log is not None:
            log.close()


def _told_to_stop(serving: Serving, place: Place | None) -> asyncio.Event:
    """Set after SIGTERM, SIGINT or the parent's end, and the notice; readiness goes off at once. A second SIGINT waits for nothing."""
    stop, loop = asyncio.Event(), asyncio.get_running_loop()

    def begin() -> None:
        if place is not None:
            loop.remove_reader(place.parent)
        serving.gateway.draining = True
        loop.call_later(serving.gateway.config.server.notice_seconds, stop.set)
        loop.remove_signal_handler(signal.SIGINT)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, begin)
    if place is not None:
        loop.add_reader(place.parent, begin)
    return stop


def _told_to_reload(serving: Serving) -> None:
    def begin() -> None:
        serving.gateway.platform.spawn(serving.reload())

    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, begin)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGHUP})


def announce(start: Start, address: tuple[str, int]) -> None:
    """Says where the gateway listens and what it is made of."""
    url, notes = f"http://{address[0]}:{address[1]}", list(start.notes)
    if start.config.server.dashboard:
        notes.append(f"dashboard: {url}/dashboard")
    if start.workers > 1:
        notes.append(f"processes: {start.workers}")
    if start.as_json:
        line = {"listening": url, "version": penstock.__version__, "notes": notes}
        sys.stderr.write(encode(line).decode() + "\n")
    else:
        lines = [
            f"penstock {penstock.__version__}",
            *[f"  {note}" for note in notes],
            f"listening on {url}",
            "",
        ]
        sys.stderr.write("\n".join(lines))
    sys.stderr.flush()


def listening(config: Config) -> socket.socket:
    """A socket where the configuration says; raises Misconfigured where something else has it."""
    host, port = config.server.host, config.server.port
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise Misconfigured(
            f"{host}:{port} cannot be listened on ({error.strerror}): stop what uses it, or give --port"
        ) from error
    return listener
