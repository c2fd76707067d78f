"""What a hostile file makes its reader take, told by the kernel when the reader has ended; and that nothing is fetched."""

from __future__ import annotations

import asyncio
import os
import resource
import subprocess
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from socket import socket
from typing import NamedTuple

import msgspec
import pytest

from penstock.errors import Unreadable
from penstock.platforms.parse.frames import LENGTH, Task, Told, framed
from penstock.platforms.parse.limits import Limits
from penstock.platforms.parse.process import _COMMAND, ProcessParse
from penstock.platforms.world import RealClock
from penstock.rag.sniff import Sniffed, sniff
from tests import documents
from tests.documents import deflated, fetching, lying, relations, word

LIMITS = Limits(seconds=2)
MUCH = 1 << 29


class Ended(NamedTuple):
    """How a reader ended: its code (empty where a signal ended it), and what it took."""

    code: str
    signalled: bool
    memory_bytes: int
    cpu_seconds: float


def run(sniffed: Sniffed, data: bytes, limits: Limits = LIMITS) -> Ended:
    """The real process, begun by a small one: Linux counts as a process's most memory also that of who began it."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as small:
        return small.submit(_run, sniffed, data, limits).result()


def _run(sniffed: Sniffed, data: bytes, limits: Limits) -> Ended:
    reader, writer = os.pipe()
    with open(reader, "rb") as answer:
        process = subprocess.Popen(
            _COMMAND, stdin=subprocess.PIPE, stdout=writer, stderr=subprocess.DEVNULL, env={}
        )
        os.close(writer)
        assert process.stdin is not None
        try:
            process.stdin.write(framed(Task(sniffed.kind, sniffed.codec, limits)) + data)
            process.stdin.close()
        except BrokenPipeError:
            pass
        told = answer.read()
        _, status, took = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    code = ""
    if told:
        [size] = LENGTH.unpack(told[: LENGTH.size])
        head = msgspec.json.decode(told[LENGTH.size :][:size], type=Told)
        code = head.code or "read"
    return Ended(code, process.returncode < 0, took.ru_maxrss * 1024, took.ru_utime + took.ru_stime)


def row(place: int, cell: str) -> str:
    return f'<row r="{place}"><c r="{cell}"><v>1</v></c></row>'


WORD_PART, SHEET = "word/document.xml", "xl/worksheets/sheet1.xml"
DEEP = "<w:sdt>" * 100_000
BOMBS: dict[str, tuple[str, Callable[[], bytes]]] = {
    "docx that lies": (
        "docx",
        lambda: lying(documents.docx(word("x")), WORD_PART, deflated(MUCH, wrapped=False), 999),
    ),
    "xlsx that lies": (
        "xlsx",
        lambda: lying(documents.xlsx(""), SHEET, deflated(MUCH, wrapped=False), 999),
    ),
    "entities": ("docx", lambda: documents.docx(word("x"), before=documents.LAUGHS)),
    "nesting": ("docx", lambda: documents.docx(DEEP + "</w:sdt>" * 100_000)),
    "nested tables": ("docx", lambda: documents.docx("<w:tbl><w:tr><w:tc>" * 160)),
    "one long word": ("docx", lambda: documents.docx(word("x" * 30_000_000))),
    "sheet in a far corner": ("xlsx", lambda: documents.xlsx(row(1_048_576, "XFD1048576"))),
    "sheet beyond any corner": ("xlsx", lambda: documents.xlsx(row(10**12, f"A{10**12}"))),
    "wide rows": (
        "xlsx",
        lambda: documents.xlsx("".join(row(n, f"XFD{n}") for n in range(1, 5_000))),
    ),
    "pdf of blanks": ("pdf", lambda: documents.pdf(streams=[deflated(MUCH)])),
    "pdf packed twice": ("pdf", lambda: documents.pdf(streams=[zlib.compress(deflated(MUCH))])),
    "pdf of letters": (
        "pdf",
        lambda: documents.pdf(
            streams=[zlib.compress(b"BT /F1 9 Tf 9 9 Td " + b"(abcdefgh) Tj " * 3_000_000)]
        ),
    ),
    "pdf whose pages are their own parents": (
        "pdf",
        lambda: documents.pdf([["x"]]).replace(b"/Kids[5 0 R]", b"/Kids[2 0 R]"),
    ),
    "comments": ("html", lambda: b"<html>" + b"<!--" * 1_000_000),
    "tags that never end": ("html", lambda: b"<html>" + b"<a " * 3_000_000),
    "deep html": ("html", lambda: b"<html>" + b"<div>" * 1_000_000 + b"x"),
    "tables in tables": ("html", lambda: b"<html>" + b"<table><tr><td>x" * 200_000),
    "quotes": ("csv", lambda: b'a,"' + b'b""' * 2_000_000),
    "many cells": ("csv", lambda: b",x" * 9_000_000),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_takes_no_more_than_it_may(name: str) -> None:
    kind, made = BOMBS[name]
    data = made()
    sniffed = sniff(data, f"a.{kind}")
    assert sniffed.kind == kind
    ended = run(sniffed, data)
    assert ended.code or ended.signalled
    assert ended.memory_bytes <= LIMITS.memory_bytes
    assert ended.cpu_seconds <= LIMITS.seconds + 1


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("docx that lies", "document_bomb"),
        ("xlsx that lies", "document_bomb"),
        ("entities", "document_unsafe"),
        ("nesting", "document_corrupt"),
        ("one long word", "document_too_long"),
    ],
)
def test_what_is_known_of_it_is_said(name: str, code: str) -> None:
    kind, made = BOMBS[name]
    data = made()
    assert run(sniff(data, f"a.{kind}"), data, Limits(seconds=60)).code == code


def test_memory_bounds_what_reads_too() -> None:
    """The largest text that may be sent is read within it."""
    data = ("größer " * 2_300_000).encode()
    ended = run(Sniffed("text"), data, Limits(seconds=60))
    assert ended.code == "read"
    assert len(data) < ended.memory_bytes <= LIMITS.memory_bytes


async def test_a_process_killed_for_its_memory_is_told_as_such() -> None:
    parse = ProcessParse(RealClock(), limits=Limits(seconds=60))
    with pytest.raises(Unreadable) as refusal:
        await parse.text(BOMBS["pdf of blanks"][1]())
    assert refusal.value.code == "document_too_complex"
    assert "256 MB" in refusal.value.message


def test_what_the_reader_gives_up_it_has_not_back(tmp_path) -> None:
    """After `bound` and `shut` no file, no socket and no process is to be had."""
    script = f"""
import os, socket
from penstock.platforms.parse import limits
limits.bound(limits.Limits())
limits.shut()
for what in (lambda: open({str(tmp_path)!r} + "/x", "w"), lambda: open("/etc/passwd"), socket.socket, os.pipe):
    try:
        what()
    except OSError:
        continue
    raise SystemExit(1)
os.write(1, b"nothing")
"""
    done = subprocess.run(
        (*_COMMAND[:3], "-c", script), capture_output=True, check=True, timeout=60
    )
    assert done.stdout == b"nothing"
    assert [*tmp_path.iterdir()] == []
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] > 3


@contextmanager
def listener() -> Iterator[tuple[str, socket]]:
    with socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        listening.setblocking(False)
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/x", listening


async def test_nothing_is_fetched() -> None:
    parse = ProcessParse(RealClock())
    with listener() as (url, listening):
        linked = (
            f"<img src='{url}'><link rel=stylesheet href='{url}'><iframe src='{url}'></iframe><p>x"
        )
        rels = relations(r1="styles styles.xml", r2=f"!attachedTemplate {url}", r3=f"!image {url}")
        files = [
            f"<html>{linked}</html>".encode(),
            documents.docx(word("x"), **{"word/_rels/document.xml.rels": rels}),
            documents.docx(word("x"), before=fetching(url)),
            documents.docx(word("x"), **{"word/styles.xml": fetching(url) + "<x>&a;</x>"}),
            documents.xlsx("", before=fetching(url)),
            documents.epub([linked]),
            documents.pdf([["x y z words"]], trailer=f"/AA<</O<</S/URI/URI({url})>>>>"),
        ]
        ended = [await asyncio.gather(parse.text(data), return_exceptions=True) for data in files]
        with pytest.raises(BlockingIOError):
            listening.accept()
    assert [getattr(told, "code", "read") for [told] in ended] == [
        "read", "read", "document_unsafe", "document_unsafe", "document_unsafe", "read", "read",
    ]  # fmt: skip
    await parse.aclose()
