"""A gateway whose tenants have keys of their own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from penstock.wire.http import Request, Response
from tests.path.world import SECRET, World, whole

KEY = "sk-of-acme-and-nobody-else"
BASE = f"""
[auth]
issuers = [{{ mode = "hs256", secret = "{SECRET}" }}]
[providers.other]
kind = "openai"
base_url = "http://other.test/v1"
api_key = "sk-other"
[[targets]]
provider = "p"
model = "gpt-4o-mini"
[[targets]]
provider = "p"
model = "text-embedding-3-small"
verb = "embed"
[[targets]]
provider = "other"
model = "gpt-4o"
[routes.auto]
targets = ["p/gpt-4o-mini", "other/gpt-4o"]
[routes.embed]
verb = "embed"
targets = ["p/text-embedding-3-small"]
[providers.p]
kind = "openai"
base_url = "http://p.test/v1"
api_key = "sk-ours"
"""


def made(upstream: Callable[[Request], Any] = lambda request: whole("hi"), more: str = "") -> World:
    return World(upstream, BASE + more, env={})


def keys(world: World) -> list[str | None]:
    return [request.header("authorization") for request in world.platform.fetch.requests]


async def put(world: World, tenant: str = "acme", provider: str = "p", key: str = KEY) -> Response:
    told = {"tenant": tenant, "provider": provider, "key": key}
    token = world.token("root", scope="admin")
    return await world.ask("/admin/tenant-keys", told, method="PUT", token=token)


async def drop(world: World, tenant: str = "acme", provider: str = "p") -> Response:
    query, token = f"tenant={tenant}&provider={provider}", world.token("root", scope="admin")
    return await world.ask("/admin/tenant-keys", method="DELETE", query=query, token=token)


async def ask(world: World, tenant: str = "acme", text: str = "hello", **more: Any) -> Response:
    headers = [("cache-control", "no-store")]
    return await world.chat(
        text, model="auto", token=world.token(tenant=tenant), headers=headers, **more
    )
