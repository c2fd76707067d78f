"""An index in Qdrant: vectors alone, a collection a model."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Awaitable, Sequence
from typing import TypeVar
from uuid import UUID

from qdrant_client import AsyncQdrantClient, models
from qdrant_client.http.exceptions import ApiException

from penstock.errors import Unavailable
from penstock.platforms import index
from penstock.ports import About, Entry, Found, Match, Other, Vector

PREFIX = "penstock"
BESIDE = 16
"""Asked for beyond `k`, to see whether entries of one score were cut apart."""

T = TypeVar("T")


class QdrantIndex:
    """Points by the client it is given, which its owner closes. Its filter goes with the search through the graph.

    It has no search by terms: Qdrant's statistics are of all owners. An upsert is one operation there, and found when it
    returns.
    """

    def __init__(self, client: AsyncQdrantClient, model: str = "", dimension: int = 0) -> None:
        index.check_model(model, dimension)
        self._client = client
        self._model = model
        self._dimension = dimension
        self._collection = _collection(model, dimension)
        self._there = False

    async def upsert(self, entries: Sequence[Entry]) -> None:
        points = [self._point(entry) for entry in index.checked(entries, self._model)]
        await self._made()
        if points:
            await _asked(self._client.upsert(self._collection, points, wait=True))

    async def delete(
        self, owner: str, ids: Sequence[str] = (), document: str | None = None
    ) -> None:
        index.check_delete(owner, ids, document)
        named: list[models.Condition] = []
        if ids:
            named.append(_any("id", [_hex(name) for name in ids]))
        if document is not None:
            named.append(_any("document", [_hex(document)]))
        if not named:
            return
        which = models.Filter(must=[_any("owner", [_hash(owner)])], should=named)
        for name in await self._collections():
            await _asked(self._client.delete(name, models.FilterSelector(filter=which), wait=True))

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
        asked = index.unit(vector, self._model, self._dimension)
        await self._made()
        within: list[models.Condition] = [_any("owner", [_hash(owner)])]
        if document is not None:
            within.append(_any("document", [_hex(document)]))
        return Found(await self._near(asked, models.Filter(must=within), k))

    async def describe(self) -> About:
        await self._made()
        entries, others = 0, []
        for name, (model, dimension) in (await self._collections()).items():
            count = (await _asked(self._client.count(name, exact=True))).count
            if name == self._collection:
                entries = count
            elif count:
                others.append(Other(model, dimension, count))
        return About(self._model, self._dimension, entries, lexical=False, others=tuple(others))

    async def drop(self, model: str, dimension: int) -> None:
        index.check_drop((self._model, self._dimension), (model, dimension))
        name = _collection(model, dimension)
        if name in await self._collections():
            everything = models.FilterSelector(filter=models.Filter(must=[]))
            await _asked(self._client.delete(name, everything, wait=True))

    async def _near(self, asked: list[float], within: models.Filter, k: int) -> tuple[Match, ...]:
        """The `k` nearest; where equal ones may have been cut apart, more are asked for."""
        most = k + BESIDE
        while True:
            told = await _asked(
                self._client.query_points(
                    self._collection,
                    query=asked,
                    query_filter=within,
                    limit=most,
                    with_payload=["id"],
                )
            )
            scores = [round(point.score, index.DECIMALS) for point in told.points]
            if len(scores) < most or scores[-1] < scores[k - 1]:
                names = [_name(point.payload) for point in told.points]
                return index.best(zip(names, scores, strict=True), k)
            most *= 4

    async def _made(self) -> None:
        """Has the collection be there."""
        if self._there:
            return
        if self._collection not in await self._collections():
            size = models.VectorParams(
                size=max(1, self._dimension), distance=models.Distance.COSINE
            )
            await _asked(self._client.create_collection(self._collection, vectors_config=size))
            with warnings.catch_warnings():
                # The client's local mode says that it needs none.
                warnings.simplefilter("ignore")
                for field in ("owner", "document", "id"):
                    kind = models.KeywordIndexParams(
                        type=models.KeywordIndexType.KEYWORD, is_tenant=field == "owner"
                    )
                    await _asked(
                        self._client.create_payload_index(self._collection, field, kind, wait=True)
                    )
        self._there = True

    async def _collections(self) -> dict[str, tuple[str, int]]:
        """Ours, with their model and dimension."""
        told = await _asked(self._client.get_collections())
        names = (one.name.split("_") for one in told.collections)
        return {
            "_".join(parts): (bytes.fromhex(parts[2]).decode(), int(parts[1]))
            for parts in sorted(names)
            if parts[0] == PREFIX and len(parts) == 3
        }

    def _point(self, entry: Entry) -> models.PointStruct:
        # Without a model there is nothing to find by: each lies where the others do.
        values = (
            [1.0]
            if entry.vector is None
            else index.unit(entry.vector, self._model, self._dimension)
        )
        owner, name = _hash(entry.owner), _hex(entry.id)
        return models.PointStruct(
            id=str(UUID(bytes=hashlib.sha256(f"{owner}:{name}".encode()).digest()[:16])),
            vector=values,
            payload={"owner": owner, "id": name, "document": _hex(entry.document)},
        )


async def _asked(call: Awaitable[T]) -> T:
    try:
        return await call
    except (ApiException, OSError) as error:
        raise Unavailable("The index cannot be reached or written.") from error


def _any(field: str, values: Sequence[str]) -> models.FieldCondition:
    return models.FieldCondition(key=field, match=models.MatchAny(any=list(values)))


def _name(payload: dict[str, object] | None) -> str:
    return bytes.fromhex(str((payload or {})["id"])).decode()


def _collection(model: str, dimension: int) -> str:
    return f"{PREFIX}_{dimension}_{model.encode().hex()}"


def _hash(owner: str) -> str:
    """For an owner may be of any length; a lone surrogate has a hash too."""
    return hashlib.sha256(owner.encode("utf-8", "surrogatepass")).hexdigest()


def _hex(name: str) -> str:
    return name.encode().hex()
