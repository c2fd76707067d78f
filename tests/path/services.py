"""Services behind a gateway in this process: backends that a test answers for, by their host."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

from penstock.errors import NotSent
from penstock.wire.http import Request, Response
from tests.path.world import World, body, read

ORDERS = """
[services.orders]
prefixes = ["/api/orders"]
backends = [{ url = "http://one.test", weight = 70 }, { url = "http://two.test", weight = 30 }]
"""
CACHED = ORDERS + 'limit = "100000/h"\ncache = {}\n'
RULED = CACHED.replace("{}\n", "{ ttl = 60, stale_while_revalidate = 30 }\n")
SHARED = CACHED.replace("{}\n", '{ key = "shared" }\n')
OPEN = SHARED + 'auth = "none"\n'
Backend = Callable[[Request], Any]


class Served(World):
    """A world with backends; `seen` are the requests that came to them, `counts` by host."""

    def __init__(self, more: str = ORDERS, backend: Backend | None = None, **kinds: Any) -> None:
        self.backends: dict[str, Backend] = {}
        self.otherwise: Backend = backend or (lambda request: Response(200, [], b"hello"))
        self.seen: list[Request] = []
        self.counts: Counter[str] = Counter()
        self._came = asyncio.Event()
        super().__init__(self._reached, more, **kinds)

    async def _reached(self, request: Request) -> Response:
        host = request.target.decode().split("/")[2]
        self.seen.append(request)
        self.counts[host] += 1
        self._came.set()
        found: Response | Awaitable[Response] = self.backends.get(host, self.otherwise)(request)
        return found if isinstance(found, Response) else await found

    def down(self, host: str) -> None:
        """Nobody listens there any more."""
        self.backends[host] = refused

    async def reached(self, number: int) -> None:
        """Returns once so many requests have come to backends."""
        while len(self.seen) < number:
            self._came.clear()
            await self._came.wait()

    @property
    def last(self) -> Request:
        return self.seen[-1]

    def sent(self, name: str) -> list[str]:
        """The values of a header of the last request that reached a backend."""
        return [value for key, value in self.last.headers if key == name]

    def states(self, name: str = "orders") -> dict[str, str]:
        return {member.url: member.state for member in self.gateway.lasting.pools.of(name).members}

    async def probe(self) -> None:
        """What the prober of a server does when it looks."""
        platform = self.platform
        self.gateway.lasting.pools.probe(
            platform.fetch, platform.clock, platform.ids, platform.spawn
        )
        await platform.spawn.join()


class Kept(Served):
    """A world whose service numbers its replies; `says` are their headers."""

    def __init__(self, more: str = CACHED, says: str | None = "max-age=60", **headers: str) -> None:
        self.says = [] if says is None else [("cache-control", says)]
        self.says += [(name.replace("_", "-"), value) for name, value in headers.items()]
        super().__init__(more, self._numbered)

    def _numbered(self, request: Request) -> Response:
        return Response(200, list(self.says), str(len(self.seen)).encode())

    async def number(self, path: str = "/api/orders", **more: Any) -> str:
        """Which reply of the service's a GET gets."""
        path, _, query = path.partition("?")
        return (await read(await self.ask(path, method="GET", query=query, **more))).decode()

    async def purge(self, query: str) -> Any:
        admin = self.token("root", role="admin")
        response = await self.ask("/admin/cache", method="DELETE", query=query, token=admin)
        return response.status, await body(response)


def refused(request: Request) -> Response:
    raise NotSent("The target cannot be reached.")
