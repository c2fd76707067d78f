"""One document from its bytes to what is found: read, cut, embedded, indexed, ready; resumed where it was left."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Literal

from penstock.auth.caller import Caller
from penstock.config.embedder import embedder
from penstock.errors import Error, RateLimited, Refused, Unavailable
from penstock.gateway import originals
from penstock.gateway.uploads import told_name
from penstock.gateway.vectors import behind, vectors
from penstock.ports import Index, Parse, Vector
from penstock.rag import documents, reasons
from penstock.rag.chunk import Chunk, chunks
from penstock.rag.documents import LEASE_MS, MOST_TRIES, Document, Lost
from penstock.rag.passages import Passage, entry, told

if TYPE_CHECKING:
    from penstock.gateway import Gateway
    from penstock.gateway.routes import Endpoint

BATCH = 50
"""Chunks that are embedded, indexed and written at once."""
PIECE_BATCHES = 4
"""After so many of them a Worker leaves the rest to the next: the cache asks the store once or twice for each text."""
TURN = 8
"""Chunks that are cut before the event loop gets a turn: 40 ms of lines of one letter."""
RENEW_SECONDS = LEASE_MS / 3000
AGAIN_MS = 30_000
"""Before the second try; twice as long before the third."""
SETTLING_SECONDS = 1.0
SETTLING_TRIES = 8

Verdict = Literal["failed", "later", "wait"]


class Later(Exception):
    """The rest is for whoever comes next."""


class Ingest:
    """Work on one document that was claimed; its lease is renewed as long as it goes on."""

    def __init__(self, gateway: Gateway, held: Document, endpoint: Endpoint) -> None:
        self._gateway = gateway
        self._tables = gateway.platform.tables
        self._clock = gateway.platform.clock
        self._held = held
        self._endpoint = endpoint
        self._kind = ""
        self._indexed = bool(held.done or held.chunks or held.tries > 1)
        self._caller = Caller(sub=held.sub, tenant=held.tenant, tier=held.tier, key_id=held.key_id)

    async def run(self) -> None:
        """Ends ready, failed, or due again; raises Unavailable where the tables are out of reach, which leaves it to its lease."""
        renewing = asyncio.ensure_future(self._renew())
        try:
            await self._run()
        except Lost:
            pass  # deleted, or another's by now
        except Later:
            await self._release(0, 0)
        except asyncio.CancelledError:
            with suppress(Error):
                await self._release(0, self._held.tries - 1)
            raise
        except Error as error:
            await self._end(error)
        except Exception as error:  # noqa: BLE001 - one bad document must not end the work on others
            self._gateway.report(self._held.id, error)
            await self._end(Error())
        finally:
            renewing.cancel()

    async def _run(self) -> None:
        platform, held = self._gateway.platform, self._held
        if held.tries > MOST_TRIES or platform.index is None or platform.parse is None:
            raise reasons.unreadable("document_interrupted")
        if held.tries > 1 and not held.done:
            await platform.index.delete(held.owner, document=held.id)
        target = embedder(self._gateway.config).target
        model = "" if target is None else target.model
        # What was begun for another model is in an index that nobody searches now.
        if not held.chunks or held.done < held.chunks or held.model != model:
            title, parts = await self._read(platform.parse)
            done = await documents.parsed(
                self._tables, held, self._kind, title, len(parts), self._now(), model
            )
            await self._index(platform.index, title or held.filename, parts, done)
        model = await self._settle(platform.index)
        await documents.ready(self._tables, held, model, self._now())

    async def _read(self, parse: Parse) -> tuple[str, list[Chunk]]:
        held = self._held
        data = await originals.get(self._gateway.platform.blobs, held.id, held.bytes)
        if data is None:
            raise reasons.unreadable("document_interrupted")
        name = told_name(held.filename, held.declared)
        text = await parse.text(data, name, held.declared)
        self._kind = text.kind
        parts: list[Chunk] = []
        for part in chunks(text.text):
            parts.append(part)
            if not len(parts) % TURN:
                await self._clock.sleep(0)
        if not parts:
            raise reasons.unreadable("document_empty")
        return text.title, parts

    async def _index(self, index: Index, name: str, parts: Sequence[Chunk], done: int) -> None:
        """Batch by batch, each first in the index, then in the tables: what is written twice is the same."""
        held, end = self._held, len(parts)
        if not self._gateway.platform.shared_loop:
            end = min(end, done + PIECE_BATCHES * BATCH)
        for first in range(done, end, BATCH):
            some = parts[first : min(first + BATCH, end)]
            passages = [
                Passage(f"{held.id}:{number}", held.id, chunk.text, (name, *chunk.titles))
                for number, chunk in enumerate(some, first)
            ]
            found = await self._embed(passages)
            entries = []
            for number, (one, vector) in enumerate(zip(passages, found, strict=True)):
                entries.append(entry(one, held.owner, vector))
                if not number % TURN:
                    await self._clock.sleep(0)
            self._indexed = True
            await index.upsert(entries)
            await documents.advance(self._tables, held, first, some, passages, self._now())
        if end < len(parts):
            raise Later

    async def _embed(self, passages: Sequence[Passage]) -> Sequence[Vector | None]:
        """Charged to whoever uploaded it."""
        if embedder(self._gateway.config).target is None:
            return [None] * len(passages)
        exchange = behind(self._gateway, self._caller, self._endpoint)
        return (await vectors(self._gateway, exchange, [told(one) for one in passages])).vectors

    async def _settle(self, index: Index) -> str:
        """Until what was written is found; returns the index's model, raises Later where that takes long."""
        written = self._clock.now()
        for _ in range(SETTLING_TRIES):
            about = await index.describe()
            if about.settled >= written:
                return about.model
            await self._clock.sleep(SETTLING_SECONDS)
        raise Later

    async def _end(self, error: Error) -> None:
        held, what = self._held, verdict(error)
        if what == "wait":
            await self._release(self._now() + _wait_ms(error), held.tries - 1)
        elif what == "later" and held.tries < MOST_TRIES:
            await self._release(self._now() + AGAIN_MS * held.tries, held.tries)
        else:
            await self._fail(error)

    async def _fail(self, error: Error) -> None:
        """Nothing of it is left but the reason; what is another's by now is left alone."""
        platform, held = self._gateway.platform, self._held
        with suppress(Lost):
            if platform.index is not None and self._indexed:
                await documents.renew(self._tables, held, self._now())
                await platform.index.delete(held.owner, document=held.id)
            await documents.fail(self._tables, held, error.code, error.message, self._now())
            await originals.delete(platform.blobs, held.id, held.bytes)

    async def _release(self, due: int, tries: int) -> None:
        await documents.release(self._tables, self._held, self._now(), due=due, tries=max(0, tries))

    async def _renew(self) -> None:
        """A lease that cannot be renewed is found lost by the next write."""
        while True:
            await self._clock.sleep(RENEW_SECONDS)
            with suppress(Lost, Unavailable):
                await documents.renew(self._tables, self._held, self._now())

    def _now(self) -> int:
        return int(self._clock.now() * 1000)


def verdict(error: Error) -> Verdict:
    """Whether a try that ended so is the last, is repeated, or did not count."""
    if isinstance(error, RateLimited):
        return "wait"
    return "failed" if isinstance(error, Refused) else "later"


def _wait_ms(error: Error) -> int:
    told = dict(error.headers).get("retry-after", "")
    return int(told) * 1000 if told.isdecimal() else AGAIN_MS
