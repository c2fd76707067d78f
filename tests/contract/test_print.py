"""What every Print keeps to: the same file for the same paper, whatever stands in it."""

from __future__ import annotations

import io
import itertools

import pypdfium2
import pytest

from penstock.platforms.memory.printed import printed
from penstock.platforms.pdf import Printer, printer, usable
from penstock.ports import Print
from penstock.wire.paper import (
    Block,
    Chart,
    Figure,
    Figures,
    Paper,
    Prose,
    Section,
    Series,
    Table,
    shown,
)

NAUGHTY = (
    "<script>alert(1)</script>", "<img src='file:///etc/passwd'/>", "</para><b>", "&amp; &#0; &lt", "a" * 500, "\x00\x07\x1b[31m",
    "\u202egnp.exe", "日本語", "🙂", "\ud800", "%s {0} ${x}", "<font color='__import__(\"os\")'>x</font>", "", " ", "\n\n", "=1+1",
)  # fmt: skip
CHART = Chart("Spent", ("1", "2", "3"), (Series("a", (1, 0, 3)), Series("b", (0, 0, 10**12))), "usd")  # fmt: skip


def paper(*texts: str, rows: int = 3) -> Paper:
    names = tuple(shown(text) for text in texts)
    table = Table("Table", ("Name", "Number"), tuple((name, "1") for name in names * rows), total=True)  # fmt: skip
    blocks: tuple[Block, ...] = (Figures(tuple(Figure(name, name, name) for name in names)), CHART, table, *map(Prose, names))  # fmt: skip
    return Paper(names[0], "about", (Section(names[-1], blocks), Section("Last", (table,))))


PRINTS: dict[str, Print] = {"memory": printed, "embedded": Printer("")}


@pytest.fixture(params=list(PRINTS))
def made(request) -> Print:
    return PRINTS[request.param]


async def test_the_same_paper_is_the_same_file(made: Print) -> None:
    one = await made(paper("a", "b"))
    assert one.startswith(b"%PDF-")
    assert one == await made(paper("a", "b"))
    assert one != await made(paper("a", "c"))


@pytest.mark.parametrize("text", NAUGHTY)
async def test_any_text_can_stand_in_it(made: Print, text: str) -> None:
    assert (await made(paper(text, text))).rstrip().endswith(b"%%EOF")


async def test_no_figures_and_no_days(made: Print) -> None:
    empty = Chart("Nothing", (), (Series("a", ()),))
    blocks = (Figures(()), empty, Table("None", ("Name", "Number"), ()))
    assert await made(Paper("t", "", (Section("s", blocks),)))


def pages(data: bytes) -> list[str]:
    """The texts of the pages, as a reader finds them."""
    with pypdfium2.PdfDocument(io.BytesIO(data)) as opened:
        return [page.get_textpage().get_text_range() for page in opened]


async def test_pages_are_a4_numbered_and_in_order() -> None:
    data = await Printer("")(paper("first", "second", rows=80))
    texts = pages(data)
    assert len(texts) > 3
    for number, text in enumerate(texts, 1):
        assert f"{number} of {len(texts)}" in text
        assert "Name" in text or number == 1  # a table's head comes again
    with pypdfium2.PdfDocument(io.BytesIO(data)) as opened:
        assert [round(side) for side in opened[0].get_size()] == [595, 842]


async def test_a_letter_that_the_font_lacks_is_told_by_its_number() -> None:
    found = " ".join(pages(await Printer("")(paper("日本", "é ß Ж"))))
    assert "[U+65E5][U+672C]" in found
    assert "é ß Ж" in found


async def test_marks_stay_marks() -> None:
    found = " ".join(pages(await Printer("")(paper("<b>bold</b> & <i>", "x"))))
    assert "<b>bold</b> & <i>" in found


@pytest.mark.parametrize("places", [None, ()], ids=["this machine's", "no fonts"])
async def test_names_of_any_length_leave_room_for_those_beside_them(monkeypatch, places) -> None:
    if places is not None:
        monkeypatch.setattr("penstock.platforms.pdf.fonts.PLACES", places)
    numbers = ("1,000,000,000,000", "1,000,000,000", "1,000,000", "$1,000,000,000.00")
    long = ("日" * 80, "W" * 80, "\N{GRINNING FACE}" * 80, "a")
    rows = tuple((*(shown(name) for name in each), *numbers) for each in itertools.product(long, repeat=3))  # fmt: skip
    columns = ("Service", "Provider", "Model", "Requests", "Tokens", "Free", "Spent")
    one = ("chat", "a", "日" * 80, *numbers)
    blocks = (Table("One", columns, (one, one), 3), Table("All", columns, rows, 3, total=True))
    found = pages(await Printer("")(Paper("日" * 80, "x", (Section("s", blocks),))))
    assert f"{len(found)} of {len(found)}" in found[-1]
    assert "Service" in found[-1]


async def test_figures_are_read_without_any_font(monkeypatch) -> None:
    monkeypatch.setattr("penstock.platforms.pdf.fonts.PLACES", ())
    found = " ".join(pages(await Printer("")(paper("\N{MINUS SIGN}$5.00 \N{EN DASH}", "x"))))
    assert "-$5.00" in found
    assert "[U+" not in found


async def test_a_font_is_a_font(tmp_path) -> None:
    bad = tmp_path / "font.ttf"
    bad.write_bytes(b"\0\1\0\0" + b"no font" * 100)
    assert not usable(str(bad))
    assert not usable(str(tmp_path / "none.ttf"))
    assert printer() is not None
    # A font that went away since the start: the paper comes all the same, in the letters that every reader has.
    assert (await Printer(str(bad))(paper("é", "x"))).startswith(b"%PDF-")
