"""API keys, for an admin: listed, made and revoked as `penstock keys` does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from penstock.auth import keys
from penstock.auth.caller import DEFAULT_TENANT, FREE
from penstock.auth.keys import ApiKey
from penstock.auth.scopes import DEFAULT
from penstock.errors import BadRequest, NotFound
from penstock.gateway.exchange import Exchange
from penstock.gateway.paging import fields, limit
from penstock.gateway.usage import LAST
from penstock.ledger import days
from penstock.wire.http import JSON, Response
from penstock.wire.json import decode_object, encode

if TYPE_CHECKING:
    from penstock.gateway import Gateway

PATH = "/admin/keys/"
PAGE, MOST_PAGE = 50, 200
MOST_SCOPES = 50
FIELDS = frozenset({"name", "sub", "tenant", "scopes", "tier", "expires"})
NO_STORE = ("cache-control", "no-store")


async def listed(gateway: Gateway, exchange: Exchange) -> Response:
    """The newest first, a page at a time; never the keys themselves."""
    query = fields(exchange, "limit", "before", "tenant")
    most, before = limit(query, PAGE, MOST_PAGE), query.get("before", "")
    if "before" in query and not _is_id(before):
        raise _refused("'before' is a key's id.", "before")
    if query.get("tenant") == "":
        raise _refused("'tenant' names one, or is left out.", "tenant")
    tables = gateway.platform.tables
    found = await keys.newest(tables, before, most + 1, query.get("tenant", ""))
    more = found[most - 1].id if len(found) > most else None
    return _reply(200, {"keys": [plain(one) for one in found[:most]], "next": more})


async def create(gateway: Gateway, exchange: Exchange) -> Response:
    """Makes a key, which this reply alone shows; the access log names its id."""
    body, _ = decode_object(await exchange.read())
    unknown = body.keys() - FIELDS
    if unknown:
        raise _refused(f"Only {', '.join(sorted(FIELDS))} are taken.", min(unknown)[:50])
    now, given = gateway.platform.clock.now(), _Given(body)
    name = given.text("name", None)
    tier = given.text("tier", FREE)
    if tier not in gateway.config.tiers:
        raise _refused(f"'tier' is one of {', '.join(gateway.config.tiers)}.", "tier")
    key, made = await keys.create(
        gateway.platform.tables, gateway.platform.ids,
        now=now, sub=given.text("sub", name), tenant=given.text("tenant", DEFAULT_TENANT), tier=tier,
        scopes=given.scopes(), name=name, expires_at=given.expires(now),
    )  # fmt: skip
    exchange.notes["key"] = made.id
    return _reply(201, {**plain(made), "key": key})


async def revoke(gateway: Gateway, exchange: Exchange) -> Response:
    """Ends a key on every process, from its next request on; one that was revoked stays so."""
    id, platform = exchange.request.path.removeprefix(PATH), gateway.platform
    found = None
    if _is_id(id):
        found = await keys.revoke(platform.tables, platform.meter, id, now=platform.clock.now())
    if found is None:
        raise NotFound("There is no such key.", code="not_found")
    return Response(204, [NO_STORE])


def plain(key: ApiKey) -> dict[str, Any]:
    """A key as it is shown: never itself."""
    return {
        "id": key.id,
        "name": key.name,
        "tenant": key.tenant,
        "sub": key.sub,
        "scopes": sorted(key.scopes),
        "tier": key.tier,
        "created": _iso(key.created_at),
        "expires": _iso(key.expires_at),
        "revoked": _iso(key.revoked_at),
    }


class _Given:
    """The fields of a body, each checked as it is asked for; null is as if it were not there."""

    def __init__(self, body: Mapping[str, Any]) -> None:
        self._body = body

    def text(self, name: str, default: str | None) -> str:
        value = self._body.get(name)
        value = default if value is None else value
        if not isinstance(value, str) or not value:
            raise _refused(f"'{name}' is a text of at least one character.", name)
        return value

    def scopes(self) -> frozenset[str]:
        given = self._body.get("scopes")
        if given is None:
            return DEFAULT
        if not isinstance(given, list) or not 0 < len(given) <= MOST_SCOPES:
            raise _refused(f"'scopes' is a list of 1 to {MOST_SCOPES} words.", "scopes")
        if not all(isinstance(one, str) for one in given):
            raise _refused("A scope is a word such as 'chat'.", "scopes")
        return frozenset(given)

    def expires(self, now: float) -> float:
        given = self._body.get("expires")
        if given is None:
            return 0.0
        found = days.parse(given) if isinstance(given, str) else None
        if found is None or not now * 1000 < found <= LAST:
            raise _refused("'expires' is an ISO 8601 date or instant to come.", "expires")
        return found / 1000


def _is_id(text: str) -> bool:
    return text.startswith("key_") and text.isascii() and len(text) <= 64 and text[4:].isalnum()


def _iso(seconds: float) -> str | None:
    return days.iso(round(seconds * 1000)) if seconds else None


def _refused(message: str, param: str) -> BadRequest:
    return BadRequest(message, code="invalid_field", param=param)


def _reply(status: int, body: Mapping[str, Any]) -> Response:
    return Response(status, [JSON, NO_STORE], encode(body))
