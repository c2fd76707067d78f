"""The log of requests, for an admin: what came, where it went, what it cost, and why."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from penstock.errors import BadRequest, NotFound
from penstock.gateway.exchange import Exchange
from penstock.gateway.paging import fields, limit
from penstock.gateway.usage import instants
from penstock.ledger import days, decisions, requests
from penstock.ledger.decisions import Decision
from penstock.ledger.requests import FIRST, LAST, Logged
from penstock.wire.embeddings import dollars
from penstock.wire.http import JSON, Response
from penstock.wire.json import encode

if TYPE_CHECKING:
    from penstock.gateway import Gateway

PATH = "/admin/requests/"
PAGE, MOST_PAGE = 50, 200
REACH, REACH_ALONE = 20_000, 5_000
"""Records that one page looks through for what it is asked for; the second on Workers, whose time is short."""
FILTERS = ("route", "model", "provider", "tenant", "user", "status", "cache")
_STATUS = re.compile(r"[1-5](?:[0-9]{2}|xx)", re.ASCII)


async def listed(gateway: Gateway, exchange: Exchange) -> Response:
    """The newest first, a page at a time. What is filtered may come on short pages: `next` says whether there is more."""
    query = fields(exchange, "from", "to", "limit", "before", *FILTERS)
    most = limit(query, PAGE, MOST_PAGE)
    above, below = _bounds(gateway, query)
    wanted = _wanted({name: query[name] for name in FILTERS if name in query})
    await gateway.journal.flush()
    platform = gateway.platform
    reach = REACH if platform.shared_loop else REACH_ALONE
    page = await requests.page(platform.tables, above, below, most, wanted, reach)
    body = {"requests": [_told(one) for one in page.rows], "next": page.next or None}
    return _reply(body)


async def one(gateway: Gateway, exchange: Exchange) -> Response:
    """One request, with the decision and every row of it in the ledger."""
    id = exchange.request.path.removeprefix(PATH)
    await gateway.journal.flush()
    tables = gateway.platform.tables
    found = await decisions.explain(tables, id) if requests.is_id(id) else None
    if found is None:
        raise NotFound("There is no such request.", code="not_found")
    logged = await requests.one(tables, id)
    body = _bare(id, found) if logged is None else _told(logged)
    why = None if logged is None else _why(logged.decision)
    return _reply({**body, "decision": why, "ledger": [_step(step) for step in found["ledger"]]})


def _bounds(gateway: Gateway, query: Mapping[str, str]) -> tuple[str, str]:
    """Between which ids to look: those of the span, and what lies before the cursor."""
    above, below = FIRST, LAST
    if "from" in query or "to" in query:
        since, until = instants(query, int(gateway.platform.clock.now() * 1000))
        above, below = requests.bounds(since, until)
    before = query.get("before")
    if before is None:
        return above, below
    if not requests.is_id(before):
        raise BadRequest("'before' is a request's id.", code="invalid_field", param="before")
    return above, min(before, below)


def _wanted(asked: Mapping[str, str]) -> requests.Wanted | None:
    """Which requests the filters let through; None where there are none."""
    if not asked:
        return None
    status = asked.get("status", "")
    if "status" in asked and not _STATUS.fullmatch(status):
        raise BadRequest(
            "'status' is a number, or 2xx to 5xx.", code="invalid_field", param="status"
        )

    def wanted(one: Logged) -> bool:
        has = {
            "route": one.decision.route, "model": one.model, "provider": one.provider, "tenant": one.tenant,
            "user": one.user, "cache": one.decision.cache, "status": str(one.decision.status),
        }  # fmt: skip
        if status.endswith("xx"):
            has["status"] = f"{has['status'][:1]}xx"
        return all(has[name] == value for name, value in asked.items())

    return wanted


def _told(one: Logged) -> dict[str, Any]:
    decision, taken = one.decision, one.taken
    return {
        "id": one.id,
        "time": days.iso(one.at),
        "tenant": one.tenant,
        "user": one.user,
        "service": decision.service,
        "route": decision.route or taken.route or None,
        "model": one.model or None,
        "provider": one.provider or None,
        "target": decision.target or None,
        "status": decision.status,
        "code": decision.error or None,
        "cache": decision.cache or None,
        "input": taken.input,
        "output": taken.output,
        "cost": dollars(taken.cost),
        "costNanos": str(taken.cost),
        "latencyMs": decision.total_us / 1000,
        "firstMs": decision.first_us / 1000 if decision.first_us else None,
        "stream": decision.stream,
    }


def _bare(id: str, found: Mapping[str, Any]) -> dict[str, Any]:
    """A request of which only the ledger knows: it runs still, or its record was lost in a crash."""
    absent: dict[str, Any] = dict.fromkeys(
        ("tenant", "user", "service", "route", "model", "provider", "target", "status", "code", "cache",
         "input", "output", "latencyMs", "firstMs", "stream")
    )  # fmt: skip
    steps = found["ledger"]
    cost = sum(
        step.get("amount_nanos", 0) for step in steps if step["stage"] in ("final", "correction")
    )
    last = {
        name: step[name]
        for step in steps
        for name in ("provider", "model", "target")
        if name in step
    }
    return {
        "id": id, "time": found["at"], **absent, **last, "cost": dollars(cost), "costNanos": str(cost),
    }  # fmt: skip


def _why(decision: Decision) -> dict[str, Any]:
    """Why it went where it went: what was seen, what the policy made of it, and what was tried."""
    return {
        "asked": decision.asked,
        "tier": decision.tier,
        "policy": decision.policy,
        "arm": decision.arm,
        "reason": decision.reason,
        "features": decision.features,
        "offers": list(decision.ranks),
        "tries": decision.attempts,
        "deployment": decision.deployment or None,
        "warm": _warm(decision.warm),
        "price": decision.price or None,
        "reservedNanos": str(decision.reserved_nanos),
        "upstreamMs": decision.upstream_us / 1000,
    }


def _warm(told: Mapping[str, Any]) -> dict[str, Any] | None:
    """What went first for its warm prompt, in whose place, and what that was to save; None where nothing did."""
    if not told:
        return None
    saves = told.get("saves_nanos")
    return {
        "target": told.get("target", ""),
        "deployment": told.get("deployment"),
        "tokens": told.get("tokens", 0),
        "insteadOf": told.get("instead_of"),
        "savesNanos": None if saves is None else str(saves),
    }


def _step(step: Mapping[str, Any]) -> dict[str, Any]:
    told = {name: value for name, value in step.items() if name != "amount_nanos"}
    if "amount_nanos" in step:
        told |= {"cost": dollars(step["amount_nanos"]), "costNanos": str(step["amount_nanos"])}
    return told


def _reply(body: Mapping[str, Any]) -> Response:
    return Response(200, [JSON, ("cache-control", "no-store")], encode(body))
