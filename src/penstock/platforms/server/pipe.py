"""Commands to Redis, those that come together sent together, each answered or refused within two seconds."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from hashlib import sha1
from typing import Any, NamedTuple

from redis.asyncio import Redis, RedisCluster
from redis.exceptions import (
    ClusterDownError,
    ConnectionError,
    NoScriptError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisClusterException,
    TimeoutError,
)

from penstock.errors import Unavailable

MOST_TOGETHER = 128
MOST_WAITING = 32_768
WAITS = 2
"""What has waited for longer than so many calls may take is not sent any more."""
WORKERS = 2
"""While one waits for its replies the other sends."""
CALL_SECONDS = 1.0
"""The longest that commands sent together may take; where it was too long, all that waits behind them is refused too."""
AWAY_SECONDS = 0.25
"""After a failure, for so long nothing is asked: refusals then are quick."""
OUT_OF_REACH = (
    ConnectionError,
    TimeoutError,
    ClusterDownError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisClusterException,
)

Client = Redis | RedisCluster
Command = tuple[Any, ...]


class Script:
    """Lua by its hash, which Redis is sent whole where it does not know it."""

    __slots__ = ("sha", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self.sha = sha1(text.encode(), usedforsecurity=False).hexdigest()

    def call(self, keys: Sequence[str], args: Sequence[Any]) -> Command:
        return ("EVALSHA", self.sha, len(keys), *keys, *args)


class Waiting(NamedTuple):
    command: Command
    script: Script | None
    done: asyncio.Future[Any]
    until: float


class Pipe:
    """Sends what waits in one go; raises Unavailable where Redis is out of reach or too much waits.

    No command is sent twice: of one whose reply is lost nobody knows whether it was done. `seconds` is how long commands
    that are sent together may take, and half of how long one may wait to be sent.
    """

    def __init__(self, client: Client, seconds: float = CALL_SECONDS) -> None:
        self._client = client
        self._seconds = seconds
        self._waiting: deque[Waiting] = deque()
        self._wake = asyncio.Event()
        self._away_until = 0.0
        self._workers: list[asyncio.Task[None]] = []

    @property
    def shut(self) -> bool:
        """Whether Redis was out of reach a moment ago, or too much waits: nothing is sent now."""
        away = asyncio.get_running_loop().time() < self._away_until
        return away or len(self._waiting) >= MOST_WAITING

    async def run(self, *command: Any) -> Any:
        """The reply to one command."""
        return await self._submit(command, None)

    async def call(self, script: Script, keys: Sequence[str], args: Sequence[Any]) -> Any:
        """The reply of a script."""
        return await self._submit(script.call(keys, args), script)

    async def close(self) -> None:
        """Refuses what waits, and ends."""
        for worker in self._workers:
            worker.cancel()
        await asyncio.gather(*self._workers, return_exceptions=True)
        self._refuse(list(self._waiting))

    def _submit(self, command: Command, script: Script | None) -> asyncio.Future[Any]:
        loop = asyncio.get_running_loop()
        if self.shut:
            raise unavailable()
        if not self._workers:
            self._workers = [loop.create_task(self._work()) for _ in range(WORKERS)]
        done: asyncio.Future[Any] = loop.create_future()
        self._waiting.append(Waiting(command, script, done, loop.time() + WAITS * self._seconds))
        self._wake.set()
        return done

    async def _work(self) -> None:
        while True:
            await self._wake.wait()
            batch = self._next()
            if not batch:
                self._wake.clear()
                continue
            try:
                async with asyncio.timeout(2 * self._seconds):
                    await self._send(batch)
            except Exception:  # noqa: BLE001 - a worker outlives whatever happens: who waits for it has no other
                self._away_until = asyncio.get_running_loop().time() + AWAY_SECONDS
                self._refuse(batch)
                self._refuse(list(self._waiting))
                self._waiting.clear()
            except asyncio.CancelledError:
                self._refuse(batch)
                raise

    def _next(self) -> list[Waiting]:
        batch: list[Waiting] = []
        now = asyncio.get_running_loop().time()
        while self._waiting and len(batch) < MOST_TOGETHER:
            one = self._waiting.popleft()
            if one.until < now:
                self._refuse([one])
            elif not one.done.done():
                batch.append(one)
        return batch

    async def _send(self, batch: Sequence[Waiting]) -> None:
        replies = await self._exchange([one.command for one in batch])
        for one, reply in zip(batch, replies, strict=True):
            if isinstance(reply, NoScriptError) and one.script is not None:
                whole = ("EVAL", one.script.text, *one.command[2:])
                [reply] = await self._exchange([whole])
            tell(one.done, reply)
        if any(isinstance(reply, ReadOnlyError) for reply in replies):
            await self._leave()

    async def _leave(self) -> None:
        """A Redis that became a replica keeps its connections, though its name or address may lead to the new master."""
        if isinstance(self._client, Redis):
            await self._client.connection_pool.disconnect(inuse_connections=False)

    async def _exchange(self, commands: Sequence[Command]) -> list[Any]:
        # Not a transaction: each command stands alone, and a cluster's go to their nodes.
        pipeline: Any = (
            self._client.pipeline()
            if isinstance(self._client, RedisCluster)
            else self._client.pipeline(transaction=False)
        )
        for command in commands:
            pipeline.execute_command(*command)
        return list(await pipeline.execute(raise_on_error=False))

    def _refuse(self, batch: Sequence[Waiting]) -> None:
        for one in batch:
            tell(one.done, ConnectionError())


def tell(done: asyncio.Future[Any], reply: Any) -> None:
    """Gives a reply to who still waits for it, an error as what it means here."""
    with suppress(asyncio.InvalidStateError):
        if isinstance(reply, OUT_OF_REACH):
            done.set_exception(unavailable())
        elif isinstance(reply, Exception):
            done.set_exception(reply)
        else:
            done.set_result(reply)


def unavailable() -> Unavailable:
    return Unavailable("The counts cannot be reached: try again.")
