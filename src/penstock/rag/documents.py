"""Documents as rows: how far each has come, whose it is, who works on it, and the passages it became."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec
from msgspec import Struct, structs

from penstock.errors import Conflict
from penstock.ports import Statement, Tables
from penstock.rag import sql
from penstock.rag.chunk import Chunk
from penstock.rag.passages import Passage

QUOTA = "document_owners_quota"
CONTENT = "documents_content"
LEASE_MS = 60_000
"""How long whoever works on a document has it; renewed while they do, and then another's."""
MOST_TRIES = 3
KEPT_FAILED_MS = 7 * 24 * 3_600_000
SWEEP_ROWS = 100
MOST_REASON = 500

State = Literal["queued", "parsing", "embedding", "ready", "failed", "deleted"]
Owners = tuple[str, str]
"""A caller's own, and their tenant's."""


class Document(Struct, frozen=True):
    """A row of `documents`; times in milliseconds. Who uploaded it is charged for what it costs."""

    id: str
    owner: str
    hash: str
    filename: str
    declared: str
    kind: str
    title: str
    bytes: int
    shared: int
    state: State
    reason: str
    message: str
    model: str
    chunks: int
    done: int
    tenant: str
    sub: str
    tier: str
    key_id: str
    at: int
    changed_at: int
    holder: str
    lease_until: int
    tries: int

    @property
    def over(self) -> bool:
        """Whether nothing more becomes of it by itself."""
        return self.state in ("ready", "failed", "deleted")


class Found(Struct, frozen=True):
    """A passage as it is read: what is searched, and where it stands in which file."""

    passage: Passage
    number: int
    start: int
    end: int
    filename: str


class Lost(Exception):
    """The document is another's to work on, or was deleted: nothing was written."""


async def find(tables: Tables, owners: Owners, id: str) -> Document | None:
    """The document of one of these owners."""
    rows = await tables.rows(sql.FIND, id, *owners)
    return Document(*rows[0]) if rows else None


async def same(tables: Tables, owner: str, hash: str) -> Document | None:
    """The owner's document of this content."""
    rows = await tables.rows(sql.SAME, owner, hash)
    return Document(*rows[0]) if rows else None


async def page(tables: Tables, owners: Owners, before: str, most: int) -> list[Document]:
    """The newest first, from those before a document's id."""
    return [Document(*row) for row in await tables.rows(sql.PAGE, *owners, before, most)]


async def everybodys(
    tables: Tables, before: str, most: int, tenant: str = "", state: str = ""
) -> list[Document]:
    """The newest first, of everybody, of a tenant or in a state, from those before a document's id."""
    return [
        Document(*row) for row in await tables.rows(sql.EVERYBODYS, before, tenant, state, most)
    ]


async def states(tables: Tables, tenant: str = "") -> dict[str, int]:
    """How many are in each state."""
    return {state: int(number) for state, number in await tables.rows(sql.STATES, tenant)}


async def waiting(tables: Tables, most: int) -> int:
    """How many are to be worked on, counted up to `most`."""
    ((number,),) = await tables.rows(sql.WAITING, most)
    return int(number)


async def add(tables: Tables, document: Document, most: int) -> None:
    """A new one, held by its uploader, in the place of one of the same content that failed; raises Conflict by QUOTA where
    its owner has `most` already, by CONTENT where they have this."""
    failed = (sql.FORGET, (document.owner, document.hash))
    await tables.batch(
        failed, (sql.COUNT, (document.owner, most)), (sql.ADD, structs.astuple(document))
    )


async def claim(tables: Tables, holder: str, now: int, id: str = "") -> Document | None:
    """One that is due, or this one if it is, of the owner who has waited longest; its tries count this one."""
    [rows] = await tables.batch((sql.CLAIM, (holder, now + LEASE_MS, now, id)))
    if not rows:
        return None
    document = Document(*rows[0])
    await tables.batch((sql.SERVED, (now, document.owner)))
    return document


async def release(
    tables: Tables, held: Document, now: int, *, due: int = 0, tries: int = 0
) -> bool:
    """It is due to whoever comes, from `due` on; whether it still was the holder's."""
    [rows] = await tables.batch((sql.RELEASE, (due, tries, now, held.id, held.holder)))
    return bool(rows)


async def renew(tables: Tables, held: Document, now: int) -> None:
    """Its holder still works on it; raises Lost."""
    await _held(tables, (sql.RENEW, (now + LEASE_MS, held.id, held.holder)))


async def parsed(
    tables: Tables, held: Document, kind: str, title: str, chunks: int, now: int, model: str = ""
) -> int:
    """It is cut into so many; returns how many of these are done already, for this model's index. Raises Lost."""
    as_before = (held.chunks, held.kind, held.model) == (chunks, kind, model)
    done = held.done if as_before else 0
    await _held(
        tables,
        (sql.DROP_FROM, (held.id, done, held.holder)),
        (sql.PARSED, (kind, title, chunks, done, now, model, held.id, held.holder)),
    )
    return done


async def advance(
    tables: Tables,
    held: Document,
    first: int,
    chunks: Sequence[Chunk],
    passages: Sequence[Passage],
    now: int,
) -> None:
    """These chunks are in the index, and become rows; raises Lost."""
    rows: list[Statement] = []
    for number, (chunk, one) in enumerate(zip(chunks, passages, strict=True), first):
        titles = msgspec.json.encode(one.titles).decode()
        place = (number, chunk.start, chunk.end)
        rows.append((sql.PASSAGE, (one.id, held.id, *place, one.text, titles, held.holder)))
    after = first + len(chunks)
    done = (sql.DONE, (after, now + LEASE_MS, now, held.id, held.holder))
    await _held(tables, *rows, done)


async def ready(tables: Tables, held: Document, model: str, now: int) -> None:
    """It is found from now on, in the index of this model; raises Lost."""
    mine = (held.id, held.holder)
    await _held(tables, (sql.MOVE, mine), (sql.READY, (model, now, *mine)))


async def fail(tables: Tables, held: Document, reason: str, message: str, now: int) -> None:
    """It never is; raises Lost."""
    mine = (held.id, held.holder)
    await _held(
        tables,
        (sql.DROP_FROM, (held.id, 0, held.holder)),
        (sql.UNCOUNT, mine),
        (sql.FAIL, (reason, message[:MOST_REASON], now, *mine)),
    )


async def delete(tables: Tables, document: Document, now: int) -> bool:
    """It is found no more; whether nobody can still be working on it, so that what is left of it goes at once."""
    mine = (document.owner, document.id)
    after = now + 2 * LEASE_MS
    *_, rows = await tables.batch(
        (sql.UNCOUNT_DELETED, mine),
        (sql.MOVE_DELETED, mine),
        (sql.DELETE, (now, after, document.id, document.owner)),
    )
    return bool(rows) and rows[0][0] == 0


async def due(tables: Tables, now: int) -> bool:
    """Whether any is to be worked on, or to be removed: asked each minute, where next to nothing may be read."""
    return bool(await tables.rows(sql.DUE, now))


async def deleted(tables: Tables, now: int, most: int) -> list[tuple[str, str, int]]:
    """Id, owner and size of those of which what is left can go."""
    return [(row[0], row[1], row[2]) for row in await tables.rows(sql.DELETED, now, most)]


async def drop(tables: Tables, id: str) -> None:
    """The passages of one."""
    await tables.batch((sql.DROP, (id,)))


async def remove(tables: Tables, id: str) -> None:
    """The row of a deleted one, which is the last of it."""
    await tables.batch((sql.DROP, (id,)), (sql.REMOVE, (id,)))


async def sweep(tables: Tables, now: int) -> bool:
    """Some that failed long ago are deleted; whether there may be more."""
    [swept] = await tables.batch((sql.SWEEP, (now - KEPT_FAILED_MS, SWEEP_ROWS)))
    return len(swept) == SWEEP_ROWS


async def passages(tables: Tables, owners: Owners, ids: Sequence[str]) -> dict[str, Found]:
    """Those of ready documents of these owners; one round trip for each MOST_READ."""
    found: dict[str, Found] = {}
    for start in range(0, len(ids), sql.MOST_READ):
        some = tuple(ids[start : start + sql.MOST_READ])
        asked = (*some, *some[-1:] * (sql.MOST_READ - len(some)))
        for id, document, text, titles, number, start, end, filename in await tables.rows(
            sql.PASSAGES, *owners, *asked
        ):
            names = msgspec.json.decode(titles, type=tuple[str, ...])
            found[id] = Found(Passage(id, document, text, names), number, start, end, filename)
    return found


async def elsewhere(
    tables: Tables, model: str, *, everything: bool, after: str, most: int
) -> list[Document]:
    """Ready ones of all owners by id, from `after` on, that are not in this model's index; or all of them."""
    rows = await tables.rows(sql.READY_OF, after, model, int(everything), most)
    return [Document(*row) for row in rows]


async def elsewhere_count(tables: Tables, model: str, *, everything: bool) -> int:
    """How many there are of those."""
    ((number,),) = await tables.rows(sql.LEFT_OF, model, int(everything))
    return int(number)


async def passages_of(tables: Tables, document: str, first: int, most: int) -> list[Passage]:
    """A document's passages in order, from a number on."""
    rows = await tables.rows(sql.OF_DOCUMENT, document, first, most)
    return [
        Passage(id, document, text, msgspec.json.decode(titles, type=tuple[str, ...]))
        for id, text, titles, _ in rows
    ]


async def moved(tables: Tables, document: Document, model: str) -> bool:
    """It is in this model's index; whether it still is there to be found."""
    found, _ = await tables.batch(
        (sql.MOVED_TO, (model, document.id)), (sql.MOVE_OWNER, (document.owner,))
    )
    return bool(found)


async def versions(tables: Tables, owners: Owners) -> Mapping[str, int]:
    """By owner; those who never had a document are not there."""
    return {row[0]: row[1] for row in await tables.rows(sql.VERSIONS, *owners)}


async def _held(tables: Tables, *statements: Statement) -> None:
    """Writes all where the last one finds its row, which is the holder's; raises Lost."""
    try:
        *_, rows = await tables.batch(*statements)
    except Conflict as conflict:
        raise Lost from conflict
    if not rows:
        raise Lost
