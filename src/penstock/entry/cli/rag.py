"""`penstock rag`: documents from the command line."""

from __future__ import annotations

import argparse

from penstock.entry.cli import rag_documents, rag_evaluate, rag_ingest, rag_reindex, rag_search
from penstock.entry.cli.command import Command


def add(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    rag_ingest.add(actions.add_parser("ingest", help="take files in, as somebody's documents"))
    rag_search.add_search(actions.add_parser("search", help="find passages"))
    rag_search.add_ask(actions.add_parser("ask", help="answer a question, with citations"))
    rag_documents.add_list(actions.add_parser("list", help="list somebody's documents"))
    rag_documents.add_delete(actions.add_parser("delete", help="delete documents"))
    rag_reindex.add(actions.add_parser("reindex", help="index all documents by the model configured now"))  # fmt: skip
    rag_evaluate.add(actions.add_parser("evaluate", help="how well judged questions find a corpus"))


def run(args: argparse.Namespace) -> int:
    return {
        "ingest": rag_ingest.run,
        "search": rag_search.search,
        "ask": rag_search.ask,
        "list": rag_documents.listing,
        "delete": rag_documents.delete,
        "reindex": rag_reindex.run,
        "evaluate": rag_evaluate.run,
    }[args.action](args)


RAG = Command("Take documents in, search and ask them, and judge how well they are found.", add, run)  # fmt: skip
