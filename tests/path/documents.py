"""A gateway whose callers upload documents, by words alone or with an embedding model."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from penstock.errors import Unavailable
from penstock.gateway import build
from penstock.gateway.upkeep import upkeep
from penstock.platforms.memory.index import MemoryIndex
from penstock.platforms.memory.world import Background
from penstock.rag.terms import words
from penstock.wire.http import JSON, Request, Response
from tests.path.world import SECRET, World, body, usage

UPLOAD, DOCUMENTS, SEARCH = "/api/rag/upload", "/api/rag/documents", "/api/rag/search"
MODEL = "text-embedding-3-small"
DIMENSION = 16
BY_WORDS = sys.platform != "emscripten"
"""Whether this home finds by words; the edge does by vectors alone, so that there every world has an embedding model."""
LEXICAL = f"""
[auth]
issuers = [{{ mode = "hs256", secret = "{SECRET}" }}]
"""
DENSE = f"""
{LEXICAL}
[providers.one]
kind = "openai"
base_url = "http://one.test/v1"
[[targets]]
provider = "one"
model = "{MODEL}"
verb = "embed"
dimension = {DIMENSION}
"""
WALRUS = "# Walruses\n\nA walrus sleeps on the ice and eats clams.\n\n# Otters\n\nAn otter holds hands.\n"


LONG = "\n\n".join(
    f"The walrus number {n} eats {n} clams. " + "It rests. " * 60 for n in range(300)
)
"""A text of over a hundred chunks."""


class Mortal:
    """A port whose process can die: from then on nothing more of it is done."""

    def __init__(self, port: Any) -> None:
        self._port = port
        self.dead = False

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._port, name)

        async def called(*args: Any, **named: Any) -> Any:
            if self.dead:
                raise Unavailable
            return await method(*args, **named)

        return called


class Halting:
    """An index that stops at its `at`th write, before or after it is done, until it is let go."""

    def __init__(self, index: MemoryIndex, at: int = 1, *, after: bool = False) -> None:
        self._index = index
        self._left = at
        self._after = after
        self.reached = asyncio.Event()
        self.go = asyncio.Event()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._index, name)

    async def upsert(self, entries: Any) -> None:
        self._left -= 1
        if self._left == 0 and self._after:
            await self._index.upsert(entries)
        if self._left == 0:
            self.reached.set()
            await self.go.wait()
        await self._index.upsert(entries)


class Documents(World):
    """The world; `dense` has an embedding model, whose answers `answer` makes."""

    def __init__(self, more: str = "", *, dense: bool = False) -> None:
        dense = dense or not BY_WORDS
        super().__init__(self.embedded, more=(DENSE if dense else LEXICAL) + more, env={})
        self.index = indexed(self.platform, dense=dense)
        self.asked: list[str] = []
        self.tokens = 100
        self.fails: list[BaseException | Response] = []
        self.on(index=self.index)

    def on(self, **parts: Any) -> None:
        """A new gateway on the same world, as after a restart; with other parts of the platform."""
        self.platform = replace(self.platform, **parts)
        self.gateway = build(
            self.gateway.config, self.platform, lambda _, error: self.reports.append(error)
        )

    def embedded(self, request: Request) -> Response:
        """A word a place, so that like texts are near."""
        if self.fails:
            failure = self.fails.pop(0)
            if isinstance(failure, BaseException):
                raise failure
            return failure
        assert isinstance(request.body, bytes)
        texts = json.loads(request.body)["input"]
        self.asked = [*self.asked, *texts]
        rows = [{"index": i, "embedding": vector(text)} for i, text in enumerate(texts)]
        told = usage(self.tokens * len(texts), 0)
        return Response(200, [JSON], json.dumps({"data": rows, "usage": told}).encode())

    async def put(self, text: str = WALRUS, filename: str = "animals.md", **how: Any) -> Response:
        given = {"text": text, "filename": filename}
        shared = how.pop("shared", None)
        return await self.ask(
            UPLOAD, given if shared is None else given | {"shared": shared}, **how
        )

    async def send(self, data: bytes, filename: str = "notes.txt", **how: Any) -> Response:
        """As a form."""
        kind, form = formed([("file", filename, data)])
        return await self.ask(UPLOAD, form, headers=[("content-type", kind)], **how)

    async def search(self, query: str, **more: Any) -> Any:
        how = {name: more.pop(name) for name in ("token",) if name in more}
        return await body(await self.ask(SEARCH, {"query": query, **more}, **how))

    async def found(self, query: str, **more: Any) -> list[str]:
        """The files of what a search finds."""
        return [one["filename"] for one in (await self.search(query, **more))["results"]]

    async def document(self, id: str, **how: Any) -> Any:
        return await body(await self.get(f"{DOCUMENTS}/{id}", **how))

    async def delete(self, id: str, **how: Any) -> Response:
        return await self.ask(f"{DOCUMENTS}/{id}", method="DELETE", **how)

    async def counts(self) -> dict[str, int]:
        """Rows and entries that stand."""
        tables = self.platform.tables
        found = {"entries": (await self.index.describe()).entries}
        for name in ("documents", "passages"):
            ((found[name],),) = await tables.rows(f"select count(*) from {name}")
        return found

    async def halted(self, halting: Halting, **how: Any) -> asyncio.Task[Any]:
        """An upload of LONG whose work stands still where that index does."""
        self.mortal = Mortal(self.platform.tables)
        self.stores = self.platform.tables
        self.on(index=halting, tables=self.mortal)
        sent = asyncio.create_task(self.put(LONG, "long.txt", token=self.token(tier="pro"), **how))
        await halting.reached.wait()
        return sent

    async def killed(self, sent: asyncio.Task[Any]) -> None:
        """The process is gone without a word, and another starts on the same stores."""
        self.mortal.dead = True
        sent.cancel()
        await self.platform.spawn.cancel()
        await asyncio.gather(sent, return_exceptions=True)
        self.on(index=self.index, tables=self.stores, spawn=Background())

    async def upkeep(self) -> None:
        """A pass, and all that it begins."""
        one = asyncio.create_task(upkeep(self.gateway))
        try:
            while not one.done():
                await self.platform.clock.run(1)
            await one
        finally:
            one.cancel()
        await self.settled()

    async def states(self) -> list[str]:
        rows = await self.platform.tables.rows("select state from documents order by id")
        return [row[0] for row in rows]

    async def until(self, so: Callable[[list[str]], bool]) -> None:
        """The documents' states are so."""
        while not so(await self.states()):  # noqa: ASYNC110 - what is awaited is rows, which tell nobody
            await asyncio.sleep(0)

    async def settled(self) -> None:
        """All work in the background has ended."""
        while self.platform.spawn.running:
            await self.platform.clock.run(1)
        await self.platform.spawn.join()


def indexed(platform: Any, *, dense: bool = True) -> Any:
    """The home's own index where it has one, else one in memory."""
    if not BY_WORDS:
        return platform.indexed(MODEL, DIMENSION)
    return MemoryIndex(MODEL, DIMENSION) if dense else MemoryIndex()


def vector(text: str) -> list[float]:
    found = [0.0] * DIMENSION
    for word in words(text):
        found[sum(word.encode()) % DIMENSION] += 1.0
    return found if any(found) else [1.0] * DIMENSION


def formed(
    files: list[tuple[str, str | None, bytes]], boundary: str = "fence"
) -> tuple[str, bytes]:
    """The content type and body of a form."""
    parts = b""
    for name, filename, data in files:
        named = "" if filename is None else f'; filename="{filename}"'
        head = f'--{boundary}\r\ncontent-disposition: form-data; name="{name}"{named}\r\n\r\n'
        parts += head.encode() + data + b"\r\n"
    return f"multipart/form-data; boundary={boundary}", parts + f"--{boundary}--\r\n".encode()
