"""The gateway as a Cloudflare Worker: `fetch` and `scheduled`, JavaScript's requests to the core's and back.

No ASGI in between: it would hold bodies whole, and never tell a stream that its client has left.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from typing import Any

import msgspec
from js import Array, console
from js import Response as JsResponse
from msgspec.structs import replace
from workers import WorkerEntrypoint, import_from_javascript

from penstock.config import Config, defaults, read
from penstock.config.embedder import Embedder, embedder
from penstock.entry.closing import closed
from penstock.entry.known import known_models
from penstock.entry.lines import error_line, request_line
from penstock.errors import Error, Failed, Misconfigured, Unavailable
from penstock.gateway import Gateway, build, reply
from penstock.ledger import days
from penstock.platforms.cloudflare import home, start, values
from penstock.platforms.cloudflare.background import Background
from penstock.platforms.cloudflare.streams import Arriving, Leaving, Pipe
from penstock.platforms.cloudflare.tables import CloudflareTables
from penstock.platforms.world import RandomIds, RealClock
from penstock.ports import Spawn
from penstock.wire import sse
from penstock.wire.http import Request, Response
from penstock.wire.json import encode
from penstock.wire.target import path_of

CLIENT_GONE = 499
BODILESS = frozenset({204, 304})
BEHIND = ("penstock.gateway.passing", "penstock.gateway.caching")
"""What only services need."""
LEARNED = "penstock.routing.learned"
SMALL = 64 << 10
"""Bodies that say they are no larger cross the boundary whole."""
MOST_BODIES = 24 << 20
"""Of all request bodies in memory at once: an isolate has 128 MB, of which Python takes a third."""
MOST_TOGETHER = 16 << 20
"""Of replies of services while they are put together to be kept; how much is kept is the platform's to say."""
KEEP_ALIVE_SECONDS = 14.0
STUCK_SECONDS = 60.0
"""How long a reader may take none of what waits for it."""

_fields = msgspec.json.Decoder(list[tuple[str, str]]).decode
_settings = msgspec.json.Decoder(dict[str, Any]).decode
_clock = RealClock()


def worker(settings: str) -> type[WorkerEntrypoint]:
    """The Worker's entry class, for a configuration file's tables as JSON."""
    isolate = Isolate(settings)

    class Default(WorkerEntrypoint):  # type: ignore[misc]  # the SDK has no types
        async def fetch(self, request: Any) -> Any:
            return await isolate.fetch(self.env, self.ctx, getattr(request, "js_object", request))

        async def scheduled(self, *_: Any) -> None:
            await isolate.scheduled(self.env, self.ctx)

        async def probe(self, asked: str) -> str:
            """By a service binding alone: no request from outside comes here."""
            return await isolate.probe(self.env, self.ctx, asked)

    return Default


class Isolate:
    """What one copy of the Worker keeps from request to request: plain values, nothing that anybody waits for."""

    def __init__(self, settings: str) -> None:
        self._settings = settings
        tables = _settings(settings)
        for name in BEHIND if tables.get("services") else ():
            import_module(name)  # as part of the start, not of a request
        if any(route.get("policy") == "learned" for route in tables.get("routes", {}).values()):
            import_module(LEARNED)
        self._ids = RandomIds()
        self._first: Gateway | None = None
        self._embedder = Embedder()
        self._no_index = ""

    async def fetch(self, env: Any, ctx: Any, asked: Any) -> Any:
        """One request's reply; what it leaves behind goes on after it."""
        background = Background(ctx.waitUntil)
        call = Call(self, env, background, asked)
        call.task = background.start(call.run())
        return await call.told

    async def scheduled(self, env: Any, ctx: Any) -> None:
        """What is due each minute."""
        from penstock.entry.scheduled import scheduled  # requests start without it

        await scheduled(await self.gateway(env, Background(ctx.waitUntil), ""))

    async def probe(self, env: Any, ctx: Any, asked: str) -> str:
        """What an alarm asks of all backends."""
        from penstock.entry.probed import probed  # as above

        return await probed(await self.gateway(env, Background(ctx.waitUntil), ""), asked)

    async def gateway(self, env: Any, spawn: Spawn, edge: str) -> Gateway:
        """The gateway for one request; raises Misconfigured, Unavailable."""
        env = getattr(env, "_env", env)
        bindings = home.bound(env)
        first = self._first or await self._begin(env, bindings)
        secret, ids = first.platform.secret, self._ids
        platform = home.platform(bindings, spawn, ids, secret, self._embedder, self._no_index)
        return build(first.config, platform, report, edge, first)

    async def _begin(self, env: Any, bindings: home.Bindings) -> Gateway:
        """The first of this isolate. Requests that come meanwhile begin too: none may wait for another."""
        config = configured(self._settings, values.variables(env))
        start.check(bindings, config)
        secret = await start.secret(CloudflareTables(bindings.db), self._ids.secret(32))
        # What this one has done later is for whichever request then runs.
        spawn = Background(import_from_javascript("cloudflare:workers").waitUntil)
        self._embedder = embedder(config)
        platform = home.platform(bindings, spawn, self._ids, secret, self._embedder)
        self._no_index = await start.index(platform)
        gateway = build(config, platform, report)
        await gateway.start()
        self._first = gateway
        return gateway


class Call:
    """One request on its way through the Worker; `told` is JavaScript's response, once there is one."""

    def __init__(self, isolate: Isolate, env: Any, background: Background, asked: Any) -> None:
        self._isolate = isolate
        self._env = env
        self._background = background
        self._asked = asked
        self._request = incoming(asked)
        self._gateway: Gateway | None = None
        self.task: asyncio.Task[None] | None = None
        self.told: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    async def run(self) -> None:
        """Answers, and carries a stream to its end; cancelled when the client leaves."""
        began = _clock.tick()
        leaving = Leaving(getattr(self._asked, "signal", None), self._left)
        response = Response(CLIENT_GONE)
        try:
            response = await self._answer()
            await self._send(response)
        except asyncio.CancelledError:
            self._request.notes["gone"] = True
        except Failed as error:
            self._request.notes["error"] = error.code
            if not self.told.done():
                failed = reply.error(error, self._request.path)
                self.told.set_result(outgoing(failed, failed.body))
        except Exception as error:  # noqa: BLE001 - told without its text, which may hold what a caller sent
            self._fail(error)
        finally:
            leaving.forget()
            if not self.told.done():
                self.told.set_result(outgoing(Response(CLIENT_GONE), None))
            await closed(response)
            line = request_line(self._request, _clock.now(), response.status, _clock.tick() - began)
            console.log(encode(line).decode())
            if self._gateway is not None:
                await self._gateway.journal.release()
                await told(self._gateway)

    def _left(self) -> None:
        if self.task is not None:
            self.task.cancel()

    async def _answer(self) -> Response:
        colo, country = place(self._asked)
        self._request.notes["country"] = country
        try:
            self._gateway = await self._isolate.gateway(self._env, self._background, colo)
        except Error as problem:
            self._request.notes["error"] = problem.code
            return reply.error(problem, self._request.path)
        return await self._gateway(self._request)

    async def _send(self, response: Response) -> None:
        body = response.body
        if isinstance(body, bytes) or self._request.method == "HEAD":
            bare = not isinstance(body, bytes) or self._request.method == "HEAD"
            self.told.set_result(outgoing(response, None if bare else body))
            return
        # Nothing is sent before the first piece: a failure until then is an honest status.
        first = await anext(body, b"")
        events = ("content-type", "text/event-stream") in response.headers
        outlet = Outlet(events and not response.verbatim)
        self.told.set_result(outgoing(response, outlet.pipe.readable))
        watching = self._background.start(outlet.watch(self._left))
        try:
            await outlet.write(first)
            async for piece in body:
                await outlet.write(piece)
            await outlet.pipe.close()
        except values.JsException:
            self._request.notes["gone"] = True  # nobody takes it any more
        except BaseException:
            # It waits for a write that nobody may ever take.
            self._background(outlet.pipe.abort())
            raise
        finally:
            watching.cancel()

    def _fail(self, error: Exception) -> None:
        report(str(self._request.notes.get("id", "")), error)
        if not self.told.done():
            failed = reply.error(Error(), self._request.path)
            self.told.set_result(outgoing(failed, failed.body))


class Outlet:
    """A stream on its way out: kept alive while it is silent, given up where nobody takes what waits."""

    def __init__(self, events: bool) -> None:
        self.pipe = Pipe()
        self._events = events
        self._since = _clock.tick()
        self._writing = False

    async def write(self, data: bytes) -> None:
        if data:
            self._writing = True
            await self.pipe.write(data)
            self._writing, self._since = False, _clock.tick()

    async def watch(self, stuck: Callable[[], None]) -> None:
        """Until it is cancelled."""
        while True:
            await _clock.sleep(KEEP_ALIVE_SECONDS)
            waited = _clock.tick() - self._since
            if self._writing and waited >= STUCK_SECONDS:
                stuck()
            elif self._events and not self._writing and waited >= KEEP_ALIVE_SECONDS:
                try:
                    async with _clock.timeout(STUCK_SECONDS):
                        await self.pipe.write(sse.KEEP_ALIVE)
                except TimeoutError:
                    stuck()
                except values.JsException:
                    return


async def told(gateway: Gateway) -> None:
    """Whoever judges alerts hears of what failed here: this isolate may be gone when a turn comes."""
    if not gateway.config.alerting.channels:
        return
    each = [one for _, found in gateway.lasting.fleet.items() for one in found.each]
    if any(one.member.untold for one in each):
        from penstock.gateway.alerting import tell  # only where something failed

        with suppress(Unavailable):
            await tell(gateway, backends=False)


def configured(settings: str, variables: dict[str, str]) -> Config:
    """The whole configuration; raises Misconfigured where it has no issuer of tokens, for here is nowhere to keep a secret."""
    now = int(_clock.now() * 1000)
    given = read({"platform": "cloudflare", **_settings(settings)}, variables)
    config, _ = defaults(given, variables, known_models(days.day(now)))
    if not config.auth.issuers:
        raise Misconfigured(
            "Nobody's tokens can be checked: put a secret by `npx wrangler secret put JWT_SECRET` (at least 32"
            " bytes), or name auth.issuers in penstock.toml and deploy again."
        )
    room = min(config.server.max_bodies_bytes, MOST_BODIES)
    return replace(
        config,
        server=replace(config.server, max_bodies_bytes=room),
        cache=replace(config.cache, http_max_bytes=MOST_TOGETHER),
    )


def incoming(asked: Any) -> Request:
    """JavaScript's request as the core's; its body is read when it is asked for."""
    target = str(asked.url).encode()
    path, query = path_of(target)
    headers = _fields(values.text(Array.from_(asked.headers)))
    body = asked.body
    request = Request(str(asked.method), target, path, query, headers)
    request.client = request.header("cf-connecting-ip") or ""
    if values.is_there(body):
        declared = request.header("content-length") or ""
        small = declared.isascii() and declared.isdigit() and len(declared) < 10
        request.body = Arriving(asked, small=small and int(declared) <= SMALL)
    return request


def outgoing(response: Response, body: Any) -> Any:
    """The core's response as JavaScript's, with a body of bytes, a ReadableStream or none."""
    head = values.parsed(encode({"status": response.status, "headers": response.headers}))
    if body is None or response.status in BODILESS:
        return JsResponse.new(None, head)
    return JsResponse.new(values.value(body) if isinstance(body, bytes) else body, head)


def place(asked: Any) -> tuple[str, str]:
    """The data centre that answers and the country of who asks, as far as the platform says."""
    cf = getattr(asked, "cf", None)
    if not values.is_there(cf):
        return "unknown", ""
    return str(getattr(cf, "colo", "") or "unknown"), str(getattr(cf, "country", "") or "")


def report(request_id: str, error: BaseException) -> None:
    """An error nobody foresaw, in the Worker's log."""
    console.error(encode(error_line(request_id, error)).decode())
