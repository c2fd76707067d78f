"""The dashboard: its built files, signing in with an admin's credential, who is signed in, signing out."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from penstock.auth import scopes, sessions
from penstock.auth.caller import Caller, anonymous, require
from penstock.auth.sessions import Session
from penstock.errors import BadRequest, NotFound, Unauthorized, UnsupportedEncoding
from penstock.gateway.exchange import Exchange
from penstock.ledger import days
from penstock.wire.http import JSON, Headers, Request, Response
from penstock.wire.json import decode_object, encode

if TYPE_CHECKING:
    from penstock.gateway import Gateway

PLACE = "/dashboard"
INDEX = "/index.html"
HASHED = "/assets/"
"""Below it each name goes with one content for good."""
SESSION = "/dashboard/session"
OVERVIEW = "/admin/reports/overview"
OVERVIEW_DAYS = 30
"""That the overview shows where its address names no others, as ui/src/lib/range.ts has it."""
RATE = "login"
MOST_BYTES = 16 << 10
"""Of what a sign-in sends: nobody has shown yet who they are."""
HEADERS = (
    (
        "content-security-policy",
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self';"
        " font-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    ),
    ("x-frame-options", "DENY"),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-opener-policy", "same-origin"),
)
"""On all that is served below `/dashboard`: no script but our own runs, and nobody frames it."""
_PRIVATE = (JSON, ("cache-control", "no-store"), *HEADERS)
_FOR_GOOD = ("cache-control", "public, max-age=31536000, immutable")
_ASKED_AGAIN = ("cache-control", "no-cache")
_FILE = re.compile(r"(?:/[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}){1,4}", re.ASCII)
_OF_FILES = frozenset({"content-type", "content-encoding", "etag", "vary"})
_PASSED = frozenset({"accept-encoding", "if-none-match"})
ABSENT = b"""\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Penstock</title>
<h1>The dashboard is not built</h1>
<p>This gateway works, but it was installed without its pages. In a checkout, <code>make ui</code> builds them (it needs Node and npm),
and <code>make serve</code> does so by itself; then start the gateway again. Wheels carry them.</p>
<p>Its figures are under <a href="/docs">/admin</a>, for a credential with the scope <code>admin</code>.</p>
</html>
"""
_SHOWN = frozenset({"authorization", "x-api-key", "cookie"})


async def page(gateway: Gateway, exchange: Exchange) -> Response:
    """A file of the dashboard, or its one page for whatever view a path without an ending names."""
    path = file_of(exchange.request.path)
    ahead = _ahead(gateway, exchange.request) if path == INDEX else ()
    # A 304 would leave whoever signed out with the links of before.
    found = await _file(gateway, exchange.request, path, again=path != INDEX or bool(ahead))
    if found is None and path == INDEX:
        kind = ("content-type", "text/html; charset=utf-8")
        return Response(200, [kind, _ASKED_AGAIN, *HEADERS], ABSENT)
    if found is None:
        raise NotFound("There is no such file.", code="not_found")
    kept = [pair for pair in found.headers if pair[0] in _OF_FILES]
    lasting = _FOR_GOOD if path.startswith(HASHED) else _ASKED_AGAIN
    return Response(found.status, [*kept, *ahead, lasting, *HEADERS], found.body)


def _ahead(gateway: Gateway, asked: Request) -> Headers:
    """What the page will ask for first, told with it: the browser fetches that before it has read any script."""
    if not gateway.identity.browser(asked).token:
        return ()
    places = [SESSION]
    if asked.path.rstrip("/") == PLACE and not asked.query:
        now = int(gateway.platform.clock.now() * 1000)
        since = days.day(now - (OVERVIEW_DAYS - 1) * days.DAY_MS)
        places.append(f"{OVERVIEW}?from={since}&to={days.day(now)}")
    return [("link", f"<{place}>; rel=preload; as=fetch; crossorigin") for place in places]


def file_of(path: str) -> str:
    """Which file a path below the dashboard means; raises NotFound for what no file of it is called."""
    name = path.removeprefix(PLACE)
    if "." not in name.rpartition("/")[2] and not name.startswith(HASHED):
        return INDEX
    if not _FILE.fullmatch(name):
        raise NotFound("There is no such file.", code="not_found")
    return name


async def _file(gateway: Gateway, asked: Request, path: str, again: bool) -> Response | None:
    """The file as its platform has it, or where that may be that the asker has it already; None where there is none."""
    assets = gateway.platform.assets
    if assets is None:
        return None
    passed = _PASSED if again else _PASSED - {"if-none-match"}
    headers = [pair for pair in asked.headers if pair[0] in passed]
    target = f"https://dashboard.invalid{path}".encode()
    found = await assets(Request("GET", target, path, headers=headers))
    if found.status in (200, 304):
        return found
    await found.aclose()
    return None


async def sign_in(gateway: Gateway, exchange: Exchange) -> Response:
    """A session for an admin's key or token. Whoever shows what is none is counted, by address."""
    request, platform = exchange.request, gateway.platform
    browser = gateway.identity.browser(request)
    if not browser.ours:
        raise sessions.foreign()
    address = gateway.identity.address(request)
    exchange.caller = anonymous(address, Unauthorized())
    attempt = await gateway.limits.rates.admit(exchange.caller, RATE)
    exchange.limit = min(exchange.limit, MOST_BYTES)
    credential = _credential(request, await exchange.read())
    caller = await _identified(gateway, exchange, credential)
    # Only what fails counts: whoever is let in may come as often as they like.
    await platform.meter.give(attempt)
    if browser.token:
        await sessions.end(platform, browser.token)
    token, session = await sessions.begin(platform, credential, caller.exp)
    seconds = max(0, int(session.expires - platform.clock.now()))
    headers = [*_PRIVATE, browser.cookie(token, seconds)]
    return Response(200, headers, encode(_told(session, caller)))


async def signed_in(gateway: Gateway, exchange: Exchange) -> Response:
    """Whose session it is, until when, and what its page must say to change something."""
    session = await gateway.identity.session(exchange.request)
    caller = await _identified(gateway, exchange, session.credential)
    return Response(200, _PRIVATE, encode(_told(session, caller)))


async def sign_out(gateway: Gateway, exchange: Exchange) -> Response:
    """The session is over everywhere when the reply comes; without one there is nothing to do."""
    browser = gateway.identity.browser(exchange.request)
    if not browser.ours:
        raise sessions.foreign()
    if token := browser.token:
        sessions.check(gateway.platform, exchange.request, token)
        await sessions.end(gateway.platform, token)
    return Response(204, [*_PRIVATE[1:], browser.cookie("", 0)])


async def _identified(gateway: Gateway, exchange: Exchange, credential: str) -> Caller:
    """Who a credential is, by the rules of any request that shows it; raises Unauthorized, Forbidden without the scope."""
    asked = exchange.request
    kept = [pair for pair in asked.headers if pair[0] not in _SHOWN]
    shown = [*kept, ("authorization", f"Bearer {credential}")]
    request = Request(asked.method, asked.target, asked.path, "", shown, asked.client)
    caller = await gateway.identity.identify(request)
    try:
        await gateway.limits.rates.admit(caller, None)
    except Unauthorized:
        gateway.identity.forget(caller.credential)
        raise
    require(caller, scopes.ADMIN)
    exchange.caller = caller
    exchange.notes["caller"] = caller.hash
    return caller


def _credential(request: Request, body: bytes) -> str:
    """What the body shows; only JSON that says so is read, since a form of another page cannot send that."""
    kind = (request.header("content-type") or "").partition(";")[0].strip().lower()
    if kind != JSON[1]:
        raise UnsupportedEncoding("Send it as `content-type: application/json`.")
    fields, _ = decode_object(body)
    credential = fields.get("credential")
    if set(fields) != {"credential"} or not isinstance(credential, str) or not credential:
        raise BadRequest(
            "The body must have the string 'credential', and no more.", code="invalid_field", param="credential"
        )  # fmt: skip
    return credential


def _told(session: Session, caller: Caller) -> Mapping[str, Any]:
    who = {
        "tenant": caller.tenant,
        "sub": caller.sub,
        "scopes": sorted(caller.scopes),
        "tier": caller.tier,
    }
    expires = days.iso(int(session.expires * 1000))
    return {"csrf": session.csrf, "caller": who, "expires": expires}
