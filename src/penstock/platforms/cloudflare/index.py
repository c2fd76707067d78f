"""An index of vectors in Vectorize, and what they stand for in D1."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any

import msgspec

from penstock.errors import Unavailable
from penstock.platforms import index
from penstock.platforms.cloudflare import index_sql as sql
from penstock.platforms.cloudflare import values
from penstock.ports import MOST_ENTRIES, MOST_MATCHES, About, Clock, Entry, Found, Tables, Vector

NAME = "document-vectors"
FILTERED = ("owner", "document")
"""The metadata that Vectorize must have an index for."""
STALE_MS = 3_600_000
"""After that a row that is not found is nobody's who still writes it."""
KEY_BYTES = 16


class Near(msgspec.Struct):
    id: str
    score: float


class Matches(msgspec.Struct):
    matches: list[Near] = []


class Mutation(msgspec.Struct, rename="camel"):
    mutation_id: str = ""


class Info(msgspec.Struct, rename="camel"):
    """What Vectorize says of an index. The last change that it took in is told as text or as a number, as it comes."""

    dimensions: int = 0
    processed_up_to_datetime: str | float | None = None
    processed_up_to_mutation: str | int | None = None


class CloudflareIndex:
    """Vectorize finds, rows in D1 decide: an entry is found where its row says so, so that one batch shows all of an
    upsert and hides all of a delete, whatever Vectorize still has to take in.

    Each write of an entry has a new vector, which is found once `settled` passes the write, and until then neither it
    nor the one it replaces. It has no search by terms. Scores are those of Vectorize, whose float32 may be approximate.
    """

    def __init__(
        self,
        vectorize: Any,
        tables: Tables,
        clock: Clock,
        random: Callable[[int], bytes],
        model: str = "",
        dimension: int = 0,
    ) -> None:
        index.check_model(model, dimension)
        self._vectorize = vectorize
        self._tables = tables
        self._clock = clock
        self._random = random
        self._model = model
        self._dimension = dimension
        self._claimed = False

    async def upsert(self, entries: Sequence[Entry]) -> None:
        listed = index.checked(entries, self._model)
        vectors = [None if one.vector is None else self._unit(one.vector) for one in listed]
        await self._claim()
        if not listed:
            return
        start = self._random(KEY_BYTES).hex()
        keys = [f"{start}{number:04}" for number in range(len(listed))]
        rows = [
            [key, _hash(one.owner), _hex(one.id), _hash(one.document)]
            for key, one in zip(keys, listed, strict=True)
        ]
        await self._tables.batch((sql.PREPARE, (self._now(), _json(rows))))
        if self._model:
            given = [
                {"id": row[0], "values": vector, "metadata": {"owner": row[1], "document": row[3]}}
                for row, vector in zip(rows, vectors, strict=True)
            ]
            await self._mutate(self._vectorize.upsert, given)
        replaced, _, left = await self._tables.batch(
            (sql.REPLACE, (self._now(), _json(keys))),
            (sql.SHOW, (_json(keys),)),
            (sql.LEFT_OVER, (self._now() - STALE_MS,)),
        )
        await self._forget(row[0] for row in (*replaced, *left))

    async def delete(
        self, owner: str, ids: Sequence[str] = (), document: str | None = None
    ) -> None:
        index.check_delete(owner, ids, document)
        await self._claim()
        whose = (_hash(owner), _json([_hex(name) for name in ids]), _document(document))
        retired, left = await self._tables.batch(
            (sql.RETIRE, (self._now(), *whose)), (sql.LEFT_OVER, (self._now() - STALE_MS,))
        )
        await self._forget(row[0] for row in (*retired, *left))

    async def search(
        self,
        owner: str,
        k: int,
        *,
        vector: Vector | None = None,
        terms: Sequence[str] | None = None,
        document: str | None = None,
    ) -> Found:
        index.check_search(owner, k, vector, terms, document)
        if vector is None:
            return Found()
        asked = self._unit(vector)
        await self._claim()
        whose = {"owner": _hash(owner)}
        if document is not None:
            whose["document"] = _hash(document)
        # More than k: some may be of vectors that are not found any more.
        near = await self._query(asked, MOST_MATCHES, whose)
        keys = _json([match.id for match in near])
        rows = await self._tables.rows(sql.KNOWN, keys, whose["owner"], _document(document))
        names = {key: bytes.fromhex(name).decode() for key, name in rows}
        return Found(index.best(((names[m.id], m.score) for m in near if m.id in names), k))

    async def describe(self) -> About:
        await self._claim()
        [(mutation, entries)] = await self._tables.rows(sql.ENTRIES)
        settled = await self._settled(mutation)
        return About(self._model, self._dimension, entries, lexical=False, settled=settled)

    async def drop(self, model: str, dimension: int) -> None:
        """Nothing: Vectorize has one dimension, so that another model is in an index of its own."""
        index.check_drop((self._model, self._dimension), (model, dimension))

    async def problem(self) -> str:
        """What is wrong with the index that is bound, with its mend; empty where nothing is, as far as the binding tells."""
        info = await self._info()
        if info.dimensions != self._dimension:
            return (
                f"The Vectorize index (binding VECTORIZE) has {info.dimensions} dimensions, and {self._model} makes"
                f" {self._dimension}: make it anew by `npx wrangler vectorize delete {NAME}` and `npx wrangler vectorize"
                f" create {NAME} --dimensions={self._dimension} --metric=cosine`, and write the documents again."
            )
        await self._claim()
        rows = await self._tables.rows(sql.ANY)
        # Without counting: a Worker's every start asks.
        [(mutation,)] = await self._tables.rows(sql.MUTATION)
        if not rows or await self._settled(mutation) < math.inf:
            return ""
        whole = dict(zip(FILTERED, rows[0], strict=True))
        anywhere = [1.0] + [0.0] * (self._dimension - 1)
        for name in FILTERED:
            if not await self._query(anywhere, 1, {name: whole[name]}):
                return (
                    f"The Vectorize index (binding VECTORIZE) finds nothing by {name}: make its metadata index by"
                    f" `npx wrangler vectorize create-metadata-index {NAME} --property-name={name} --type=string`,"
                    " and write the documents again, for it has only what is written after it."
                )
        return ""

    async def _settled(self, mutation: str) -> float:
        """Up to when Vectorize has taken in what was written; `mutation` was the last."""
        if not self._model or not mutation:
            return math.inf
        info = await self._info()
        if info.processed_up_to_mutation == mutation:
            return math.inf
        return _seconds(info.processed_up_to_datetime)

    async def _claim(self) -> None:
        """The model of what is in the tables is theirs: raises WrongModel for another."""
        if self._claimed:
            return
        ours = (self._model, self._dimension)
        _, found = await self._tables.batch((sql.CLAIM, ours), (sql.ABOUT, ()))
        theirs = tuple(found[0])
        if theirs != ours:
            raise index.mismatch((theirs[0], theirs[1]), ours)
        self._claimed = True

    async def _forget(self, gone: Iterable[str]) -> None:
        """Has Vectorize delete these too; where it cannot now, a later write does."""
        keys = list(gone)
        with suppress(Unavailable):
            for start in range(0, len(keys), MOST_ENTRIES):
                some = keys[start : start + MOST_ENTRIES]
                if self._model:
                    await self._mutate(self._vectorize.deleteByIds, some)
                await self._tables.batch((sql.FORGET, (_json(some),)))

    async def _mutate(self, change: Callable[[Any], Awaitable[Any]], what: Any) -> None:
        said = await _asked(change(values.parsed(msgspec.json.encode(what))))
        done = msgspec.json.decode(said, type=Mutation)
        await self._tables.batch((sql.MUTATED, (done.mutation_id, self._now())))

    async def _query(self, asked: list[float], k: int, whose: dict[str, str]) -> list[Near]:
        settings = {"topK": k, "filter": whose, "returnValues": False, "returnMetadata": "none"}
        given = values.parsed(msgspec.json.encode([asked, settings]))
        said = await _asked(self._vectorize.query(given[0], given[1]))
        return msgspec.json.decode(said, type=Matches).matches

    async def _info(self) -> Info:
        return msgspec.json.decode(await _asked(self._vectorize.describe()), type=Info)

    def _unit(self, vector: Vector) -> list[float]:
        return index.unit(vector, self._model, self._dimension)

    def _now(self) -> int:
        return int(self._clock.now() * 1000)


async def _asked(promise: Awaitable[Any]) -> str:
    """What Vectorize says, as JSON."""
    try:
        return values.text(await promise)
    except values.JsException as error:
        raise Unavailable("The index cannot be reached or written.") from error


def _seconds(told: str | float | None) -> float:
    """A moment that is told as ISO 8601, in milliseconds or not at all, in seconds since the epoch."""
    if isinstance(told, str) and told:
        return datetime.fromisoformat(told).timestamp()
    return float(told or 0) / 1000


def _hash(text: str) -> str:
    """64 signs, all that Vectorize's filter reads; a lone surrogate has a hash too."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _document(document: str | None) -> str | None:
    return None if document is None else _hash(document)


def _hex(name: str) -> str:
    return name.encode().hex()


def _json(items: Sequence[Any]) -> str:
    return msgspec.json.encode(items).decode()
