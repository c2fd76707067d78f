"""`penstock serve`: starts the gateway."""

from __future__ import annotations

import argparse

from msgspec.structs import replace

from penstock.config import Config
from penstock.entry.cli.command import Command, Misused, configured
from penstock.entry.cli.values import port, workers
from penstock.entry.secrets import with_issuer


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--host", help="address to listen on (default: the configuration's, 127.0.0.1)"
    )
    parser.add_argument(
        "--port", type=port, help="port to listen on, 0 for any free one (default: 8787)"
    )

    parser.add_argument(
        "--workers", type=workers, default=1, metavar="N",
        help='processes that serve the port together (platform = "server"; default: 1)',
    )  # fmt: skip


def run(args: argparse.Namespace) -> int:
    from penstock.entry.judging import given
    from penstock.entry.server import Start
    from penstock.entry.server import run as serve

    def read() -> tuple[Config, list[str]]:
        loaded = configured(args)
        config = listening(loaded.config, args.host, args.port)
        return config, [f"configuration: {loaded.source}", *loaded.notes]

    config, notes = read()
    given(config)  # what its judges need is told before anything listens
    if args.workers > 1 and config.platform != "server":
        raise Misused(
            f'--workers {args.workers} needs platform = "server": the embedded home is one process\'s'
        )
    return serve(Start(with_issuer(config), notes, read, args.json, args.workers))


def listening(config: Config, host: str | None, port: int | None) -> Config:
    """The configuration with what the command line says of where to listen."""
    server = config.server
    return replace(
        config,
        server=replace(
            server, host=host or server.host, port=server.port if port is None else port
        ),
    )


SERVE = Command("Start the gateway.", add, run)
