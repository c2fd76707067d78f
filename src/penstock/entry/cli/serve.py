"""`penstock serve`: starts the gateway."""

from __future__ import annotations

import argparse

from msgspec.structs import replace

from penstock.config import Config
from penstock.entry.cli.command import Command, configured
from penstock.entry.cli.values import port
from penstock.entry.secrets import with_issuer


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--host", help="address to listen on (default: the configuration's, 127.0.0.1)"
    )
    parser.add_argument(
        "--port", type=port, help="port to listen on, 0 for any free one (default: 8787)"
    )


def run(args: argparse.Namespace) -> int:
    from penstock.entry.server import run as serve

    def read() -> tuple[Config, list[str]]:
        loaded = configured(args)
        config = listening(loaded.config, args.host, args.port)
        return config, [f"configuration: {loaded.source}", *loaded.notes]

    config, notes = read()
    return serve(with_issuer(config), notes, read, as_json=args.json)


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
