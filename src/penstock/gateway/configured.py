"""What is configured, for an admin: routes with what they lead to and how their routers can be trusted; tiers, rates and budgets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from penstock.config import Route
from penstock.config.shadows import sides
from penstock.config.tiers import Tier
from penstock.gateway.certificates import certificate
from penstock.gateway.exchange import Exchange
from penstock.gateway.paging import fields
from penstock.ledger import days, labels
from penstock.limits.rates import Rule
from penstock.prices import Price
from penstock.routing import router
from penstock.routing.offers import Offer
from penstock.routing.router import Router
from penstock.wire.embeddings import dollars
from penstock.wire.http import JSON, Response
from penstock.wire.json import encode

if TYPE_CHECKING:
    from penstock.gateway import Gateway

HOUR = 3_600


async def routing(gateway: Gateway, exchange: Exchange) -> Response:
    """Every route; the learned router, the labels so far, and whether they show that it gains."""
    fields(exchange)
    routes = gateway.config.routes
    learned = {
        name: router.decode(one.artefact, name) for name, one in routes.items() if one.artefact
    }
    first = next(iter(learned), "")
    so_far = await labels.so_far(gateway.platform.tables)
    newest = max((at for _, at in so_far.values()), default=0)
    body = {
        "routes": [_route(gateway, name, one, learned.get(name)) for name, one in routes.items()],
        "artefact": _artefact(learned[first]) if first else None,
        "labels": {
            "rows": sum(number for number, _ in so_far.values()),
            "newest": days.iso(newest) if newest else None,
            "byRoute": {name: number for name, (number, _) in so_far.items()},
        },
        "certificate": await certificate(gateway, first, learned[first]) if first else None,
    }
    return _reply(body)


async def limits(gateway: Gateway, exchange: Exchange) -> Response:
    """Tiers with every rate that holds for them, and the budgets that are configured."""
    fields(exchange)
    config = gateway.config
    tiers = [_tier(gateway, name, tier) for name, tier in config.tiers.items()]
    budgets = [
        {"per": one.per, "period": one.period, "name": one.name or None, "tier": one.tier or None,
         "money": one.money or None, "tokens": one.tokens or None}
        for one in config.budgets
    ]  # fmt: skip
    return _reply({"tiers": tiers, "budgets": budgets})


def _route(gateway: Gateway, name: str, route: Route, learned: Router | None) -> dict[str, Any]:
    way = gateway.names.routes.find(name, route.verb)
    quality = route.quality if learned is not None else None
    return {
        "route": name,
        "verb": route.verb,
        "policy": route.policy,
        "offers": [_offer(one) for one in way.offers],
        "model": _artefact(learned) if learned is not None else None,
        "quality": quality,
        "strongShare": route.strong_share,
        "shadow": _shadow(route),
    }


def _offer(offer: Offer) -> dict[str, Any]:
    return {
        "target": offer.name,
        "provider": offer.target.provider,
        "model": offer.target.model,
        "price": _price(offer.price) if offer.priced else None,
    }


def _price(price: Price) -> dict[str, Any]:
    """Dollars per million tokens."""
    return {
        "input": dollars(price.input),
        "output": dollars(price.output),
        "cachedInput": dollars(price.cached_input),
    }


def _shadow(route: Route) -> dict[str, Any] | None:
    shadow = route.shadow
    if shadow is None:
        return None
    weak, strong = sides(route, shadow)
    # Whose function it is stands in the file: the name is the operator's own.
    return {
        "share": shadow.share, "moneyPerDay": shadow.money, "judge": shadow.judge, "weak": weak, "strong": strong,
    }  # fmt: skip


def _artefact(found: Router) -> dict[str, Any]:
    value, low, high = found.apgr
    return {
        "name": found.name,
        "version": found.version,
        "source": found.source,
        "trained": found.created,
        "rows": found.rows,
        "figures": {"apgr": value, "apgrLow": low, "apgrHigh": high},
        "trust": found.trust,
    }


def _tier(gateway: Gateway, name: str, tier: Tier) -> dict[str, Any]:
    rules = gateway.limits.rates.rules(name)
    return {
        "name": name,
        "rate": tier.requests_per_hour,
        "window": HOUR,
        "endpoints": {endpoint: _rate(rule) for endpoint, rule in rules.items()},
        "tokensPerMinute": tier.tokens_per_minute or None,
        "parallel": tier.parallel or None,
        "embeddingBatch": tier.embedding_batch,
        "documents": tier.documents,
        "documentBytes": tier.document_bytes,
    }


def _rate(rule: Rule) -> dict[str, int]:
    return {"rate": rule.limit, "window": rule.window}


def _reply(body: Mapping[str, Any]) -> Response:
    return Response(200, [JSON, ("cache-control", "no-store")], encode(body))
