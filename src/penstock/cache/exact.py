"""The exact cache: the same ask of the same owner gets the same answer."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from hashlib import blake2b

import msgspec
from msgspec import Struct

from penstock.cache.generations import Generations, of_answer, of_key
from penstock.ports import Clock, Store
from penstock.wire.chat import Usage


class Entry(Struct, array_like=True):
    """A kept answer with the request it answers, which is compared on a hit."""

    request: bytes
    data: bytes
    target: str
    provider: str
    model: str
    usage: Usage
    generation: int = 0


class Key(Struct, frozen=True):
    """Where an answer is kept: `name` in the store, `request` for the comparison, `numbers` as the ask found them."""

    name: str
    request: bytes
    numbers: Mapping[str, int]


REMEMBERED = 512
REMEMBERED_BYTES = 8 << 10

_encode = msgspec.msgpack.Encoder().encode
_decoder = msgspec.msgpack.Decoder(Entry)


class Exact:
    """Keeps answers in a `Store` under a keyed hash (BLAKE2b) of partition, model, every parameter and the generations."""

    def __init__(
        self, store: Store, clock: Clock, secret: bytes, generations: Generations, max_bytes: int
    ) -> None:
        self._store = store
        self._clock = clock
        self._secret = secret
        self._generations = generations
        self._max_bytes = max_bytes
        # What is asked again need not be hashed again.
        self._named = lru_cache(maxsize=REMEMBERED)(self._name)

    async def key(
        self, kind: str, partition: str, owner: str, model: str, route: str, request: bytes
    ) -> Key:
        """The key of a request: `partition` says who may have the answer, the rest what was asked of whom."""
        if self._generations.old:
            await self._generations.read()
        numbers = self._generations.numbers
        number = of_key(numbers, kind, owner, route)
        named = self._named if len(request) <= REMEMBERED_BYTES else self._name
        name = named(kind, partition, route, model, number, request)
        single = numbers.get(f"key:{name}", 0) if numbers else 0
        return Key(f"{name}.{single}" if single else name, request, numbers)

    def _name(
        self, kind: str, partition: str, route: str, model: str, number: bytes, request: bytes
    ) -> str:
        head = "\0".join((kind, partition, route, model)).encode() + number
        # The head's length keeps two requests from running together alike.
        message = len(head).to_bytes(4, "big") + head + request
        return f"{kind}:{blake2b(message, digest_size=32, key=self._secret).hexdigest()}"

    async def find(self, key: Key) -> Entry | None:
        """The kept answer, if it is this request's."""
        found = await self._store.get(key.name)
        if found is None:
            return None
        try:
            entry = _decoder.decode(found)
        except msgspec.DecodeError:
            await self._store.delete(key.name)
            return None
        current = of_answer(key.numbers, entry.model, entry.target)
        return entry if entry.request == key.request and entry.generation == current else None

    async def keep(self, key: Key, entry: Entry, ttl: float) -> None:
        """Keeps an answer for `ttl` seconds, unless it is larger than an entry may be."""
        entry.generation = of_answer(key.numbers, entry.model, entry.target)
        data = _encode(entry)
        if len(data) <= self._max_bytes:
            await self._store.put(key.name, data, ttl)
