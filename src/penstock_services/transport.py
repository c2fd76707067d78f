"""The in-memory transport: `internal://NAME/path` is a call of that service in this process, all else goes out."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from msgspec.structs import replace

from penstock.errors import NotSent, Stalled
from penstock.ports import Fetch
from penstock.wire.http import Request, Response
from penstock.wire.target import path_of

SCHEME = b"internal://"
HERE = "127.0.0.1"


class Inside:
    """A `Fetch` over services in this process, and over another `Fetch` for what is elsewhere."""

    def __init__(self, apps: Mapping[str, Fetch], outer: Fetch) -> None:
        self._apps = apps
        self._outer = outer

    async def __call__(self, request: Request) -> Response:
        if not request.target.startswith(SCHEME):
            return await self._outer(request)
        host, slash, rest = request.target[len(SCHEME) :].partition(b"/")
        app = self._apps.get(host.decode("latin-1"))
        if app is None:
            raise NotSent("No service of that name runs in this process.")
        target = (slash or b"/") + rest
        path, query = path_of(target)
        # A copy, as a network makes one: notes and bounds are the sender's.
        inbound = replace(request, target=target, path=path, query=query, client=HERE, notes={})
        return await within(app, inbound)


async def within(app: Fetch, request: Request) -> Response:
    """The app's reply, its head within the request's first-byte time-out; raises Stalled."""
    if request.timeouts is None:
        return await app(request)
    try:
        async with asyncio.timeout(request.timeouts.first_byte):
            return await app(request)
    except TimeoutError as error:
        raise Stalled("The service took longer than its time-out.") from error
