"""`penstock services`: one of the reference backends, alone."""

from __future__ import annotations

import argparse
import os
from importlib.util import find_spec
from pathlib import Path

from penstock.entry.cli.command import Command, configured
from penstock.entry.cli.values import port
from penstock.errors import Missing

NAMES = ("auth", "chat", "billing")


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", choices=NAMES, metavar="NAME", help=", ".join(NAMES))
    parser.add_argument(
        "--host", default="127.0.0.1", help="address to listen on (default: 127.0.0.1)"
    )
    parser.add_argument(
        "--port",
        type=port,
        help="port to listen on, 0 for any free one (default: 8801, 8802, 8803 in their order)",
    )
    parser.add_argument(
        "--data",
        type=Path,
        metavar="FOLDER",
        help="its folder `services` holds their tables (default: the configuration's `data`)",
    )


def run(args: argparse.Namespace) -> int:
    if find_spec("penstock_services") is None:
        raise Missing("The services are not installed: pip install 'penstock[services]'")
    from penstock.entry.alone import Alone
    from penstock.entry.alone import run as serve

    data = args.data or Path(configured(args).config.data)
    return serve(Alone(args.name, args.host, args.port, data, os.environ, args.json))


SERVICES = Command("Run one of the reference backends alone.", add, run)
