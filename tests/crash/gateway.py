"""`python -m tests.crash.gateway`: `penstock serve` by its own entry, with fail-points around the platform's ports."""

from __future__ import annotations

import argparse
import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from penstock.config import Config
from penstock.entry.home import opened
from penstock.entry.secrets import with_issuer
from penstock.entry.server import Start, run
from penstock.entry.settings import load
from penstock.ports import Platform
from tests.crash.doomed import doomed
from tests.crash.fuse import Fuse


def main() -> int:
    """Serves until told to stop, or until it kills itself."""
    args = _arguments()
    fuse = Fuse(args.point, args.passing, args.turns)

    @asynccontextmanager
    async def opens(config: Config) -> AsyncGenerator[Platform]:
        async with opened(config) as platform:
            yield doomed(platform, fuse, reconciling=args.reconciling, ahead=args.ahead)

    def read() -> tuple[Config, list[str]]:
        loaded = load(args.config, os.environ)
        return loaded.config, loaded.notes

    config, notes = read()
    return run(Start(with_issuer(config), notes, read, open=opens))


def _arguments() -> argparse.Namespace:
    line = argparse.ArgumentParser(prog="python -m tests.crash.gateway")
    line.add_argument("--config", required=True)
    line.add_argument("--point", default="", help="where it dies; nowhere without")
    line.add_argument("--passing", type=int, default=1, help="at which passing of it")
    line.add_argument("--turns", type=int, default=0, help="of the loop, at a point `during`")
    line.add_argument("--ahead", type=float, default=0.0, help="seconds its clock is ahead")
    line.add_argument("--reconciling", action="store_true", help="its batches are a reconciler's")
    return line.parse_args()


if __name__ == "__main__":
    raise SystemExit(main())
