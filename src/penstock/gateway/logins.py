"""Who registered and who tried to log in, for an admin."""

from __future__ import annotations

from typing import TYPE_CHECKING

from penstock.gateway.exchange import Exchange
from penstock.gateway.usage import span
from penstock.ledger import logins
from penstock.wire.http import JSON, Response
from penstock.wire.json import encode

if TYPE_CHECKING:
    from penstock.gateway import Gateway


async def everyone(gateway: Gateway, exchange: Exchange) -> Response:
    """Attempts and registrations of a span, by period, email, address or country."""
    since, until, by = span(exchange, int(gateway.platform.clock.now() * 1000), logins.BY)
    await gateway.journal.flush()
    tables = gateway.platform.tables
    found = await logins.report(tables, since=since, until=until, by=by)
    return Response(200, [JSON, ("cache-control", "no-store")], encode(found))
