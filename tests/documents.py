"""Documents as tests need them, made here byte by byte: good ones, and such as nobody should have to read."""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Iterable, Mapping, Sequence
from io import BytesIO
from xml.sax.saxutils import escape

WORD = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
MAIN = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
DRAW = 'xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main"'
SHOW = 'xmlns:p="http://schemas.openxmlformats.org/presentationml/2006/main"'
RELATED = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
TYPES = "<Types xmlns='http://schemas.openxmlformats.org/package/2006/content-types'/>"
CORE = (
    '<cp:coreProperties xmlns:cp="c" xmlns:dc="d"><dc:title>A &amp; B</dc:title>'
    "</cp:coreProperties>"
)
LAUGHS = '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>'


def fetching(url: str) -> str:
    """A document type that has its reader fetch."""
    return f'<!DOCTYPE x [<!ENTITY a SYSTEM "{url}">]>'


def package(parts: Mapping[str, str | bytes]) -> bytes:
    """A ZIP archive of these parts."""
    made = BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return made.getvalue()


def relations(**targets: str) -> str:
    """By id: `kind target`, and `!` before it where it is outside."""
    told = ""
    for name, said in targets.items():
        kind, target = said.split(" ", 1)
        mode = ' TargetMode="External"' if kind.startswith("!") else ""
        told += (
            f'<Relationship Id="{name}" Type="{RELATED}/{kind.lstrip("!")}"'
            f' Target="{target}"{mode}/>'
        )
    return f"<Relationships>{told}</Relationships>"


# DOCX

STYLES = f"""<w:styles {WORD}>
<w:style w:type="paragraph" w:styleId="H1"><w:name w:val="heading 1"/></w:style>
<w:style w:type="paragraph" w:styleId="H2"><w:name w:val="heading 2"/></w:style>
<w:style w:type="paragraph" w:styleId="Mine"><w:name w:val="Mine"/><w:basedOn w:val="H2"/></w:style>
<w:style w:type="paragraph" w:styleId="Out"><w:name w:val="Out"/><w:pPr><w:outlineLvl w:val="2"/></w:pPr></w:style>
<w:style w:type="paragraph" w:styleId="Dots"><w:name w:val="Dots"/><w:pPr><w:numPr><w:numId w:val="2"/></w:numPr></w:pPr></w:style>
<w:style w:type="paragraph" w:styleId="Code"><w:name w:val="Source Code"/></w:style>
</w:styles>"""


def word(text: str, style: str = "", more: str = "") -> str:
    """A paragraph of word/document.xml."""
    styled = f'<w:pStyle w:val="{style}"/>' if style else ""
    return (
        f"<w:p><w:pPr>{styled}{more}</w:pPr><w:r><w:t xml:space='preserve'>{escape(text)}"
        "</w:t></w:r></w:p>"
    )


def docx(body: str, *, before: str = "", **more: str | bytes) -> bytes:
    return package(
        {
            "[Content_Types].xml": TYPES,
            "_rels/.rels": relations(r1="officeDocument word/document.xml"),
            "docProps/core.xml": CORE,
            "word/document.xml": f"{before}<w:document {WORD}><w:body>{body}</w:body></w:document>",
            "word/styles.xml": STYLES,
            "word/footnotes.xml": f"<w:footnotes {WORD}>{word('A note below.')}</w:footnotes>",
            "word/_rels/document.xml.rels": relations(
                r1="styles styles.xml", r2="footnotes /word/footnotes.xml", r3="!image http://x/y"
            ),
            **more,
        }
    )


# PPTX


def shape(kind: str, *lines: str) -> str:
    told = "".join(f"<a:p><a:r><a:t>{escape(line)}</a:t></a:r></a:p>" for line in lines)
    return (
        f'<p:sp><p:nvSpPr><p:nvPr><p:ph type="{kind}"/></p:nvPr></p:nvSpPr>'
        f"<p:txBody>{told}</p:txBody></p:sp>"
    )


def grid(rows: Sequence[Sequence[str]]) -> str:
    told = ""
    for row in rows:
        cells = (
            f"<a:tc><a:txBody><a:p><a:r><a:t>{cell}</a:t></a:r></a:p></a:txBody></a:tc>"
            for cell in row
        )
        told += f"<a:tr>{''.join(cells)}</a:tr>"
    return f"<p:graphicFrame><a:tbl>{told}</a:tbl></p:graphicFrame>"


def pptx(slides: Sequence[str], notes: str = "") -> bytes:
    """The slides in another order than their names."""
    numbers = list(range(len(slides), 0, -1))
    shown = "".join(f'<p:sldId id="{256 + n}" r:id="s{n}"/>' for n in numbers)
    made: dict[str, str | bytes] = {
        "[Content_Types].xml": TYPES,
        "_rels/.rels": relations(r1="officeDocument ppt/presentation.xml"),
        "docProps/core.xml": CORE,
        "ppt/presentation.xml": f'<p:presentation {SHOW} xmlns:r="{RELATED}"><p:sldIdLst>{shown}'
        "</p:sldIdLst></p:presentation>",
        "ppt/_rels/presentation.xml.rels": relations(
            **{f"s{n}": f"slide slides/slide{n}.xml" for n in numbers}
        ),
    }
    for number, slide in zip(numbers, slides, strict=True):
        made[f"ppt/slides/slide{number}.xml"] = f"<p:sld {SHOW} {DRAW}>{slide}</p:sld>"
    if notes:
        made[f"ppt/slides/_rels/slide{numbers[0]}.xml.rels"] = relations(
            n="notesSlide ../notesSlides/n.xml"
        )
        made["ppt/notesSlides/n.xml"] = f"<p:notes {SHOW} {DRAW}>{shape('body', notes)}</p:notes>"
    return package(made)


# XLSX, where a test wants one that no library would write


def xlsx(rows: str, *, before: str = "", strings: str = "", **more: str | bytes) -> bytes:
    return package(
        {
            "[Content_Types].xml": "<Types xmlns='http://schemas.openxmlformats.org/package/2006/content-types'>"
            "<Override PartName='/xl/workbook.xml' ContentType='application/vnd.openxmlformats-"
            "officedocument.spreadsheetml.sheet.main+xml'/></Types>",
            "_rels/.rels": relations(r1="officeDocument xl/workbook.xml").replace(
                "<Relationships>",
                "<Relationships xmlns='http://schemas.openxmlformats.org/package/2006/relationships'>",
            ),
            "xl/workbook.xml": f'<workbook {MAIN} xmlns:r="{RELATED}"><sheets><sheet name="S" '
            'sheetId="1" r:id="r1"/></sheets></workbook>',
            "xl/_rels/workbook.xml.rels": relations(
                r1="worksheet worksheets/sheet1.xml", r2="sharedStrings sharedStrings.xml"
            ).replace(
                "<Relationships>",
                "<Relationships xmlns='http://schemas.openxmlformats.org/package/2006/relationships'>",
            ),
            "xl/sharedStrings.xml": f"<sst {MAIN}>{strings}</sst>",
            "xl/worksheets/sheet1.xml": f"{before}<worksheet {MAIN}><sheetData>{rows}</sheetData></worksheet>",
            **more,
        }
    )


# EPUB


def epub(chapters: Sequence[str], **more: str | bytes) -> bytes:
    """Its spine is in the other order than its manifest."""
    items = "".join(
        f'<item id="c{n}" href="text/c%20{n}.xhtml" media-type="application/xhtml+xml"/>'
        for n in reversed(range(len(chapters)))
    )
    spine = "".join(f'<itemref idref="c{n}"/>' for n in range(len(chapters)))
    opf = (
        '<package xmlns="http://www.idpf.org/2007/opf" xmlns:dc="d"><metadata><dc:title>A Book'
        f"</dc:title></metadata><manifest>{items}<item id='css' href='x.css' media-type='text/css'/>"
        f"</manifest><spine>{spine}<itemref idref='css'/></spine></package>"
    )
    return package(
        {
            "mimetype": "application/epub+zip",
            "META-INF/container.xml": '<container><rootfiles><rootfile full-path="OEBPS/b.opf"/>'
            "</rootfiles></container>",
            "OEBPS/b.opf": opf,
            **{
                f"OEBPS/text/c {n}.xhtml": '<?xml version="1.0" encoding="utf-8"?><html><head><title/>'
                f'<script src="x"/></head><body>{chapter}</body></html>'
                for n, chapter in enumerate(chapters)
            },
            **more,
        }
    )


# PDF


def content(lines: Iterable[str]) -> bytes:
    """A page's operators: one line below the other."""
    told = "".join(f"({line.translate({40: None, 41: None, 92: None})}) Tj T*\n" for line in lines)
    return f"BT /F1 11 Tf 14 TL 50 800 Td\n{told}ET".encode("cp1252")


def pdf(
    pages: Sequence[Sequence[str]] = (),
    *,
    streams: Sequence[bytes] | None = None,
    title: str = "",
    marks: Mapping[str, int] | None = None,
    trailer: str = "",
    packed: bool = True,
) -> bytes:
    """Pages of lines, or of streams that are packed already; `marks` is the outline, titles by page."""
    squeeze = zlib.compress if packed else bytes
    made = [squeeze(content(lines)) for lines in pages] if streams is None else streams
    count, marks = len(made), dict(marks or {})
    first = 5 + 2 * count
    kids = " ".join(f"{5 + 2 * n} 0 R" for n in range(count))
    outline = f"/Outlines {first} 0 R" if marks else ""
    objects: list[bytes] = [
        f"<</Type/Catalog/Pages 2 0 R{outline}>>".encode(),
        f"<</Type/Pages/Kids[{kids}]/Count {count}>>".encode(),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>",
        f"<</Title({title})>>".encode(),
    ]
    for number, stream in enumerate(made):
        objects.append(
            f"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents {6 + 2 * number} 0 R"
            "/Resources<</Font<</F1 3 0 R>>>>>>".encode()
        )
        how = "/Filter/FlateDecode" if packed else ""
        objects.append(
            f"<</Length {len(stream)}{how}>>\nstream\n".encode() + stream + b"\nendstream"
        )
    objects += _outline(marks, first)
    return _pdf_of(objects, trailer)


def _outline(marks: Mapping[str, int], first: int) -> list[bytes]:
    if not marks:
        return []
    last = first + len(marks)
    made = [f"<</Type/Outlines/First {first + 1} 0 R/Last {last} 0 R/Count {len(marks)}>>"]
    for at, (title, page) in enumerate(marks.items(), first + 1):
        after = f"/Next {at + 1} 0 R" if at < last else ""
        made.append(f"<</Title({title})/Parent {first} 0 R/Dest[{5 + 2 * page} 0 R/Fit]{after}>>")
    return [each.encode() for each in made]


def _pdf_of(objects: Sequence[bytes], trailer: str) -> bytes:
    out = bytearray(b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n")
    places = []
    for number, each in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%b\nendobj\n" % (number, each)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    size = len(objects) + 1
    end = (
        f"trailer\n<</Size {size}/Root 1 0 R/Info 4 0 R{trailer}>>\nstartxref\n{len(out)}\n%%EOF\n"
    )
    return bytes(out + b"xref\n0 %d\n0000000000 65535 f \n" % size + table + end.encode())


SEALED = (
    "/Encrypt<</Filter/Standard/V 1/R 2/O<" + "41" * 32 + ">/U<" + "42" * 32 + ">/P -4>>"
    "/ID[<41414141414141414141414141414141><41414141414141414141414141414141>]"
)
"""A trailer that asks for a password."""


# What is not to be read


def deflated(size: int, *, wrapped: bool = True) -> bytes:
    """So many blanks, packed a thousandfold: as raw deflate, or as zlib with a wrong sum at its end.

    One block that leans on none before it, again and again.
    """
    machine = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    block = machine.compress(b" " * (1 << 20)) + machine.flush(zlib.Z_FULL_FLUSH)
    packed = block * (size >> 20) + machine.flush()
    return b"\x78\xda" + packed + bytes(4) if wrapped else packed


def lying(document: bytes, part: str, packed: bytes, says: int) -> bytes:
    """The archive with that part's bytes replaced by these, which say that they unpack to so many."""
    made = BytesIO()
    directory = b""
    with zipfile.ZipFile(BytesIO(document)) as archive:
        names = archive.namelist()
        for name in names:
            raw = archive.read(name)
            body = packed if name == part else raw
            sizes = (zlib.crc32(raw), len(body), says if name == part else len(raw))
            method = 8 if name == part else 0
            place = made.tell()
            named = len(name.encode())
            made.write(
                struct.pack("<4s5H3L2H", b"PK\3\4", 20, 0, method, 0, 0x21, *sizes, named, 0)
            )
            made.write(name.encode() + body)
            directory += struct.pack(
                "<4s2H4H3L5H2L", b"PK\1\2", 20, 20, 0, method, 0, 0x21, *sizes,
                named, 0, 0, 0, 0, 0, place,
            ) + name.encode()  # fmt: skip
    place = made.tell()
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, len(names), len(names), len(directory), place, 0)
    return made.getvalue() + directory + end
