"""`GET /admin/alerts`: what fires, what was told lately and whether it arrived."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from penstock.config.watched import rules
from penstock.errors import BadRequest
from penstock.gateway.exchange import Exchange
from penstock.gateway.notices import lines, severity, title
from penstock.ledger import alerts, days
from penstock.ledger.alerts.states import State
from penstock.ledger.alerts.turns import Notice
from penstock.ports import Tables
from penstock.wire.http import JSON, Response
from penstock.wire.json import encode

if TYPE_CHECKING:
    from penstock.config import Config
    from penstock.gateway import Gateway

MOST_NOTICES = 50
OUTCOMES = ("waiting", "delivered", "given_up", "dropped")


async def standing(gateway: Gateway, exchange: Exchange) -> Response:
    """All of it, the newest notices first."""
    if exchange.query():
        raise BadRequest("No query is taken.", code="invalid_field")
    told = await listed(gateway.platform.tables, gateway.config)
    return Response(200, [JSON, ("cache-control", "no-store")], encode(told))


async def listed(tables: Tables, config: Config) -> dict[str, Any]:
    """The same for programs; amounts of money in facts are nano-dollars."""
    known = await alerts.states(tables)
    counts = await alerts.counts(tables)
    each = [_state(rule, state) for (rule, _), state in known.items()]
    each.sort(key=lambda one: (not one["firing"], one["severity"] != "critical", one["since"]))
    return {
        "rules": [{"name": rule.name, "kind": rule.kind, "to": rule.to} for rule in rules(config)],
        "channels": [
            {"name": name, "kind": channel.kind, **{one: counts.get(name, {}).get(one, 0) for one in OUTCOMES}}
            for name, channel in config.alerting.channels.items()
        ],
        "firing": [one for one in each if one["firing"]],
        "pending": [one for one in each if not one["firing"]],
        "notices": [_notice(*one) for one in await alerts.last(tables, MOST_NOTICES)],
    }  # fmt: skip


def _state(rule: str, state: State) -> dict[str, Any]:
    return {
        "rule": rule, "kind": state.kind, "alert": state.alert, "subject": state.subject, "firing": state.firing,
        "severity": severity(state.level), "since": days.iso(state.since), "facts": state.facts,
    }  # fmt: skip


def _notice(notice: Notice, deliveries: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "id": notice.id, "at": days.iso(notice.at), "event": notice.event, "rule": notice.rule, "kind": notice.kind,
        "severity": severity(notice.level), "title": title(notice), "lines": lines(notice), "deliveries": deliveries,
    }  # fmt: skip
