"""`penstock rag search` and `ask`: what somebody's documents say, to look at or for programs."""

from __future__ import annotations

import argparse
import sys
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Any

from penstock.entry.cli import show
from penstock.entry.cli.command import Misused
from penstock.entry.cli.rag_home import Desk, add_owner, with_gateway
from penstock.errors import Failed
from penstock.gateway.retrieval import TOP
from penstock.rag.search import MOST_FOUND
from penstock.wire.http import JSON, Response
from penstock.wire.json import decode_object, encode

SHOWN = 96
"""Characters of a passage in a list."""
HEADS = ("SCORE", "DOCUMENT", "CHUNK", "FROM", "TO", "FILE", "TEXT")
_DATA = b"data: "
_DONE = _DATA + b"[DONE]"


def add_search(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("query", metavar="QUERY", help="what to look for")
    _add(parser)


def add_ask(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("question", metavar="QUESTION", help="what to answer, from the documents")
    _add(parser)


def _add(parser: argparse.ArgumentParser) -> None:
    add_owner(parser)
    parser.add_argument(
        "--top", type=int, default=TOP, metavar="K", help=f"passages at most (default: {TOP})"
    )
    parser.add_argument("--document", metavar="ID", help="look in this document only")


def search(args: argparse.Namespace) -> int:
    found = with_gateway(args, lambda desk: desk.json("POST", "/api/rag/search", _body(args, "query")))  # fmt: skip
    if args.json:
        show.as_json(found)
        return 0
    show.table(HEADS, map(_row, found["results"]))
    if found.get("lexicalOnly"):
        print("by words alone: no embedding model is configured", file=sys.stderr)
    return 0


def ask(args: argparse.Namespace) -> int:
    body = _body(args, "question")
    if args.json:
        show.as_json(with_gateway(args, lambda desk: desk.json("POST", "/api/rag/query", body)))
        return 0

    async def told(desk: Desk) -> dict[str, Any]:
        sent = encode(body | {"stream": True})
        return await _told(await desk.ask("POST", "/api/rag/query", sent, [JSON]))

    _print(with_gateway(args, told))
    return 0


def _body(args: argparse.Namespace, name: str) -> dict[str, Any]:
    if not 1 <= args.top <= MOST_FOUND:
        raise Misused(f"--top is from 1 to {MOST_FOUND}")
    body = {name: getattr(args, name), "topK": args.top}
    return body | ({"documentId": args.document} if args.document else {})


async def _told(response: Response) -> dict[str, Any]:
    """Prints an answer as it comes; returns the whole of it. Raises Failed where it breaks off."""
    whole: dict[str, Any] = {}
    async for event in _events(response):
        if "error" in event:
            said = event["error"]
            message = said.get("message", "") if isinstance(said, dict) else event.get("detail", "")
            print()
            raise Failed(message or "The answer broke off.")
        if "delta" in event:
            print(_clean(event["delta"]), end="", flush=True)
        whole |= event
    print()
    return whole


async def _events(response: Response) -> AsyncIterator[dict[str, Any]]:
    held = b""
    async with aclosing(_parts(response)) as parts:
        async for part in parts:
            *blocks, held = (held + part).split(b"\n\n")
            for block in blocks:
                if block.startswith(_DATA) and block != _DONE:
                    yield decode_object(block[len(_DATA) :])[0]


async def _parts(response: Response) -> AsyncGenerator[bytes]:
    if isinstance(response.body, bytes):
        yield response.body
        return
    async with aclosing(response.body) as stream:
        async for part in stream:
            yield part


def _print(whole: dict[str, Any]) -> None:
    sources = whole.get("sources", [])
    for number, one in enumerate(sources, 1):
        place = f"{one['filename']}, characters {one['start']} to {one['end']}"
        print(show.one_line(f"[{number}] {place}: {_start(one['text'])}"))
    cost = f"{whole.get('cost', 0):.9f}".rstrip("0").rstrip(".")
    print(
        f"confidence {whole.get('confidence', 0):.2f}, by {whole.get('model', '-')}, ${cost or 0}",
        file=sys.stderr,
    )


def _row(one: dict[str, Any]) -> tuple[object, ...]:
    return (
        f"{one['score']:.3f}", one["documentId"], one["chunk"], one["start"], one["end"], one["filename"],
        _start(one["text"]),
    )  # fmt: skip


def _start(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= SHOWN else line[: SHOWN - 1] + "…"


def _clean(text: str) -> str:
    """Lines stay; what could colour or move the terminal goes."""
    return "".join(char if char.isprintable() or char in "\n\t" else " " for char in text)
