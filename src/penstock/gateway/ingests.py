"""Documents that this process works on: a few at a time, each claimed in the tables, which are the queue."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from penstock.errors import Unavailable
from penstock.ports import Clock

if TYPE_CHECKING:
    from penstock.gateway import Gateway
    from penstock.rag.documents import Document


class Ingests:
    """Workers that claim what is due until nothing is; a stop ends them, and leaves the rest for the next start."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._workers = 0
        self._woken = False
        self._stopping = False
        self._running: dict[str, asyncio.Future[None]] = {}
        self._awaited: dict[str, set[asyncio.Future[None]]] = {}

    def wake(self, gateway: Gateway, id: str = "") -> None:
        """Something is due, perhaps this: where the process may still work on one more, it does."""
        self._woken = True
        full = self._workers >= gateway.config.rag.at_once and gateway.platform.shared_loop
        if self._stopping or full:
            return
        self._workers += 1
        gateway.platform.spawn(self._work(gateway, id))

    async def wait(self, id: str, seconds: float) -> bool:
        """Until work on it has ended here, which then is true, or so long."""
        ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._awaited.setdefault(id, set()).add(ended)
        try:
            async with self._clock.timeout(seconds):
                await ended
            return True
        except TimeoutError:
            return False
        finally:
            waiting = self._awaited.get(id, set())
            waiting.discard(ended)
            if not waiting:
                self._awaited.pop(id, None)

    def cancel(self, id: str) -> None:
        """Ends work on it, if it is here."""
        if id in self._running:
            self._running[id].cancel()

    async def stop(self) -> None:
        """Ends all of it; each is due again at once."""
        self._stopping = True
        while running := tuple(self._running.values()):
            for one in running:
                one.cancel()
            await asyncio.wait(running)

    async def piece(self, gateway: Gateway) -> bool:
        """Claims one and works on it; whether there was one."""
        document = await _claimed(gateway)
        if document is not None:
            await self._one(gateway, document)
        return document is not None

    async def _work(self, gateway: Gateway, id: str) -> None:
        # Where no request works for another, this one's alone.
        only = "" if gateway.platform.shared_loop else id
        try:
            while not self._stopping:
                self._woken = False
                document = await _claimed(gateway, only)
                if document is None and not self._woken:
                    return
                if document is not None:
                    await self._one(gateway, document)
                if only:
                    return
        except Unavailable:
            pass  # what is due stays so, and a lease ends
        finally:
            self._workers -= 1

    async def _one(self, gateway: Gateway, document: Document) -> None:
        from penstock.gateway.ingest import Ingest
        from penstock.gateway.routes import UPLOAD

        one = asyncio.ensure_future(Ingest(gateway, document, UPLOAD).run())
        self._running[document.id] = one
        try:
            await asyncio.wait([one])
        except asyncio.CancelledError:
            one.cancel()
            await asyncio.wait([one])
            raise
        finally:
            self._running.pop(document.id, None)
            for ended in self._awaited.get(document.id, ()):
                if not ended.done():
                    ended.set_result(None)
            if not gateway.platform.shared_loop:
                await gateway.journal.flush()
        if not one.cancelled() and (error := one.exception()) is not None:
            raise error


async def _claimed(gateway: Gateway, id: str = "") -> Document | None:
    from penstock.rag import documents  # few have any, and a Worker starts without it

    platform = gateway.platform
    now, holder = int(platform.clock.now() * 1000), platform.ids.new("ing_")
    return await documents.claim(platform.tables, holder, now, id)
