"""`penstock migrate`: the tables' history, and bringing them up to date."""

from __future__ import annotations

import argparse
import asyncio
import time
from pathlib import Path

import apsw

from penstock.config import Config
from penstock.entry import home
from penstock.entry.cli import show
from penstock.entry.cli.command import Command, configured, with_tables
from penstock.errors import Misconfigured
from penstock.platforms.embedded import TABLES_FILE
from penstock.platforms.memory.sqlite import VERSION
from penstock.platforms.migrations import outstanding, shipped
from penstock.ports import Tables


def add(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    actions.add_parser("status", help="which migrations are applied and which are due")
    actions.add_parser(
        "up",
        help='apply those that are due; `serve` does so too, but never with platform = "server"',
    )


def run(args: argparse.Namespace) -> int:
    return {"status": status, "up": up}[args.action](args)


def status(args: argparse.Namespace) -> int:
    """Reads only: a database that is not there yet has version 0."""
    version = version_of(configured(args).config)
    due = {step.version for step in outstanding(shipped(), version)}
    rows = [(step.version, step.name, step.version not in due) for step in shipped()]
    if args.json:
        steps = [{"version": v, "name": name, "applied": applied} for v, name, applied in rows]
        show.as_json({"version": version, "migrations": steps})
    else:
        show.table(
            ("VERSION", "NAME", "STATE"),
            [(v, name, "applied" if applied else "due") for v, name, applied in rows],
        )
    return 0


def up(args: argparse.Namespace) -> int:
    """Forward only; of two at the same time the second finds nothing left to do."""
    config = configured(args).config
    before = version_of(config)
    problem = ""
    index = {}
    if config.platform == "server":
        problem = asyncio.run(_up_server(config))
        index = {"index": problem or "ready"}
    else:
        with_tables(args, _nothing)
    after = version_of(config)
    if args.json:
        show.as_json({"before": before, "version": after, **index})
    else:
        done = f"from {before} to {after}" if before != after else f"already at {after}"
        print(f"migrated {done}" if before != after else done)
        if problem:
            print(f"documents cannot be searched: {problem}")
    return 0


def version_of(config: Config) -> int:
    """The newest migration that the tables have had."""
    if config.platform == "server":
        postgres = home.places(config).postgres
        from penstock.platforms.server import schema

        return asyncio.run(schema.version(postgres))
    file = Path(config.data) / TABLES_FILE
    return _version_in(file) if file.exists() else 0


def _version_in(file: Path) -> int:
    connection = apsw.Connection(str(file), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        [(version,)] = connection.execute(VERSION)
    except apsw.SQLError:  # no such table: made, never migrated
        return 0
    finally:
        connection.close()
    return int(version)


async def _up_server(config: Config) -> str:
    """Migrates, and makes the index; returns what hinders the index alone, which nothing else needs."""
    from penstock.platforms.server import index_schema, schema

    postgres = config.stores.postgres
    await schema.migrate(postgres, shipped("postgres"), time.time())
    runner = home.local_runner(config)
    model, dimension = home.embeds(config, runner)
    if runner is not None:
        await runner.aclose()
    try:
        await index_schema.prepare(postgres, model, dimension)
    except Misconfigured as error:
        return error.message
    return ""


async def _nothing(tables: Tables) -> None:
    """Opening the embedded tables migrates them."""


MIGRATE = Command("Show which migrations the tables have had, or bring them up to date.", add, run)
