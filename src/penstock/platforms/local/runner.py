"""The `Runner` of a model in this process: what waits is run together, a little at a time, in one thread."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol, TypeVar

from penstock.errors import Failed, Unavailable
from penstock.ports import Vectors
from penstock.wire.http import Request, Response

BATCH_TOKENS = 512
"""Tokens of one run, padding included: what comes next waits no longer than one such run."""

MAX_WAITING = 8_192
TOKENISED = 32
"""Texts turned to tokens at a time, so that a long list does not hold the thread."""

_LIKE, _NEAR = 0.85, 4
"""Texts run together where the shorter has this share of the longer's tokens or lacks only a few.

Measured: a quarter less CPU for short texts, no more for long ones; wider, padding eats the gain.
"""

Tokens = list[int]
_In = TypeVar("_In")
_Out = TypeVar("_Out")


class Encoder(Protocol):
    """What the runner asks of a model; both methods block."""

    @property
    def name(self) -> str: ...
    @property
    def dimension(self) -> int: ...
    def tokenise(self, texts: Sequence[str]) -> list[Tokens]: ...
    def forward(self, batch: Sequence[Tokens]) -> list[list[float]]: ...


class _Job:
    """One caller's texts on their way: `unread` (longest last), then `ready` (longest last), then `values`."""

    def __init__(self, texts: Sequence[str], done: asyncio.Future[None]) -> None:
        self.texts = texts
        self.unread = sorted(range(len(texts)), key=lambda at: len(texts[at]))
        self.ready: list[tuple[int, Tokens]] = []
        self.values: list[list[float]] = [[] for _ in texts]
        self.left = len(texts)
        self.tokens = 0
        self.done = done

    def read(self) -> list[int]:
        """The texts to tokenise next."""
        start = max(0, len(self.unread) - TOKENISED)
        taken, self.unread = self.unread[start:], self.unread[:start]
        return taken

    def put(self, at: int, values: list[float]) -> None:
        self.values[at] = values
        self.left -= 1
        if not self.left and not self.done.done():
            self.done.set_result(None)

    def fail(self, error: Exception) -> None:
        if not self.done.done():
            self.done.set_exception(error)


_Part = tuple[_Job, int, Tokens]


class LocalRunner:
    """Runs an Encoder for many callers of one event loop; `aclose` it.

    Callers take turns batch by batch, so that one text never waits for somebody's thousand. Its
    state belongs to the loop; only the Encoder's methods run in the thread.
    """

    def __init__(self, encoder: Encoder, *, max_waiting: int = MAX_WAITING) -> None:
        self.encoder = encoder
        self._max_waiting = max_waiting
        self._jobs: deque[_Job] = deque()
        self._pump: asyncio.Task[None] | None = None
        self._closed = False
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="penstock-embed")

    async def embed(self, texts: Sequence[str]) -> Vectors:
        """Unit vectors, in order, and the tokens the model read; raises Unavailable, Failed."""
        if self._closed:
            raise Unavailable("The local embedding model is shutting down.")
        waiting = sum(job.left for job in self._jobs)
        if waiting and waiting + len(texts) > self._max_waiting:
            raise Unavailable(
                f"{waiting} texts wait for the local embedding model already; try again.",
                headers=(("retry-after", "1"),),
            )
        job = _Job(texts, asyncio.get_running_loop().create_future())
        if texts:
            await self._finish(job)
        return Vectors(self.encoder.name, self.encoder.dimension, job.values, job.tokens)

    async def run(self, model: str, request: Request) -> Response:
        raise Unavailable("The model in this process embeds, and has no others beside it.")

    async def aclose(self) -> None:
        """Lets the run on its way end; whoever waits gets Unavailable."""
        self._closed = True
        for job in self._jobs:
            job.fail(Unavailable("The local embedding model is shutting down."))
        if self._pump is not None:
            await self._pump
        self._thread.shutdown(wait=False)

    async def _finish(self, job: _Job) -> None:
        self._jobs.append(job)
        if self._pump is None or self._pump.done():
            self._pump = asyncio.create_task(self._run())
        await job.done

    async def _run(self) -> None:
        while self._waiting():
            batch: list[_Part] = []
            try:
                await self._tokenise()
                batch = self._batch()
                await self._forward(batch)
            except Exception as cause:  # noqa: BLE001 - of any kind: the callers must not wait on
                self._fail(batch, cause)

    def _waiting(self) -> bool:
        """Callers who are served, failed or gone leave the queue."""
        self._jobs = deque(job for job in self._jobs if not job.done.done())
        return bool(self._jobs)

    async def _tokenise(self) -> None:
        """Tokens for the callers next in turn that have none ready."""
        taken: list[tuple[_Job, int]] = []
        for job in self._jobs:
            if len(taken) < TOKENISED and not job.ready:
                taken += [(job, at) for at in job.read()]
        if not taken:
            return
        texts = [job.texts[at] for job, at in taken]
        tokens = await self._in_thread(self.encoder.tokenise, texts)
        for (job, at), found in zip(taken, tokens, strict=True):
            job.ready.append((at, found))
        for job in self._jobs:
            job.ready.sort(key=_size)

    def _batch(self) -> list[_Part]:
        """The next in turn, longest first, and what others have of like length."""
        batch: list[_Part] = []
        shortest, longest = BATCH_TOKENS, 0
        for job in self._jobs:
            while job.ready:
                size = _size(job.ready[-1])
                low, high = min(shortest, size), max(longest, size)
                if batch and not _together(low, high, len(batch) + 1):
                    break
                shortest, longest = low, high
                batch.append((job, *job.ready.pop()))
        self._jobs.rotate(-1)
        return batch

    async def _forward(self, batch: Sequence[_Part]) -> None:
        vectors = await self._in_thread(self.encoder.forward, [tokens for _, _, tokens in batch])
        for (job, at, tokens), vector in zip(batch, vectors, strict=True):
            job.tokens += len(tokens)
            job.put(at, vector)

    def _fail(self, batch: Sequence[_Part], cause: Exception) -> None:
        """To those whose texts were run; where it was not yet known whose, to all."""
        for job in {part[0] for part in batch} or set(self._jobs):
            error = Failed("The local embedding model could not embed this.", processed="no")
            error.__cause__ = cause
            job.fail(error)

    async def _in_thread(
        self, work: Callable[[list[_In]], list[_Out]], on: list[_In]
    ) -> list[_Out]:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work, on)


def _size(ready: tuple[int, Tokens]) -> int:
    return len(ready[1])


def _together(shortest: int, longest: int, count: int) -> bool:
    like = shortest >= _LIKE * longest or longest - shortest <= _NEAR
    return like and count * longest <= BATCH_TOKENS
