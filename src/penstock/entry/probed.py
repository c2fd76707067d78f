"""What a Worker does when its object's alarm asks it to: probes the backends of services."""

from __future__ import annotations

import asyncio

from penstock.gateway import Gateway
from penstock.platforms.cloudflare.probes import asked_at, kept
from penstock.upstream.pools import is_well


async def probed(gateway: Gateway, asked: str) -> str:
    """Asks each backend that has a health, all at once, and says what the object is to keep of it."""
    members = gateway.lasting.pools.named()
    found = await asyncio.gather(
        *[is_well(gateway.platform.fetch, member) for member in members.values()]
    )
    return kept(asked_at(asked), dict(zip(members, found, strict=True)))
