"""`penstock rag ingest`: files and directories into somebody's documents, each ready or with the reason why not."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from penstock.entry.cli import show
from penstock.entry.cli.command import Misused
from penstock.entry.cli.progress import Bar
from penstock.entry.cli.rag_home import Desk, add_owner, with_gateway
from penstock.errors import Error
from penstock.gateway.documents import PREFIX
from penstock.rag.sniff import SUFFIXES
from penstock.wire.json import decode_object

LOOK_SECONDS = 0.2
MOST_BYTES = 32 << 20
"""Of a file that is read at all; what a tier takes is less."""
HEADS = ("FILE", "STATUS", "CHUNKS", "DOCUMENT")


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "paths", nargs="+", metavar="PATH", help="a file, or a directory with all below it"
    )
    add_owner(parser)
    parser.add_argument(
        "--shared", action="store_true", help="for everybody of the tenant, whom it then belongs to"
    )


def run(args: argparse.Namespace) -> int:
    files = list(dict.fromkeys(_files(args.paths)))
    if not files:
        raise Misused(f"there is no document in there; their names end in {', '.join(SUFFIXES)}")

    async def work(desk: Desk) -> list[dict[str, Any]]:
        bar = Bar("ingesting", sum(map(_size, files)))
        done, found = 0, []
        try:
            for file in files:
                bar.at(done)
                found.append(await _ingested(desk, file, args.shared, bar, done))
                done += _size(file)
        finally:
            bar.end()
        return found

    found = with_gateway(args, work)
    failed = [one for one in found if one["status"] != "ready"]
    if args.json:
        show.as_json({"documents": found, "ready": len(found) - len(failed), "failed": len(failed)})
    else:
        rows = [
            (one["file"], one["status"], one.get("chunks", ""), one.get("documentId", ""))
            for one in found
        ]
        show.table(HEADS, rows)
        for one in failed:
            said = show.one_line(f"{one['file']}: {one['reason']}: {one['message']}")
            print(said, file=sys.stderr)
    return 1 if failed else 0


def _files(paths: list[str]) -> Iterator[Path]:
    """Each path that is a file, and below each directory those whose names end as documents' do; hidden ones are passed by."""
    for name in paths:
        path = Path(name)
        if not path.is_dir():
            path.stat()  # what was named and is not there is a mistake, before anything is taken in
            yield path
            continue
        for folder, folders, names in os.walk(path):
            folders[:] = sorted(one for one in folders if not one.startswith("."))
            for one in sorted(names):
                if not one.startswith(".") and one.rpartition(".")[2].lower() in SUFFIXES:
                    yield Path(folder) / one


async def _ingested(desk: Desk, file: Path, shared: bool, bar: Bar, before: int) -> dict[str, Any]:
    try:
        data = _read(file)
    except OSError as error:
        return {
            "file": str(file),
            "status": "failed",
            "reason": "io_error",
            "message": _said(error),
        }
    try:
        sent = await desk.ask("POST", "/api/rag/upload", *form(data, file.name, shared))
        assert isinstance(sent.body, bytes)
        found = decode_object(sent.body)[0]
        while found["status"] not in ("ready", "failed"):
            await desk.gateway.platform.clock.sleep(LOOK_SECONDS)
            found = await desk.json("GET", PREFIX + found["documentId"])
            bar.at(before + len(data) * found["done"] // max(1, found["chunks"]))
    except Error as error:
        known = (error.extra.get("body") or {}) if error.extra else {}
        return {"file": str(file), "status": "failed", "reason": error.code, "message": error.message} | known  # fmt: skip
    return {"file": str(file)} | found


def _said(error: OSError) -> str:
    return f"It cannot be read: {(error.strerror or 'error').lower()}."


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:
        return 0  # gone meanwhile, or a link to nothing: reading it says so


def _read(file: Path) -> bytes:
    with file.open("rb") as opened:
        return opened.read(MOST_BYTES + 1)


def form(data: bytes, name: str, shared: bool) -> tuple[bytes, list[tuple[str, str]]]:
    """The body and headers that a browser would send; the name is a field of its own, so that it may have any characters."""
    mark = "penstock-rag-ingest"
    while mark.encode() in data:
        mark += "-"
    fields = {
        "filename": name.encode("utf-8", "replace"),
        "shared": b"true" if shared else b"false",
    }
    parts = [
        f'--{mark}\r\ncontent-disposition: form-data; name="{field}"\r\n\r\n'.encode()
        + value
        + b"\r\n"
        for field, value in fields.items()
    ]
    head = f'--{mark}\r\ncontent-disposition: form-data; name="file"; filename="file"\r\n\r\n'
    body = b"".join([*parts, head.encode(), data, f"\r\n--{mark}--\r\n".encode()])
    return body, [("content-type", f"multipart/form-data; boundary={mark}")]
