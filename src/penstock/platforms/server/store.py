"""Small values in Redis: the cache that all processes share."""

from __future__ import annotations

from math import ceil, inf

from redis.exceptions import RedisError

from penstock.errors import Unavailable
from penstock.platforms.server.connect import field
from penstock.platforms.server.pipe import Pipe
from penstock.platforms.stamp import stamped, unstamped
from penstock.ports import Clock

PREFIX = "penstock:store:"
LOOK_SECONDS = 1.0
ROOM = 0.8
"""How much of its memory Redis may use before nothing more is kept in it."""


class ServerStore:
    """Values of at most `most_bytes`, each with its expiry before it; without Redis there is nothing in it.

    Redis removes what has expired by its own clock; what it has not removed yet is told by the stamp. Nothing is put
    while Redis holds more than `whole_bytes`, or four fifths of its own `maxmemory`: what counts must have room.
    """

    def __init__(self, pipe: Pipe, clock: Clock, most_bytes: int, whole_bytes: int) -> None:
        self._pipe = pipe
        self._clock = clock
        self._most = most_bytes
        self._whole = whole_bytes
        self._full = False
        self._looked_at = -inf

    async def get(self, key: str) -> bytes | None:
        try:
            found = await self._pipe.run("GET", PREFIX + key)
        except (Unavailable, RedisError):
            return None
        return unstamped(found, self._clock.now())

    async def put(self, key: str, value: bytes, ttl: float) -> None:
        if ttl <= 0 or len(value) > self._most or await self._is_full():
            await self.delete(key)
            return
        data = stamped(value, self._clock.now() + ttl)
        await self._quietly("SET", PREFIX + key, data, "PX", ceil(ttl * 1000))

    async def delete(self, key: str) -> None:
        await self._quietly("DEL", PREFIX + key)

    async def _is_full(self) -> bool:
        """Looks once in a while: what comes in between is little."""
        now = self._clock.tick()
        if now - self._looked_at >= LOOK_SECONDS:
            self._looked_at = now
            try:
                memory = await self._pipe.run("INFO", "memory")
            except (Unavailable, RedisError):
                return self._full
            most = int(field(memory, "maxmemory") or 0) * ROOM
            self._full = int(field(memory, "used_memory") or 0) > min(most or inf, self._whole)
        return self._full

    async def _quietly(self, *command: str | bytes | int) -> None:
        try:
            await self._pipe.run(*command)
        except (Unavailable, RedisError):
            return
