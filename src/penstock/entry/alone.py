"""One of the reference services over HTTP: our own listener, and the service as its `Fetch`."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import uvloop
from msgspec.structs import replace

import penstock
from penstock.config import Config
from penstock.entry.access import AccessLog
from penstock.entry.door import BACKLOG, more_files
from penstock.entry.lines import report
from penstock.entry.listener import Listener
from penstock.entry.server import listening
from penstock.platforms.world import RandomIds
from penstock.wire.json import encode


class Alone(NamedTuple):
    """What a service is started with; without `port` it takes the one that the others look for."""

    name: str
    host: str
    port: int | None
    data: Path
    env: Mapping[str, str]
    as_json: bool = False


def run(start: Alone) -> int:
    """Serves until told to stop; raises Misconfigured or Missing where it cannot start."""
    more_files()
    uvloop.run(_serve(start))
    return 0


async def _serve(start: Alone) -> None:
    from penstock_services import opened
    from penstock_services.settings import PORTS, read

    settings = read(start.env, start.data)
    port = PORTS[start.name] if start.port is None else start.port
    server = replace(Config().server, host=start.host, port=port)
    log = AccessLog()
    async with opened(start.name, settings, report) as service:
        with listening(replace(Config(), server=server)) as on:
            listener = Listener(service, RandomIds().new, report, log)
            stop = asyncio.Event()
            for number in (signal.SIGTERM, signal.SIGINT):
                asyncio.get_running_loop().add_signal_handler(number, stop.set)
            on.listen(BACKLOG)
            _announce(start, on.getsockname())
            await listener.serve(on, stop)
            log.close()


def _announce(start: Alone, address: tuple[str, int]) -> None:
    url = f"http://{address[0]}:{address[1]}"
    if start.as_json:
        line = {"listening": url, "version": penstock.__version__, "service": start.name}
        sys.stderr.write(encode(line).decode() + "\n")
    else:
        lines = (
            f"penstock {penstock.__version__}",
            f"  service: {start.name}",
            f"listening on {url}",
        )
        sys.stderr.write("\n".join([*lines, ""]))
    sys.stderr.flush()
