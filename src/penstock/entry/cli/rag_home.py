"""The gateway for one command: beside a server or without one, asked as its callers ask, for a caller who is named."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from typing import Any, TypeVar

from penstock.auth import scopes
from penstock.auth.caller import DEFAULT_TENANT, Caller
from penstock.auth.jwt import LONGEST_NAME, is_name
from penstock.config import Config
from penstock.entry.cli.command import Misused, configured
from penstock.entry.home import opened
from penstock.entry.secrets import with_issuer
from penstock.errors import NotFound
from penstock.gateway import Gateway, build
from penstock.gateway.exchange import Exchange
from penstock.gateway.routes import find
from penstock.wire.http import Headers, Request, Response
from penstock.wire.json import decode_object, encode

T = TypeVar("T")
MOST_BYTES = 64 << 20
TIER = "enterprise"


def add_owner(parser: argparse.ArgumentParser) -> None:
    """Whose documents they are."""
    parser.add_argument("--sub", required=True, metavar="S", help="whose documents, by user id")
    parser.add_argument(
        "--tenant", default=DEFAULT_TENANT, metavar="T", help="of this tenant (default: default)"
    )
    parser.add_argument(
        "--tier", default=TIER, metavar="TIER",
        help=f"whose bounds and quotas hold (default: {TIER})",
    )  # fmt: skip


def with_gateway(args: argparse.Namespace, work: Callable[[Desk], Awaitable[T]]) -> T:
    """Does the work for the caller whom the command line names; raises Error."""
    config = configured(args).config
    if args.tier not in config.tiers:
        raise Misused(f"no tier is called {args.tier}: name one of {', '.join(config.tiers)}")

    for option, name in (("--sub", args.sub), ("--tenant", args.tenant)):
        if not is_name(name):  # nobody's own would be their tenant's
            raise Misused(
                f"{option} names nobody: it is 1 to {LONGEST_NAME} characters that can be shown"
            )

    async def worked() -> T:
        async with gateway_of(config) as gateway:
            may = scopes.DEFAULT | {scopes.RAG_SHARE}
            caller = Caller(sub=args.sub, tenant=args.tenant, tier=args.tier, scopes=may)
            return await work(Desk(gateway, caller))

    return asyncio.run(worked())


@asynccontextmanager
async def gateway_of(config: Config) -> AsyncGenerator[Gateway]:
    """One that serves nobody else."""
    async with opened(with_issuer(config), beside=True) as platform:
        gateway = build(config, platform, _report)
        await gateway.start()
        try:
            yield gateway
        finally:
            await gateway.stop()


class Desk:
    """Asks the gateway's paths, for one caller and without counting their rates: whoever runs commands is the operator."""

    def __init__(self, gateway: Gateway, caller: Caller) -> None:
        self.gateway = gateway
        self.caller = caller

    async def ask(
        self, method: str, path: str, body: bytes = b"", headers: Headers = (), query: str = ""
    ) -> Response:
        """A path's reply, a stream's not read yet; raises what the path refuses with."""
        platform = self.gateway.platform
        endpoint = (find(path) or {}).get(method)
        if endpoint is None:
            raise NotFound(code="not_found")
        request = Request(method, path.encode(), path, query, headers, body=body)
        exchange = Exchange(
            platform.ids.new("req_"), request, endpoint, platform.clock.tick(), MOST_BYTES, self.caller,
            self.gateway.lasting.bodies,
        )  # fmt: skip
        return await endpoint.handler(self.gateway, exchange)

    async def json(
        self, method: str, path: str, value: Any = None, query: str = ""
    ) -> dict[str, Any]:
        """A reply that is JSON."""
        body = b"" if value is None else encode(value)
        response = await self.ask(method, path, body, query=query)
        data = response.body if isinstance(response.body, bytes) else await _whole(response)
        return decode_object(data)[0] if data else {}


async def _whole(response: Response) -> bytes:
    assert not isinstance(response.body, bytes)
    async with aclosing(response.body) as stream:
        return b"".join([part async for part in stream])


def _report(id: str, error: BaseException) -> None:
    print(f"penstock: internal_error: {id} {type(error).__name__}", file=sys.stderr)
