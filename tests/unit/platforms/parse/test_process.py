"""The process around a reader: it ends with its caller, its time and its gateway, and tells nothing but codes."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncGenerator, Awaitable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import uvloop

from penstock.errors import Error, Unavailable, Unreadable
from penstock.platforms.parse import process
from penstock.platforms.parse.frames import LENGTH, Told, framed, piece
from penstock.platforms.parse.limits import Limits
from penstock.platforms.parse.process import MOST_WAITING, ProcessParse
from penstock.platforms.world import RealClock
from penstock.rag.reasons import REASONS
from tests import documents

HTML = b"<html><p>hello</p></html>"
CANARY = "canary-7f3a"

# Starts one more process of its group; both hold the pipe open, and neither ends by itself.
HOLDS = """
import os, signal, sys
holds = open(sys.argv[1], "w")
os.fork()
holds.write("x")
holds.flush()
signal.pause()
"""


@asynccontextmanager
async def opened(**how) -> AsyncGenerator[ProcessParse]:
    parse = ProcessParse(RealClock(), **how)
    try:
        yield parse
    finally:
        await parse.aclose()


class Held:
    """A reader that never answers, as its command; `begun` returns once it and its child run, `gone` once neither does."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "holds"
        os.mkfifo(self._path)
        self.command = (sys.executable, "-I", "-S", "-c", HOLDS, str(self._path))
        self._pipe = -1

    async def begun(self) -> None:
        self._pipe = await asyncio.to_thread(os.open, self._path, os.O_RDONLY)
        got = b""
        while len(got) < 2:
            got += await asyncio.to_thread(os.read, self._pipe, 2)

    async def gone(self) -> None:
        assert await asyncio.to_thread(os.read, self._pipe, 1) == b""
        os.close(self._pipe)


def saying(answer: bytes, then: str = "") -> tuple[str, ...]:
    """The command of a reader that says this, whatever it is asked."""
    script = f"import os, sys; sys.stdin.buffer.read(); os.write(1, {answer!r}); {then}"
    return (sys.executable, "-I", "-S", "-c", script)


async def code(asked: Awaitable[object]) -> str:
    with pytest.raises(Error) as failure:
        await asked
    assert CANARY not in str(failure.value)
    return failure.value.code


# How it ends


async def test_who_leaves_has_it_killed_with_all_its_group(tmp_path: Path) -> None:
    held = Held(tmp_path)
    async with opened(command=held.command) as parse:
        reading = asyncio.ensure_future(parse.text(HTML))
        await held.begun()
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        await held.gone()


async def test_time_has_it_killed(tmp_path: Path) -> None:
    held = Held(tmp_path)
    async with opened(command=held.command, limits=Limits(seconds=1)) as parse:
        reading = asyncio.ensure_future(parse.text(HTML))
        await held.begun()
        assert await code(reading) == "document_too_slow"
        await held.gone()


async def test_closing_has_it_killed_and_takes_no_more(tmp_path: Path) -> None:
    held = Held(tmp_path)
    async with opened(command=held.command) as parse:
        reading = asyncio.ensure_future(parse.text(HTML))
        await held.begun()
        waiting = asyncio.ensure_future(parse.text(HTML))
        await asyncio.sleep(0)
        await parse.aclose()
        for asked in (reading, waiting, parse.text(HTML)):
            with pytest.raises(Unavailable):
                await asked
        await held.gone()


async def test_one_at_a_time_and_so_many_wait(tmp_path: Path) -> None:
    held = Held(tmp_path)
    async with opened(command=held.command) as parse:
        reading = asyncio.ensure_future(parse.text(HTML))
        await held.begun()
        waiting = [asyncio.ensure_future(parse.text(HTML)) for _ in range(MOST_WAITING)]
        await asyncio.sleep(0)
        with pytest.raises(Unavailable) as refusal:
            await parse.text(HTML)
        assert dict(refusal.value.headers)["retry-after"] == "10"
        assert (await parse.text(b"small texts need no process")).kind == "text"
        for asked in (*waiting, reading):
            asked.cancel()
        await asyncio.gather(*waiting, reading, return_exceptions=True)
        await held.gone()


async def test_a_place_is_given_back(tmp_path: Path) -> None:
    async with opened() as parse:
        for _ in range(2):
            assert await code(parse.text(documents.pdf([[]]))) == "document_scanned"
        assert (await parse.text(HTML)).text == "hello"


@pytest.mark.parametrize("command", [("/nowhere/python",), (sys.executable, "-c", "raise OSError")])
async def test_a_reader_that_does_not_start_is_ours_to_mend(command: tuple[str, ...]) -> None:
    async with opened(command=command) as parse:
        with pytest.raises(Unavailable):
            await parse.text(HTML)


@pytest.mark.parametrize(
    ("end", "wanted"),
    [
        ("SIGXCPU", "document_too_slow"),
        ("SIGALRM", "document_too_slow"),
        ("SIGSEGV", "document_too_complex"),
        ("SIGABRT", "document_too_complex"),
        ("SIGKILL", "document_too_complex"),
    ],
)
async def test_what_a_signal_means(end: str, wanted: str) -> None:
    dies = saying(b"", f"import signal; os.kill(os.getpid(), signal.{end})")
    async with opened(command=dies) as parse:
        assert await code(parse.text(HTML)) == wanted


async def test_no_memory_to_answer_with() -> None:
    async with opened(command=saying(b"", "sys.exit(70)")) as parse:
        assert await code(parse.text(HTML)) == "document_too_complex"


# What it says


GOOD = framed(Told("", "T", (0, 2))) + piece(b"ab") + piece(b"cd") + piece(b"")


async def test_what_a_reader_says_is_taken() -> None:
    async with opened(command=saying(GOOD)) as parse:
        told = await parse.text(HTML)
        assert (told.kind, told.title, told.text, told.pages) == ("html", "T", "abcd", (0, 2))


@pytest.mark.parametrize(
    "answer",
    [
        framed(Told()) + piece("é".encode()[:1]) + piece(b""),
        framed(Told("", "T", (1, 0))) + piece(b"ab") + piece(b""),
        framed(Told("", "T", (3,))) + piece(b"ab") + piece(b""),
        framed(Told("", "T", (-1,))) + piece(b"ab") + piece(b""),
        framed(Told("", "T\x00")) + piece(b"ab") + piece(b""),
        framed(Told("", "T" * 301)) + piece(b"ab") + piece(b""),
        framed(Told()) + piece(b"a\x1bb") + piece(b""),
        framed(Told()) + piece(b"a\xff") + piece(b""),
        framed(Told()) + piece(b"\xed\xa0\x80") + piece(b""),
        framed(Told()) + piece(b""),
        framed(Told(CANARY)) + piece(b""),
    ],
)
async def test_a_reader_that_was_taken_over_gets_nothing_through(answer: bytes) -> None:
    async with opened(command=saying(answer)) as parse:
        with pytest.raises(Unreadable) as refusal:
            await parse.text(HTML)
        assert CANARY not in f"{refusal.value} {refusal.value.code}"


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"\0",
        LENGTH.pack(2**31),
        LENGTH.pack(3) + b"{}}",
        piece(b'{"pages": "x"}'),
        piece(b'{"x": ' + b"[" * 100_000),
    ],
)
async def test_a_reader_that_says_nonsense_is_not_heard(answer: bytes) -> None:
    async with opened(command=saying(answer)) as parse:
        with pytest.raises((Unavailable, Unreadable)):
            await parse.text(HTML)


@pytest.mark.parametrize("bound", ["MOST_CHARACTERS", "MOST_PIECE", "MOST_HEAD"])
async def test_an_answer_has_bounds(monkeypatch, bound: str) -> None:
    monkeypatch.setattr(process, bound, 1)
    async with opened(command=saying(GOOD)) as parse:
        with pytest.raises((Unavailable, Unreadable)):
            await parse.text(HTML)


@pytest.mark.parametrize("said", REASONS)
async def test_any_code_makes_a_whole_sentence(said: str) -> None:
    """Also one that a reader of ours never says."""
    async with opened(command=saying(framed(Told(said)) + piece(b""))) as parse:
        with pytest.raises(Unreadable) as refusal:
            await parse.text(HTML)
    assert refusal.value.code == said
    assert "{" not in refusal.value.message
    assert " 0 " not in refusal.value.message


async def test_a_reader_has_none_of_our_environment(monkeypatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", CANARY)
    shown = "import struct; told = repr(dict(os.environ)).encode() + os.getcwd().encode()"
    script = f"import os, sys; sys.stdin.buffer.read(); {shown}; p = lambda b: struct.pack('>I', len(b)) + b"
    script += "; os.write(1, p(b'{}') + p(told) + p(b''))"
    async with opened(command=(sys.executable, "-I", "-S", "-c", script)) as parse:
        told = (await parse.text(HTML)).text
        assert CANARY not in told
        assert told.endswith("/")


async def test_nothing_of_a_document_is_logged_or_printed(caplog, capfd) -> None:
    caplog.set_level(0)
    broken = [
        documents.docx(f"<{CANARY}"),
        documents.xlsx(f'<row r="1"><c r="A1" t="s"><v>{CANARY}</v></c></row>'),
        documents.epub([CANARY], **{"OEBPS/b.opf": f"<{CANARY}"}),
        b"%PDF-1.7\n" + CANARY.encode(),
    ]
    async with opened() as parse:
        for data in broken:
            assert await code(parse.text(data)) == "document_corrupt"
    said = capfd.readouterr()
    assert CANARY not in caplog.text + said.out + said.err


SHOUTS = """
import os, sys
sys.stdin.buffer.read()
os.write(1, b"\\xff" * 8)
while True:
    os.write(1, b"x" * 100_000)
"""


async def reads_and_is_left() -> None:
    async with opened() as parse:
        told = await parse.text(b"<html><p>" + b"words " * 500_000)
        assert len(told.text) == 2_999_999
        reading = asyncio.ensure_future(parse.text(b"<html>" + b"<p>x" * 1_000_000))
        await asyncio.sleep(0)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        assert await code(parse.text(documents.pdf([[]]))) == "document_scanned"


async def is_not_held_up_by_what_it_does_not_read() -> None:
    async with opened(command=(sys.executable, "-I", "-S", "-c", SHOUTS)) as parse:
        assert await code(parse.text(HTML)) == "document_too_complex"


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run])
@pytest.mark.parametrize("work", [reads_and_is_left, is_not_held_up_by_what_it_does_not_read])
def test_on_each_loop(run, work) -> None:
    run(work())


@pytest.mark.parametrize(("kind", "module"), [("pdf", "pypdfium2"), ("xlsx", "openpyxl")])
async def test_a_missing_library_is_named_by_what_installs_it(kind: str, module: str) -> None:
    """As where the extra is not installed: the real reader, which does not find it."""
    script = (
        f"import sys; sys.modules[{module!r}] = None;"
        "from penstock.platforms.parse import child; child.main()"
    )
    made = {"pdf": documents.pdf([["words"]]), "xlsx": documents.xlsx("")}
    async with opened(command=(sys.executable, "-I", "-c", script)) as parse:
        with pytest.raises(Unreadable) as refusal:
            await parse.text(made[kind])
        assert refusal.value.code == "document_reader_missing"
        assert "pip install 'penstock[documents]'" in refusal.value.message
        assert kind.upper() in refusal.value.message
        assert (await parse.text(documents.docx(documents.word("x")))).kind == "docx"
