"""`penstock router`: what routers learn from."""

from __future__ import annotations

import argparse

from penstock.entry.cli import router_labels
from penstock.entry.cli.command import Command


def add(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    router_labels.add(actions)


def run(args: argparse.Namespace) -> int:
    actions = {"labels": router_labels.written, "forget": router_labels.forgotten}
    return actions[args.action](args)


ROUTER = Command("Labels to learn from, and whose they are.", add, run)
