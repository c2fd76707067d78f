"""One request on its way through the gateway: who asks, by which path, and how the caller's rates stand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from penstock.auth.caller import Caller
from penstock.ports import Standing
from penstock.wire.http import Request

if TYPE_CHECKING:
    from penstock.gateway.routes import Endpoint


@dataclass(slots=True)
class Exchange:
    """`started` is the clock's tick, `limit` the most bytes of a body, `notes` what the access log says."""

    id: str
    request: Request
    endpoint: Endpoint
    started: float
    limit: int
    caller: Caller
    standings: Sequence[Standing] = ()
    token_standing: Standing | None = None
    notes: dict[str, Any] = field(default_factory=dict)

    async def read(self) -> bytes:
        """The request's body; raises TooLarge."""
        return await self.request.read(self.limit)

    @property
    def cache_control(self) -> frozenset[str]:
        """The directives of the caller's cache-control that matter here."""
        value = self.request.header("cache-control")
        if not value:
            return frozenset()
        return frozenset(part.strip().lower() for part in value.split(",")) & {
            "no-cache",
            "no-store",
        }
