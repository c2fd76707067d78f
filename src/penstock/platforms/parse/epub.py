"""EPUB: the chapters in the order of its spine, each as HTML."""

from __future__ import annotations

from urllib.parse import unquote

from penstock.platforms.parse import xml
from penstock.rag import encodings, zips
from penstock.rag.canonical import Writer
from penstock.rag.html import read_html
from penstock.rag.reasons import unreadable

_CONTAINER = "META-INF/container.xml"
_CHAPTERS = frozenset(("application/xhtml+xml", "text/html"))


def read_epub(data: bytes, to: Writer) -> None:
    parts = zips.parts(data)
    if "META-INF/rights.xml" in parts:
        raise unreadable("document_encrypted")
    roots = xml.gather(data, parts, _CONTAINER, "rootfile")
    package = roots[0][1].get("full-path", "") if roots else ""
    if package not in parts:
        raise unreadable("document_corrupt")
    told = xml.gather(data, parts, package, "title", "item", "itemref")
    to.name(next((text for name, _, text in told if name == "title"), ""))
    items = {attributes.get("id", ""): attributes for name, attributes, _ in told if name == "item"}
    spine = [attributes.get("idref", "") for name, attributes, _ in told if name == "itemref"]
    sealed = _sealed(data, parts)
    folder = package.rpartition("/")[0]
    for reference in dict.fromkeys(spine):
        item = items.get(reference, {})
        if item.get("media-type") in _CHAPTERS:
            name = xml.resolve(folder, unquote(item.get("href", "")))
            if name in sealed:
                raise unreadable("document_encrypted")
            _read_chapter(data, parts, name, to)


def _sealed(data: bytes, parts: zips.Parts) -> set[str]:
    """The parts that are encrypted; fonts often are."""
    told = xml.gather(data, parts, "META-INF/encryption.xml", "CipherReference")
    return {unquote(attributes.get("URI", "")) for _, attributes, _ in told}


def _read_chapter(data: bytes, parts: zips.Parts, name: str, to: Writer) -> None:
    if name not in parts:
        raise unreadable("document_corrupt")
    chapter = b"".join(zips.unpack(data, parts[name]))
    if b"<!ENTITY" in chapter:
        raise unreadable("document_unsafe")
    read_html(encodings.decode(chapter, encodings.named(chapter)), to)
