"""XML parts of a package, as a stream of elements by the interpreter's own expat: no tree, no entities, no fetching.

A part that declares entities or any document type is refused before one could be used, and so is one that nests deeper
than any writer does.
"""

from __future__ import annotations

from typing import Protocol
from xml.parsers import expat

from penstock.rag import zips
from penstock.rag.reasons import unreadable

DEEPEST = 500
Attributes = dict[str, str]


class Handler(Protocol):
    """What reads a part. Names are without their prefix; an attribute that had one also stands as `:name`."""

    def start(self, name: str, attributes: Attributes) -> None: ...
    def end(self, name: str) -> None: ...
    def data(self, text: str) -> None: ...


def local(name: str) -> str:
    """Without its prefix: `w:pStyle` is `pStyle`."""
    return name.rpartition(":")[2]


def read(data: bytes, parts: zips.Parts, name: str, handler: Handler) -> bool:
    """The part of that name, if it is there."""
    part = parts.get(name)
    if part is None:
        return False
    parser = _parser(handler)
    try:
        for piece in zips.unpack(data, part):
            parser.Parse(piece, False)
        parser.Parse(b"", True)
    except expat.ExpatError:
        raise unreadable("document_corrupt") from None
    return True


def _parser(handler: Handler) -> expat.XMLParserType:
    parser = expat.ParserCreate()
    parser.buffer_text = True
    depth = 0
    names: dict[str, str] = {}

    def start(name: str, attributes: Attributes) -> None:
        nonlocal depth
        depth += 1
        if depth > DEEPEST:
            raise unreadable("document_corrupt")
        short = names.get(name) or names.setdefault(name, local(name))
        handler.start(short, _unprefixed(attributes) if attributes else attributes)

    def end(name: str) -> None:
        nonlocal depth
        depth -= 1
        handler.end(names[name])

    def refuse(*_: object) -> None:
        raise unreadable("document_unsafe")

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = handler.data
    parser.StartDoctypeDeclHandler = refuse
    parser.EntityDeclHandler = refuse
    return parser


def _unprefixed(attributes: Attributes) -> Attributes:
    told: Attributes = {}
    for name, value in attributes.items():
        prefix, colon, short = name.rpartition(":")
        told[colon + short] = value
        if prefix:
            told.setdefault(short, value)
    return told


class Gathered:
    """All elements of some names, with their attributes and the text in them."""

    def __init__(self, *names: str) -> None:
        self._names = names
        self._open: list[int] = []
        self.found: list[tuple[str, Attributes, str]] = []

    def start(self, name: str, attributes: Attributes) -> None:
        if name in self._names:
            self._open.append(len(self.found))
            self.found.append((name, attributes, ""))

    def end(self, name: str) -> None:
        if name in self._names:
            self._open.pop()

    def data(self, text: str) -> None:
        if self._open:
            name, attributes, before = self.found[self._open[-1]]
            self.found[self._open[-1]] = (name, attributes, before + text)


def gather(
    data: bytes, parts: zips.Parts, part: str, *names: str
) -> list[tuple[str, Attributes, str]]:
    """The elements of these names in a part; none where there is no such part."""
    gathered = Gathered(*names)
    read(data, parts, part, gathered)
    return gathered.found


def relations(data: bytes, parts: zips.Parts, part: str) -> dict[str, tuple[str, str]]:
    """What a part refers to by id: the last word of the relation's type, and the part's name. Nothing outside is named."""
    folder, _, name = part.rpartition("/")
    told = gather(data, parts, f"{folder}/_rels/{name}.rels".removeprefix("/"), "Relationship")
    found = {}
    for _, attributes, _ in told:
        if attributes.get("TargetMode") != "External":
            kind = attributes.get("Type", "").rpartition("/")[2]
            target = resolve(folder, attributes.get("Target", ""))
            found[attributes.get("Id", "")] = (kind, target)
    return found


def resolve(folder: str, target: str) -> str:
    """A part's name from a reference in a part of that folder."""
    steps = [] if target.startswith("/") else [step for step in folder.split("/") if step]
    for step in target.split("/"):
        if step == "..":
            del steps[-1:]
        elif step not in ("", "."):
            steps.append(step)
    return "/".join(steps)


def main_part(data: bytes, parts: zips.Parts) -> str:
    """The part that the package is about."""
    found = [name for kind, name in relations(data, parts, "").values() if kind == "officeDocument"]
    if not found or found[0] not in parts:
        raise unreadable("document_corrupt")
    return found[0]


def title(data: bytes, parts: zips.Parts) -> str:
    """What the package's properties call it."""
    told = gather(data, parts, "docProps/core.xml", "title")
    return told[0][2] if told else ""
