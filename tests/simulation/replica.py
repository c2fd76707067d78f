"""One process of the gateway: the real one, on ports whose every call crosses the air, until it is killed or stopped."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from contextvars import ContextVar, copy_context
from dataclasses import replace
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

from penstock.auth import sql as keys
from penstock.gateway import Gateway, build
from penstock.ledger import sql as ledger
from penstock.ledger.budgets import sql as budgets
from penstock.ledger.claims import sql as claims
from penstock.ports import Demand, Platform
from penstock.upstream.reconcile import Reconciler
from penstock.wire.http import Request, Response
from tests.simulation.air import Crossing, now_of
from tests.simulation.provider import Reply
from tests.simulation.stores import MeterOf

if TYPE_CHECKING:
    from tests.simulation.world import World

RUNS_IN: ContextVar[Replica | None] = ContextVar("RUNS_IN", default=None)
"""The replica whose task this is."""


class Killed(BaseException):
    """The process is no more."""


class Replica:
    """A gateway with all that dies with it: its tasks, its memory, its connections."""

    def __init__(self, world: World, number: int, skew: float) -> None:
        self.world = world
        self.number = number
        self.skew = skew
        self.dead = False
        self.frozen = False
        # In their order: sets of these have another one in each run.
        self.tasks: dict[asyncio.Task[Any], None] = {}
        self.replies: dict[Reply, None] = {}
        self._thawed: asyncio.Future[None] | None = None
        shared = world.platform
        self.platform: Platform = replace(
            shared,
            fetch=self._fetch,  # type: ignore[arg-type]  # stands in for the port
            store=Port(self, "store", shared.store),  # type: ignore[arg-type]  # stands in for the port
            blobs=Port(self, "blobs", shared.blobs),  # type: ignore[arg-type]  # stands in for the port
            meter=Port(self, "meter", MeterOf(world.meter, self)),  # type: ignore[arg-type]  # stands in for the port
            tables=Port(self, "tables", world.tables),  # type: ignore[arg-type]  # stands in for the port
            clock=Watch(self),  # type: ignore[arg-type]  # stands in for the port
            spawn=self.spawn,  # type: ignore[arg-type]  # stands in for the port
        )
        self.gateway: Gateway = build(world.config, self.platform, self._report)
        self.reconciler = Reconciler(
            self.platform.tables, self._fetch, self.platform.clock, world.config.providers
        )

    def __repr__(self) -> str:
        return f"replica {self.number}"

    def run(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Starts work in this process."""
        context = copy_context()
        context.run(RUNS_IN.set, self)
        return asyncio.get_running_loop().create_task(work, context=context)

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        if self.dead:
            work.close()
        else:
            self.run(work)

    def kill(self) -> None:
        """Nothing of it goes on: from here on its ports do nothing, so what its tasks still do nobody sees."""
        self.dead, self.frozen = True, False
        for task in tuple(self.tasks):
            task.cancel()
        for reply in tuple(self.replies):
            reply.close()

    def freeze(self) -> None:
        self.frozen = True
        self._thawed = asyncio.get_running_loop().create_future()

    def thaw(self) -> None:
        self.frozen = False
        if self._thawed is not None and not self._thawed.done():
            self._thawed.set_result(None)

    async def here(self) -> None:
        """Waits while it is frozen; raises Killed once it is dead."""
        if self.frozen and self._thawed is not None:
            await asyncio.shield(self._thawed)
        if self.dead:
            raise Killed

    async def cross(
        self,
        what: str,
        effect: Callable[[], Any],
        lost: Callable[[Any], None] = lambda outcome: None,
    ) -> Any:
        """One operation on the world, as it comes out."""
        await self.here()
        reply: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.world.send(Crossing(what, effect, reply, self, self.world.clock.tick(), lost))
        return await reply

    async def _fetch(self, request: Request) -> Response:
        response: Response = await self.cross(
            f"fetch.{request.header('x-request-id') or request.target.decode()}",
            partial(self.world.providers.answer, request),
            _closed,
        )
        if isinstance(response.body, Reply):
            self.replies[response.body] = None
            response.body = Parts(self, response.body)
        return response

    def _report(self, request_id: str, error: BaseException) -> None:
        self.world.fail(f"{self} reported {error!r} of {request_id or 'no request'}")


class Port:
    """A port of the memory platform, in reach by the air only."""

    def __init__(self, replica: Replica, name: str, port: Any) -> None:
        self._replica = replica
        self._name = name
        self._port = port

    def __getattr__(self, method: str) -> Callable[..., Coroutine[Any, Any, Any]]:
        does = getattr(self._port, method)
        lost = getattr(self._port, "lost", None)

        async def call(*args: Any) -> Any:
            what = f"{self._name}.{method}{told(args) if self._name == 'tables' else first(args)}"
            effect = lambda: now_of(does(*args))  # noqa: E731 - a name would not say more
            if lost is not None and method == "take":
                return await self._replica.cross(what, effect, lost)
            return await self._replica.cross(what, effect)

        return call


@lru_cache(maxsize=256)
def named(sql: str) -> str:
    """The name of a statement of ours."""
    for module in (ledger, budgets, claims, keys):
        for name, text in vars(module).items():
            if text is sql:
                return name
    return sql[:40]


def told(args: tuple[Any, ...]) -> str:
    """Statements by their names and first parameters, for the trace."""
    statements = [(args[0], args[1:])] if isinstance(args[0], str) else args
    return "".join(f" {named(sql)}({given[0] if given else ''})" for sql, given in statements)


def first(args: tuple[Any, ...]) -> str:
    """What another port's call is about, for the trace."""
    demands = getattr(args[0], "demands", args[0])
    if isinstance(demands, str):
        return f" {demands[-16:]}"
    return "".join(f" {one.key[-30:]}" for one in demands if isinstance(one, Demand))


class Parts:
    """A reply's stream as the client hands it on; a cancelled `__anext__` loses nothing."""

    def __init__(self, replica: Replica, reply: Reply) -> None:
        self._replica = replica
        self._reply = reply

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        await self._replica.cross("part.next", lambda: None)
        return self._reply.next()

    async def aclose(self) -> None:
        self._reply.close()
        self._replica.replies.pop(self._reply, None)


class Watch:
    """The clock of one host: near the others', and it stands still for who is frozen."""

    def __init__(self, replica: Replica) -> None:
        self._replica = replica
        self._clock = replica.world.clock

    def now(self) -> float:
        return self._clock.now() + self._replica.skew

    def tick(self) -> float:
        return self._clock.tick()

    async def sleep(self, seconds: float) -> None:
        await self._replica.here()
        await self._clock.sleep(seconds)
        await self._replica.here()

    @asynccontextmanager
    async def timeout(self, seconds: float) -> AsyncGenerator[None]:
        async with self._clock.timeout(seconds):
            yield


def _closed(response: Response) -> None:
    if isinstance(response.body, Reply):
        response.body.close()
