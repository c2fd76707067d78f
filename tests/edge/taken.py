"""What one request of each kind takes of a Worker's bindings: a whole gateway on the real adapters, a new one a request."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Awaitable, Callable
from typing import Any

from penstock.auth.mint import mint
from penstock.gateway import build
from penstock.gateway.upkeep import upkeep
from penstock.platforms.migrations import shipped
from penstock.upstream.reconcile import Reconciler, keep_progress, progress_of
from penstock.wire.http import JSON, Request, Response
from tests.contract.edges import statements
from tests.edge.home import EdgeHome, port
from tests.path.world import SECRET, World, pieces, read, streamed, usage, whole

HOUR = 3_601.0
MINUTE = 60.0
DAY = 24 * 3_600.0
YEAR = 366 * 24 * 3_600.0
ROUND = 4
"""Requests that are counted together; as many before them leave what these sweep."""
CONFIG = """
[routes.auto.cache]
ttl = 1000000
[routes.embed.cache]
ttl = 1000000
[tiers.one]
requests_per_hour = 1
[tiers.full]
requests_per_hour = 100
tokens_per_minute = 1000000
parallel = 10
"""
TEXTS = 10
REFUSED = 429

Ask = Callable[["Worker", str], Awaitable[Response]]


class Worker:
    """Asks a gateway that was built for the one request, as a Worker's is, and says what that took."""

    def __init__(self, home: EdgeHome, world: World) -> None:
        self._home = home
        self.world = world
        self._last = 0
        now = world.platform.clock.now()
        self._tokens = {
            tier: mint({"sub": tier, "tier": tier}, SECRET, now=now, lifetime=YEAR)
            for tier in ("free", "one", "full")
        }

    async def chat(self, text: str, tier: str = "free", **more: Any) -> Response:
        return await self.world.chat(text, token=self._tokens[tier], **more)

    async def embed(self, texts: list[str]) -> Response:
        body = {"model": "embed", "input": texts}
        return await self.world.ask("/v1/embeddings", body, token=self._tokens["free"])

    async def took(self, work: Awaitable[Any]) -> dict[str, int]:
        before = await self._home.ask("counted")
        await work
        after = await self._home.ask("counted")
        return {
            name: number - before.get(name, 0)
            for name, number in after.items()
            if number != before.get(name, 0)
        }

    async def _one(self, ask: Ask, status: int, text: str) -> None:
        """One request, and all that its Worker does before it is let go."""
        world = self.world
        world.gateway = build(world.gateway.config, world.platform, _raise)
        await world.gateway.start()
        response = await ask(self, text)
        told = await read(response)
        assert response.status == status, told
        await world.gateway.stop()
        world.platform.clock.advance(1.0)
        await world.platform.spawn.join()

    async def request(self, kind: str) -> dict[str, int]:
        """What a request of a kind takes where such requests came an hour ago too, rounded up."""
        ask, status = ASKS[kind]
        clock = self.world.platform.clock
        await self._one(ask, 200 if status == REFUSED else status, f"first {kind}")
        if status != REFUSED:
            clock.advance(HOUR)
            await self.round(ask, ROUND, f"before {kind}", status)
            clock.advance(HOUR)
        took = await self.took(self.round(ask, ROUND, f"now {kind}", status))
        return {name: -(-number // ROUND) for name, number in took.items()}

    async def round(self, ask: Ask, number: int, name: str = "", status: int = 200) -> None:
        """So many requests, each of its own text."""
        for at in range(number):
            self._last += 1
            await self._one(ask, status, f"{at} {name} {self._last}")

    async def reconciled(self) -> tuple[dict[str, int], dict[str, int]]:
        """What a pass of the Cron Trigger takes: a first one, and one that begins where the first had ended."""
        self.world.platform.clock.advance(DAY)
        first = await self.took(self._pass_over())
        self.world.platform.clock.advance(MINUTE)
        return first, await self.took(self._pass_over())

    async def _pass_over(self) -> None:
        platform, providers = self.world.platform, self.world.gateway.config.providers
        progress = await progress_of(platform.tables)
        reconciler = Reconciler(
            platform.tables, platform.fetch, platform.clock, providers, progress
        )
        await reconciler.once()
        await keep_progress(platform.tables, reconciler.progress)
        await upkeep(self.world.gateway)


async def worker(home: EdgeHome) -> Worker:
    """A gateway with the default policy, whose upstream always answers."""
    world = World(_upstream, CONFIG)
    clock = world.platform.clock
    tables = await port(home, clock, "tables")
    for step in shipped():
        await tables.batch(*((sql, ()) for sql in statements(step.sql)))
    world.platform = dataclasses.replace(
        world.platform,
        store=await port(home, clock, "store", 1 << 20),
        blobs=await port(home, clock, "blobs"),
        meter=await port(home, clock, "meter", True),
        tables=tables,
        shared_loop=False,
    )
    return Worker(home, world)


async def chat(worker: Worker, text: str) -> Response:
    return await worker.chat(text)


async def chat_cached(worker: Worker, text: str) -> Response:
    return await worker.chat("the same as ever")


async def chat_limited(worker: Worker, text: str) -> Response:
    """Of a tier that limits tokens and parallel calls too."""
    return await worker.chat(text, "full")


async def chat_streamed(worker: Worker, text: str) -> Response:
    return await worker.chat(text, stream=True)


async def chat_keyed(worker: Worker, text: str) -> Response:
    """With an Idempotency-Key, so that it may be repeated."""
    key = f"{text}-{worker.world.platform.clock.tick()}".replace(" ", "-")
    return await worker.chat(text, headers=[("idempotency-key", key)])


async def refused(worker: Worker, text: str) -> Response:
    """Above its rate."""
    return await worker.chat(text, "one")


async def stranger(worker: Worker, text: str) -> Response:
    """Without a credential that is known."""
    return await worker.world.chat(text, token="nobody's")


async def embedding(worker: Worker, text: str) -> Response:
    return await worker.embed([text])


async def embedding_batch(worker: Worker, text: str) -> Response:
    return await worker.embed([f"{number} of {text}" for number in range(TEXTS)])


async def embedding_cached(worker: Worker, text: str) -> Response:
    return await worker.embed(["the same as ever"])


ASKS: dict[str, tuple[Ask, int]] = {
    "chat": (chat, 200),
    "chat_cached": (chat_cached, 200),
    "chat_limited": (chat_limited, 200),
    "chat_streamed": (chat_streamed, 200),
    "chat_keyed": (chat_keyed, 200),
    "embedding": (embedding, 200),
    "embedding_batch": (embedding_batch, 200),
    "embedding_cached": (embedding_cached, 200),
    "refused": (refused, REFUSED),
    "stranger": (stranger, 401),
}
"""How each kind is asked, and the status that answers it."""


def _upstream(request: Request) -> Response:
    assert isinstance(request.body, bytes)
    asked = json.loads(request.body)
    if "input" in asked:
        return _embedded(len(asked["input"]))
    return streamed(pieces("Hello", "!")) if asked.get("stream") else whole("Hello!")


def _embedded(texts: int) -> Response:
    data = [{"index": at, "embedding": [0.5, 0.5, 0.5, 0.5]} for at in range(texts)]
    return Response(200, [JSON], json.dumps({"data": data, "usage": usage(texts, 0)}).encode())


def _raise(_: str, error: BaseException) -> None:
    raise error
