"""What an admin's lists are asked by: known fields, of a bearable length, and how many rows."""

from __future__ import annotations

from collections.abc import Mapping

from penstock.errors import BadRequest
from penstock.gateway.exchange import Exchange

LONGEST = 200
"""Characters of a field's value."""


def fields(exchange: Exchange, *known: str) -> dict[str, str]:
    """The query's fields; raises BadRequest for one that is not known, too long, or no text."""
    query = exchange.query()
    unknown = query.keys() - {*known}
    if unknown:
        taken = ", ".join(known) or "no query"
        raise BadRequest(f"Only {taken} is taken.", code="invalid_field", param=min(unknown)[:50])
    long = [name for name, value in query.items() if len(value) > LONGEST]
    if long:
        raise BadRequest(f"'{long[0]}' is too long.", code="invalid_field", param=long[0])
    odd = [name for name, value in query.items() if "\0" in value]
    if odd:  # no text of PostgreSQL holds it
        raise BadRequest(f"'{odd[0]}' has a NUL in it.", code="invalid_field", param=odd[0])
    return query


def limit(query: Mapping[str, str], default: int, most: int) -> int:
    """How many rows a page has; raises BadRequest."""
    text = query.get("limit", str(default))
    digits = text.isascii() and text.isdigit() and len(text) <= len(str(most))
    if not (digits and 1 <= int(text) <= most):
        raise BadRequest(f"'limit' is 1 to {most}.", code="invalid_field", param="limit")
    return int(text)
