"""What reading documents costs: MB of canonical text a minute of one core, by kind, the reader's process and ours included.

Documents of drawn words, made here; CPU time, so that others at work on the machine count little. Medians of several rounds.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import resource
import sys
import time
from collections.abc import Callable
from html import escape
from io import BytesIO
from pathlib import Path
from statistics import median

# It runs as a script, from anywhere.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from openpyxl import Workbook

from penstock.errors import Error
from penstock.platforms.parse.limits import Limits
from penstock.platforms.parse.process import ProcessParse
from penstock.platforms.world import RealClock
from penstock.ports import Text
from tests import documents

QUICK_ROUNDS, FULL_ROUNDS = 3, 9
CHARACTERS = 2_000_000
SMALL = 20
WORDS = 80
LINE_WORDS, PAGE_LINES = 14, 45
PATIENT = Limits(seconds=60)
Record = dict[str, float]
Paragraphs = list[str]


def main() -> int:
    """0 done, 1 failed, with one line on standard error."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="one flat object, nothing else")
    parser.add_argument("--quick", action="store_true", help="every key within a minute or two")
    options = parser.parse_args()
    try:
        record = asyncio.run(measure(QUICK_ROUNDS if options.quick else FULL_ROUNDS))
    except (Error, OSError, ValueError) as error:
        sys.stderr.write("parse bench: " + " ".join(str(error).split()) + "\n")
        return 1
    rounded = {key: round(value, 1) for key, value in record.items()}
    print(json.dumps(rounded) if options.json else table(rounded))
    return 0


def table(record: Record) -> str:
    rows = (f"| {key} | {value:,.1f} |" for key, value in record.items())
    return "\n".join(["| figure | |", "|---|---|", *rows])


async def measure(rounds: int) -> Record:
    """All kinds in turn, round by round."""
    paragraphs = drawn()
    made = {kind: make(paragraphs) for kind, make in KINDS.items()}
    parse = ProcessParse(RealClock(), limits=PATIENT)
    speeds: dict[str, list[float]] = {kind: [] for kind in made}
    for _ in range(rounds):
        for kind, data in made.items():
            begun = cpu_seconds()
            text = await parse.text(data, f"a.{kind}")
            seconds = cpu_seconds() - begun
            speeds[kind].append(len(text.text.encode()) / 1e6 / seconds * 60)
    record = {f"parse_{kind}_mb_per_min": median(found) for kind, found in speeds.items()}
    for kind in ("html", "docx", "pdf", "xlsx"):
        record[f"parse_small_{kind}_cpu_ms"] = await small(parse, kind, rounds)
    record["parse_peak_mb"] = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1_024
    return record


async def small(parse: ProcessParse, kind: str, rounds: int) -> float:
    """What a document of a page takes: most of it is the beginning of its process."""
    data = KINDS[kind](drawn(3_000))
    took = []
    for _ in range(rounds * SMALL):
        begun = cpu_seconds()
        read: Text = await parse.text(data, f"a.{kind}")
        took.append((cpu_seconds() - begun) * 1_000)
        if not read.text:
            raise ValueError("A document came back empty.")
    return median(took)


def cpu_seconds() -> float:
    """Ours, and that of all processes that have ended."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def drawn(characters: int = CHARACTERS) -> Paragraphs:
    """Paragraphs of words of a seed, common ones more often."""
    lots = random.Random(7)
    letters = "etaoinshrdlucmfwypvbgk"
    words = ["".join(lots.choices(letters, k=lots.randint(2, 11))) for _ in range(20_000)]
    shares = [1 / (place + 1) for place in range(len(words))]
    found: Paragraphs = []
    size = 0
    while size < characters:
        found.append(" ".join(lots.choices(words, shares, k=WORDS)).capitalize() + ".")
        size += len(found[-1])
    return found


def text(paragraphs: Paragraphs) -> bytes:
    return "\n\n".join(paragraphs).encode()


def csv(paragraphs: Paragraphs) -> bytes:
    rows = (",".join(each.split()[:12]) for each in paragraphs for _ in range(6))
    return "\n".join(rows).encode()


def html(paragraphs: Paragraphs) -> bytes:
    told = [f"<div class='a b'><h2>{each[:30]}</h2><p>{escape(each)} <a href='/x'>more</a></p></div>" for each in paragraphs]  # fmt: skip
    return ("<!doctype html><title>T</title><body>" + "\n".join(told)).encode()


def pdf(paragraphs: Paragraphs) -> bytes:
    words = " ".join(paragraphs).split()
    lines = [" ".join(words[at : at + LINE_WORDS]) for at in range(0, len(words), LINE_WORDS)]
    pages = [lines[at : at + PAGE_LINES] for at in range(0, len(lines), PAGE_LINES)]
    return documents.pdf(pages)


def docx(paragraphs: Paragraphs) -> bytes:
    told = (documents.word(each[:30], "H1") + documents.word(each) for each in paragraphs)
    return documents.docx("".join(told))


def pptx(paragraphs: Paragraphs) -> bytes:
    slides = [
        documents.shape("title", paragraphs[at][:30])
        + documents.shape("body", *paragraphs[at : at + 5])
        for at in range(0, len(paragraphs), 5)
    ]
    return documents.pptx(slides)


def xlsx(paragraphs: Paragraphs) -> bytes:
    book = Workbook(write_only=True)
    sheet = book.create_sheet("S")
    for number, each in enumerate(paragraphs):
        words = each.split()
        for at in range(0, 60, 6):
            sheet.append([number, number / 7, *words[at : at + 3], " ".join(words[at : at + 6])])
    out = BytesIO()
    book.save(out)
    return out.getvalue()


def epub(paragraphs: Paragraphs) -> bytes:
    return documents.epub(
        ["".join(f"<p>{each}</p>" for each in paragraphs[at : at + 100]) for at in range(0, len(paragraphs), 100)]
    )  # fmt: skip


KINDS: dict[str, Callable[[Paragraphs], bytes]] = {
    "txt": text,
    "md": text,
    "csv": csv,
    "html": html,
    "pdf": pdf,
    "docx": docx,
    "pptx": pptx,
    "xlsx": xlsx,
    "epub": epub,
}

if __name__ == "__main__":
    sys.exit(main())
