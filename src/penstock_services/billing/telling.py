"""Tells the auth service which tier a user has: at the latest before Stripe is told that its event was taken."""

from __future__ import annotations

from penstock.errors import Error, Unavailable
from penstock.ports import Platform
from penstock.wire.http import JSON, Request, Timeouts, collect
from penstock.wire.json import encode
from penstock_services.billing import sql
from penstock_services.callers import TIERS, Peers

TIMEOUTS = Timeouts(connect=3.0, first_byte=5.0, idle=3.0, total=8.0)
REPLY_BYTES = 16 << 10
UNKNOWN = b'"user_not_found"'
"""Its user is of another issuer: there is nobody to tell."""


class Telling:
    """Each decision has a number, so that an older one never undoes a newer; without `url` nobody is told."""

    def __init__(self, world: Platform, url: str) -> None:
        self._world = world
        self._url = url.rstrip("/")
        self._peers = Peers(world)

    async def tell(self, user_id: str) -> None:
        """What was not told yet; raises Unavailable where it could not be told."""
        rows = await self._world.tables.rows(sql.UNTOLD, user_id)
        if not rows or not self._url:
            return
        rank, version = rows[0]
        await self._put({"userId": user_id, "tier": TIERS[rank], "version": version})
        await self._world.tables.batch((sql.TOLD, (version, user_id)))

    async def _put(self, body: dict[str, str | int]) -> None:
        credential = ("authorization", f"Bearer {self._peers.token('billing')}")
        request = Request(
            "PUT",
            f"{self._url}/internal/tier".encode(),
            headers=(JSON, credential),
            body=encode(body),
            timeouts=TIMEOUTS,
        )
        try:
            response = await self._world.fetch(request)
            try:
                said = response.body
                body_told = said if isinstance(said, bytes) else await collect(said, REPLY_BYTES)
            finally:
                await response.aclose()
        except Error as error:
            raise untold() from error
        if response.status != 200 and not (response.status == 404 and UNKNOWN in body_told):
            raise untold()


def untold() -> Unavailable:
    return Unavailable("The auth service could not be told the tier: send the event again.")
