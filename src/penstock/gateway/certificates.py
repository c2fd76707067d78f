"""Whether a route's router gains, by the labels that came since it was made: it learned from none of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import structs

from penstock.config.labels import Tenant
from penstock.config.routed import QUALITY
from penstock.errors import BadRequest
from penstock.ledger import days
from penstock.ledger import labels as kept
from penstock.routing.certify import certify
from penstock.routing.evaluate import by
from penstock.routing.labels import Row, read
from penstock.routing.recovered import Interval
from penstock.routing.router import Router
from penstock.wire.json import encode

if TYPE_CHECKING:
    from penstock.gateway import Gateway

MOST = 1_000
"""Labels that are read for it, the newest: it is worked out in a moment, while others wait."""


async def certificate(gateway: Gateway, route: str, router: Router) -> dict[str, Any]:
    """Yes or no with its figures, as `penstock router certify` says it; neither, with the reason, where labels do not tell."""
    settings = gateway.config.routes[route]
    target = QUALITY if settings.quality is None else settings.quality
    since = (days.parse(router.created) or 0) + days.DAY_MS
    found = await kept.newest(gateway.platform.tables, route, since, MOST)
    agreed = [one for one in found if gateway.config.tenants.get(one.tenant, Tenant()).shadow]
    told: dict[str, Any] = {
        "route": route, "target": target, "rows": len(agreed), "since": days.iso(since), "certified": None,
    }  # fmt: skip
    try:
        rows = read(encode(kept.told(one, texts=False)) + b"\n" for one in agreed).rows
    except BadRequest as none:
        return told | {"reason": none.message}
    return told | _certified(rows, router, target)


def _certified(rows: tuple[Row, ...], router: Router, target: float) -> dict[str, Any]:
    found = certify(rows, by(router, rows), target)
    return {
        "certified": found.certified,
        "reason": found.reason,
        "quality": _interval(found.quality),
        "least": found.least,
        "strongShare": found.strong_share,
        "saving": _interval(found.saving),
        "savingOf": found.saving_of,
        "overChance": _interval(found.over_chance),
    }


def _interval(found: Interval) -> dict[str, Any]:
    return structs.asdict(found)
