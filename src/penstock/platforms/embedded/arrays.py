"""Owners' entries in memory, as numpy's arrays: what the rows of the index say, brought up to date with each search."""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

import apsw
import numpy as np
from numpy.typing import NDArray

from penstock.platforms import index
from penstock.platforms.embedded import index_sql as sql
from penstock.platforms.memory.sqlite import query
from penstock.ports import Found, Match, Row, Value

Floats = NDArray[np.float32]
Scores = NDArray[np.float64]
Numbers = NDArray[np.int64]
Places = NDArray[np.intp]

BLOCK = 1_024
"""Rows read at a time."""
SPARE = 8
"""An array that is full grows by one part in so many."""
DEAD_SHARE = 8
"""Once one entry of so many is gone, what is left is put together."""
TERM_BYTES, POSTING_BYTES = 500, 8
"""Of a term that was asked for, found or not; and of each entry that has it."""
OWNER_BYTES = 2_000
"""Of an owner with nothing yet."""
NOISE = 1e-4
"""More than float32's sums of 1,536 products are wrong by."""


class Standing:
    """What `owners` says: how many entries, of how many terms, and how many have gone since ever."""

    def __init__(self, connection: apsw.Connection, owner: bytes) -> None:
        found = query(connection, sql.STANDING, (owner,))
        row: tuple[int, int, int] = found[0] if found else (0, 0, 0)
        self.entries, self.length, self.removed = row


class Arrays:
    """One owner's entries: numbers that rise, lengths, vectors, and the postings of terms that were asked for.

    An entry that is gone keeps its place, marked as dead, until many are.
    """

    def __init__(self, owner: bytes, dimension: int) -> None:
        self.lock = threading.Lock()
        self._owner = owner
        self._removed = 0
        self._size = 0
        self._numbers: Numbers = np.empty(0, np.int64)
        self._lengths: NDArray[np.int32] = np.empty(0, np.int32)
        self._vectors: Floats = np.empty((0, dimension), np.float32)
        self._alive: NDArray[np.bool_] = np.ones(0, np.bool_)
        self._postings: dict[str, Postings] = {}
        self._posted_bytes = 0

    @property
    def size(self) -> int:
        """What it takes in memory."""
        held = (self._numbers, self._lengths, self._vectors, self._alive)
        return OWNER_BYTES + sum(array.nbytes for array in held) + self._posted_bytes

    def catch_up(self, connection: apsw.Connection, standing: Standing) -> None:
        """Brings it to the snapshot that the connection reads."""
        if standing.removed != self._removed:
            self._bury(connection)
        alive = int(self._alive[: self._size].sum())
        if standing.entries != alive:
            self._room(self._size + standing.entries - alive)
            self._read_on(connection)
        self._removed = standing.removed

    def near(self, connection: apsw.Connection, asked: bytes, within: str | None, k: int) -> tuple[Match, ...]:  # fmt: skip
        """The `k` nearest, of one document if it is named."""
        vector = np.frombuffer(asked, "<f4")
        places = self._chosen(connection, within)
        if places is None:
            # Not `@`: BLAS takes twice the time for it, and on a busy machine its threads wait for each other.
            rough = np.einsum("ij,j->i", self._vectors[: self._size], vector)
            rough[~self._alive[: self._size]] = -np.inf
            places = _leading(rough, k)
        exact = np.einsum(
            "ij,j->i", self._vectors[places].astype(np.float64), vector.astype(np.float64)
        )
        return self._best(connection, places, exact, k)

    def told(
        self, connection: apsw.Connection, slots: Sequence[str], within: str | None, k: int, standing: Standing
    ) -> tuple[Match, ...]:  # fmt: skip
        """The `k` that say most of these terms, each of which is in one at least."""
        scores = np.zeros(self._size)
        mean = standing.length / max(1, standing.entries)
        share = index.LENGTH_SHARE / (mean or 1) * self._lengths[: self._size]
        norm = index.SATURATION * (1 - index.LENGTH_SHARE + share)
        alive = self._alive[: self._size]
        for slot in slots:
            having, counts = self._posted(connection, slot)
            rarity = index.rarity(standing.entries, int(alive[having].sum()))
            scores[having] += rarity * (index.SATURATION + 1) * counts / (counts + norm[having])
        scores[~alive] = 0
        chosen = self._chosen(connection, within)
        places = np.flatnonzero(scores) if chosen is None else chosen[scores[chosen] > 0]
        return self._best(connection, places, scores[places], k)

    def _bury(self, connection: apsw.Connection) -> None:
        """Marks what is gone; puts together what is left where that is much less."""
        left = _numbers(connection, sql.ALIVE, (self._owner,))
        alive = np.isin(self._numbers[: self._size], left, assume_unique=True)
        self._alive[: self._size] = alive
        dead = self._size - int(alive.sum())
        if dead * DEAD_SHARE > self._size:
            for name in ("_numbers", "_lengths", "_vectors"):
                setattr(self, name, getattr(self, name)[: self._size][alive])
            self._size -= dead
            self._alive = np.ones(self._size, np.bool_)
            self._postings.clear()
            self._posted_bytes = 0

    def _room(self, size: int) -> None:
        have = len(self._numbers)
        if size <= have:
            return
        size = max(size, have + have // SPARE)
        for name in ("_numbers", "_lengths", "_vectors", "_alive"):
            old: NDArray[Any] = getattr(self, name)
            new = np.ones((size, *old.shape[1:]), old.dtype)
            new[: self._size] = old[: self._size]
            setattr(self, name, new)

    def _read_on(self, connection: apsw.Connection) -> None:
        last = int(self._numbers[self._size - 1]) if self._size else 0
        rows: Iterator[Row] = connection.execute(sql.SINCE, (self._owner, last))
        while block := list(islice(rows, BLOCK)):
            numbers, lengths, vectors = zip(*block, strict=True)
            place = slice(self._size, self._size + len(block))
            self._numbers[place] = numbers
            self._lengths[place] = lengths
            self._alive[place] = True
            if self._vectors.shape[1]:
                self._vectors[place] = np.frombuffer(b"".join(vectors), "<f4").reshape(
                    len(block), -1
                )
            self._size = place.stop

    def _posted(self, connection: apsw.Connection, slot: str) -> tuple[NDArray[np.int32], NDArray[np.int32]]:  # fmt: skip
        """Where a term is, and how often."""
        found = self._postings.get(slot)
        if found is None:
            found = self._postings[slot] = Postings()
            self._posted_bytes += TERM_BYTES
        last = int(self._numbers[self._size - 1]) if self._size else 0
        if found.upto < last:
            rows = query(connection, sql.POSTINGS, (slot, found.upto))
            self._posted_bytes += POSTING_BYTES * len(rows)
            if rows:
                entries, counts = np.array(rows, np.int64).T
                places = np.searchsorted(self._numbers[: self._size], entries)
                found.places = np.concatenate([found.places, places.astype(np.int32)])
                found.counts = np.concatenate([found.counts, counts.astype(np.int32)])
            found.upto = last
        return found.places, found.counts

    def _chosen(self, connection: apsw.Connection, document: str | None) -> Places | None:
        """The places of a document's entries; None where all may be."""
        if document is None:
            return None
        entries = _numbers(connection, sql.OF_DOCUMENT, (self._owner, document))
        return np.searchsorted(self._numbers[: self._size], entries)

    def _best(self, connection: apsw.Connection, places: Places, exact: Scores, k: int) -> tuple[Match, ...]:  # fmt: skip
        """The first of these places by their scores, equal ones by id."""
        rounded = np.round(exact, index.DECIMALS)
        if len(places) > k:
            least = np.partition(rounded, len(rounded) - k)[len(rounded) - k]
            places, rounded = places[rounded >= least], rounded[rounded >= least]
        asked = json.dumps(self._numbers[places].tolist())
        names: dict[int, str] = dict(query(connection, sql.NAMES, (asked,)))
        numbers = self._numbers[places].tolist()
        named = zip((names[number] for number in numbers), rounded.tolist(), strict=True)
        return index.best(named, k)


class Postings:
    """Of one term, up to an entry's number."""

    __slots__ = ("counts", "places", "upto")

    def __init__(self) -> None:
        self.places: NDArray[np.int32] = np.empty(0, np.int32)
        self.counts: NDArray[np.int32] = np.empty(0, np.int32)
        self.upto = 0


class Held:
    """The owners asked about last, in at most so many bytes."""

    def __init__(self, dimension: int, most_bytes: int) -> None:
        self._dimension = dimension
        self._most_bytes = most_bytes
        self._lock = threading.Lock()
        self._owners: OrderedDict[bytes, Arrays] = OrderedDict()
        self._sizes: dict[bytes, int] = {}
        self.size = 0

    def search(
        self,
        reader: apsw.Connection,
        owner: bytes,
        k: int,
        asked: bytes | None,
        slots: Sequence[str],
        document: str | None,
    ) -> Found | None:
        """One search in the reader's snapshot; None for an owner who does not fit."""
        arrays = self._of(owner)
        # The snapshot begins under the lock: no search brings an owner back to an earlier one.
        with arrays.lock:
            reader.execute("begin")
            standing = Standing(reader, owner)
            if not (standing.entries and self._fits(standing)):
                self._forget(owner)
                return None if standing.entries else Found()
            arrays.catch_up(reader, standing)
            near = arrays.near(reader, asked, document, k) if asked is not None else ()
            told = arrays.told(reader, slots, document, k, standing) if slots else ()
            size = arrays.size
        self._settle(owner, arrays, size)
        return Found(near, told)

    def _fits(self, standing: Standing) -> bool:
        """Can an owner of this size be held at all, some terms included?"""
        return standing.entries * (4 * self._dimension + 32) <= self._most_bytes

    def _of(self, owner: bytes) -> Arrays:
        with self._lock:
            arrays = self._owners.get(owner)
            if arrays is None:
                arrays = self._owners[owner] = Arrays(owner, self._dimension)
            self._owners.move_to_end(owner)
            return arrays

    def _settle(self, owner: bytes, arrays: Arrays, size: int) -> None:
        """Lets go of those that were asked about longest ago, until the others fit."""
        with self._lock:
            if self._owners.get(owner) is arrays:
                self.size += size - self._sizes.get(owner, 0)
                self._sizes[owner] = size
            while self.size > self._most_bytes:
                self._drop(next(iter(self._owners)))

    def _forget(self, owner: bytes) -> None:
        with self._lock:
            self._drop(owner)

    def _drop(self, owner: bytes) -> None:
        self._owners.pop(owner, None)
        self.size -= self._sizes.pop(owner, 0)


def _leading(rough: Floats, k: int) -> Places:
    """The places whose exact scores can be among the first `k`."""
    if len(rough) <= k:
        return np.flatnonzero(rough > -np.inf)
    least = np.partition(rough, len(rough) - k)[len(rough) - k]
    return np.flatnonzero((rough >= least - NOISE) & (rough > -np.inf))


def _numbers(connection: apsw.Connection, statement: str, args: Sequence[Value]) -> Numbers:
    return np.fromiter((row[0] for row in query(connection, statement, args)), np.int64)
