"""The embedded home served over HTTP: one process, one event loop."""

from __future__ import annotations

import asyncio
import gc
import signal
import socket
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

import uvloop

import penstock
from penstock.config import Config
from penstock.entry.access import AccessLog
from penstock.entry.door import more_files
from penstock.entry.home import opened
from penstock.entry.listener import Listener
from penstock.entry.reconciling import reconciling
from penstock.entry.reload import Again, Serving, say
from penstock.errors import Misconfigured
from penstock.gateway import Gateway, build
from penstock.wire.json import encode


def run(config: Config, notes: Sequence[str], again: Again, *, as_json: bool = False) -> int:
    """Serves until told to stop, by what `again` reads once told to; raises Misconfigured where it cannot start."""
    more_files()
    with _listening(config) as listener:
        uvloop.run(_serve(config, notes, again, listener, as_json))
    return 0


async def _serve(
    config: Config, notes: Sequence[str], again: Again, on: socket.socket, as_json: bool
) -> None:
    log = AccessLog() if config.server.access_log else None
    async with opened(config) as platform:
        gateway = build(config, platform, report)
        await gateway.start()
        listener = Listener(gateway, platform.ids.new, report, log)
        serving = Serving(gateway, listener, again, say)
        stop = _told_to_stop(serving)
        _told_to_reload(serving)
        announce(gateway, notes, on.getsockname(), as_json)
        platform.spawn(reconciling(platform, config.providers, stop, report))
        # What stands now lives as long as the process: the collector need not look at it again.
        gc.collect()
        gc.freeze()
        gc.set_threshold(50_000, 50, 50)
        await listener.serve(on, stop)
        await serving.gateway.stop()
        if log is not None:
            log.close()


def _told_to_stop(serving: Serving) -> asyncio.Event:
    """Set after SIGTERM or SIGINT and the notice; readiness goes off at once. A second SIGINT waits for nothing."""
    stop, loop = asyncio.Event(), asyncio.get_running_loop()

    def begin() -> None:
        serving.gateway.draining = True
        loop.call_later(serving.gateway.config.server.notice_seconds, stop.set)
        loop.remove_signal_handler(signal.SIGINT)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, begin)
    return stop


def _told_to_reload(serving: Serving) -> None:
    def begin() -> None:
        serving.gateway.platform.spawn(serving.reload())

    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, begin)


def report(request_id: str, error: BaseException) -> None:
    """An error nobody foresaw: where it happened, without its text, which may hold what a caller sent."""
    frames = traceback.extract_tb(error.__traceback__)[-3:]
    where = " < ".join(
        f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in reversed(frames)
    )
    line = {"level": "error", "id": request_id, "error": type(error).__name__, "where": where}
    sys.stderr.write(encode(line).decode() + "\n")


def announce(
    gateway: Gateway, notes: Sequence[str], address: tuple[str, int], as_json: bool
) -> None:
    """Says where the gateway listens and what it is made of."""
    url = f"http://{address[0]}:{address[1]}"
    if as_json:
        line = {"listening": url, "version": penstock.__version__, "notes": list(notes)}
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


def _listening(config: Config) -> socket.socket:
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
