"""`penstock alerts`: what fires and what was told, and whether each channel works."""

from __future__ import annotations

import argparse
import asyncio
import time
from typing import Any

from penstock.config import Config
from penstock.entry.cli import show
from penstock.entry.cli.command import Command, Misused, configured, with_tables
from penstock.gateway.alerts import OUTCOMES, listed
from penstock.gateway.notices import TEST
from penstock.gateway.sending import Outcome, Outside, send
from penstock.ledger.alerts.turns import Notice
from penstock.platforms.http import Http
from penstock.platforms.mail import SmtpMail
from penstock.platforms.world import RandomIds, RealClock
from penstock.ports import Tables


def add(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    actions.add_parser(
        "list", help="say what fires now, what was told lately, and whether it arrived",
        description="Say what fires now, what was told lately, and whether it arrived.",
    )  # fmt: skip
    test = actions.add_parser(
        "test", help="send a test through each channel and say what came back",
        description="Send a test through each channel and say what came back; 1 where one did not take it.",
    )  # fmt: skip
    test.add_argument(
        "--channel", action="append", default=[], metavar="NAME", help="only this one, repeatable"
    )


def run(args: argparse.Namespace) -> int:
    return _list(args) if args.action == "list" else _test(args)


def _list(args: argparse.Namespace) -> int:
    config = configured(args).config

    async def work(tables: Tables) -> dict[str, Any]:
        return await listed(tables, config)

    found = with_tables(args, work)
    if args.json:
        show.as_json(found)
    else:
        _print(found)
    return 0


def _print(found: dict[str, Any]) -> None:
    if not found["channels"]:
        print("no channel is configured: add [alerting.channels.NAME]")
        return
    show.table(
        ["CHANNEL", "KIND", *[one.upper().replace("_", " ") for one in OUTCOMES]],
        [list(one.values()) for one in found["channels"]],
    )
    print()
    names = ("severity", "rule", "subject", "since")
    if not found["firing"]:
        print("nothing fires")
    else:
        heads = [name.upper() for name in names]
        show.table(heads, [[one[name] for name in names] for one in found["firing"]])
    for notice in found["notices"][:10]:
        sent = ", ".join(f"{one['channel']}: {one['outcome']}" for one in notice["deliveries"])
        print(show.one_line(f"\n{notice['at']}  {notice['title']}  ({sent})".lstrip()))
        for line in notice["lines"]:
            print(show.one_line(f"  {line}"))


def _test(args: argparse.Namespace) -> int:
    config = configured(args).config
    channels = args.channel or list(config.alerting.channels)
    if not channels:
        raise Misused("no channel is configured; add [alerting.channels.NAME]")
    for name in channels:
        if name not in config.alerting.channels:
            known = ", ".join(config.alerting.channels) or "none"
            raise Misused(f"no channel is called {name}; there are {known}")
    found = asyncio.run(_tried(config, channels))
    rows = [(name, config.alerting.channels[name].kind, *outcome) for name, outcome in found]
    if args.json:
        names = ("channel", "kind", "arrived", "status")
        show.as_json({"channels": [dict(zip(names, row, strict=True)) for row in rows]})
    else:
        told = [(name, kind, "yes" if arrived else "no", status) for name, kind, arrived, status in rows]  # fmt: skip
        show.table(["CHANNEL", "KIND", "ARRIVED", "STATUS"], told)
    return 0 if all(outcome.arrived for _, outcome in found) else 1


async def _tried(config: Config, channels: list[str]) -> list[tuple[str, Outcome]]:
    http, mail = Http(), SmtpMail()
    try:
        world = Outside(http, RealClock(), mail)
        now = int(time.time() * 1000)
        notice = Notice(RandomIds().new("ntc_"), now, TEST, TEST, TEST, 0, ())
        return [(name, await send(world, config, name, notice)) for name in channels]
    finally:
        mail.close()
        await http.close()


ALERTS = Command("Say what fires and what was told; test the channels.", add, run)
