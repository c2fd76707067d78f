"""The process that reads one file: its task on standard input, its answer on standard output, and then it ends.

Whatever goes wrong here is told as a code: neither the file's content nor an exception's text leaves.
"""

from __future__ import annotations

import codecs
import sys
from collections.abc import Callable
from typing import BinaryIO

import msgspec

from penstock.errors import Unreadable
from penstock.platforms.parse import limits
from penstock.platforms.parse.frames import (
    LENGTH,
    PIECE_CHARACTERS,
    SPENT,
    Task,
    Told,
    framed,
    piece,
)
from penstock.ports import Text
from penstock.rag import reading
from penstock.rag.canonical import Writer
from penstock.rag.sniff import Sniffed

Read = Callable[[bytes], Text]
_CODECS = ("utf-8", "utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be", "cp1252", "ascii", "cp437")


def reader(task: Task) -> Read:
    """What reads that kind, with all that it imports; ImportError where its library is not installed."""
    for codec in (*_CODECS, task.codec or "utf-8"):
        codecs.lookup(codec)
    if task.kind in reading.READERS:
        return lambda data: reading.read(Sniffed(task.kind, task.codec), data)
    read = _special(task.kind)

    def written(data: bytes) -> Text:
        to = Writer()
        read(data, to)
        return to.text(task.kind)

    return written


def _special(kind: str) -> Callable[[bytes, Writer], None]:
    if kind == "pdf":
        from penstock.platforms.parse import pdf

        library = pdf.load_pdfium()
        return lambda data, to: pdf.read_pdf(data, to, library)
    if kind == "xlsx":
        from penstock.platforms.parse import xlsx

        load = xlsx.load_openpyxl()
        return lambda data, to: xlsx.read_xlsx(data, to, load)
    from penstock.platforms.parse import docx, epub, pptx

    return {"docx": docx.read_docx, "pptx": pptx.read_pptx, "epub": epub.read_epub}[kind]


def answer(task: Task, source: BinaryIO) -> tuple[Told, str]:
    """The file's text, or why there is none."""
    try:
        read = reader(task)
    except ImportError:
        return Told("document_reader_missing"), ""
    try:
        data = source.read()
        limits.shut()
        text = read(data)
    except Unreadable as refusal:
        return Told(refusal.code), ""
    except (MemoryError, RecursionError):
        return Told("document_too_complex"), ""
    except Exception:  # noqa: BLE001 - libraries fail in any way on what is damaged, and their texts stay here
        return Told("document_corrupt"), ""
    return Told("", text.title, text.pages), text.text


def main() -> None:
    """One file, from standard input to standard output."""
    out = limits.alone()
    source = sys.stdin.buffer
    head = source.read(LENGTH.unpack(source.read(LENGTH.size))[0])
    task = msgspec.json.decode(head, type=Task)
    limits.bound(task.limits)
    try:
        told, text = answer(task, source)
        say(told, text, out)
    except MemoryError:
        raise SystemExit(SPENT) from None


def say(told: Told, text: str, out: int) -> None:
    with open(out, "wb") as sink:
        sink.write(framed(told))
        for at in range(0, len(text), PIECE_CHARACTERS):
            sink.write(piece(text[at : at + PIECE_CHARACTERS].encode()))
        sink.write(piece(b""))


if __name__ == "__main__":
    main()
