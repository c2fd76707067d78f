"""`penstock rag`: documents from the command line."""

from __future__ import annotations

import argparse

from penstock.entry.cli import rag_evaluate
from penstock.entry.cli.command import Command


def add(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    rag_evaluate.add(actions.add_parser("evaluate", help="how well judged questions find a corpus"))


def run(args: argparse.Namespace) -> int:
    return {"evaluate": rag_evaluate.run}[args.action](args)


RAG = Command("Search documents, and judge how well they are found.", add, run)
