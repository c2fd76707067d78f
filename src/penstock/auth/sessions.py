"""A person's session in a browser: a cookie that stands for the credential they signed in with, and does not say it.

The row is found by a keyed hash of the cookie, and the credential in it is sealed by a key that follows from the cookie: who has
the tables, and even the installation's secret, has no credential. Each request opens it anew and is identified by it, so that
whatever ends the credential ends the session.
"""

from __future__ import annotations

import hmac
import re

from msgspec import Struct

from penstock.auth import base64url, refusals, sealing, sql
from penstock.auth.addresses import Networks
from penstock.auth.sealing import NONCE_BYTES, Master, Sealed
from penstock.errors import Forbidden
from penstock.ports import Platform, Tables
from penstock.wire import cookies
from penstock.wire.http import Request, header

SECONDS = 12 * 3_600
PLAIN, SECURE = "penstock_session", "__Host-penstock_session"
"""Of the two, a browser takes the second by https alone, and from no other host: no neighbour can plant one."""
NAMES = frozenset({PLAIN, SECURE})
CSRF = "x-csrf-token"
SAFE = frozenset({"GET", "HEAD"})
PLACES = ("/admin/", "/dashboard/", "/v1/", "/api/rag/documents/")
PATHS = frozenset(
    {"/metrics", "/api/usage", "/api/rag/documents", "/api/rag/query", "/api/rag/search", "/api/rag/upload"}
)  # fmt: skip
"""Where a session counts, below the first and at the second: the gateway's own paths, none that a service can have."""
SWEEP_ROWS = 500
_TOKEN_BYTES = 32
_SHAPE = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)
_OURS = frozenset({"same-origin", "none"})


class Session(Struct, frozen=True):
    """What a cookie stands for; `csrf` is what requests that change something must say, `expires` in seconds since the epoch."""

    credential: str
    csrf: str
    expires: float


class Browser:
    """What a request tells of the page it comes from, by the word of the browser and of trusted proxies."""

    __slots__ = ("_believed", "_request", "secure")

    def __init__(self, request: Request, platform: Platform, trusted: Networks) -> None:
        known = trusted.look(request.client) if trusted else None
        self._request = request
        self._believed = known is not None and known[1]
        # On Workers the platform writes the URL, elsewhere the caller does.
        told = not platform.shared_loop and request.target.startswith(b"https:")
        self.secure = told or self._said("x-forwarded-proto").lower() == "https"

    @property
    def ours(self) -> bool:
        """Whether the page may be the dashboard itself: not where the browser says it is another's, be it a neighbour's."""
        request = self._request
        if (site := request.header("sec-fetch-site")) is not None:
            return site in _OURS
        # By plain http from another machine browsers say no more than this, and that not of plain GETs.
        origin = request.header("origin")
        host = self._said("x-forwarded-host") or request.header("host") or ""
        return origin is None or origin.partition("://")[2].lower() == host.lower()

    @property
    def token(self) -> str:
        """The cookie's value; empty where there is none, or two, or where it does not count."""
        shown = any(name in ("authorization", "x-api-key") for name, _ in self._request.headers)
        if shown or not self.ours:
            return ""
        found = cookies.values(self._request.headers, SECURE if self.secure else PLAIN)
        return found[0] if len(found) == 1 and _SHAPE.fullmatch(found[0]) else ""

    def cookie(self, token: str, seconds: int) -> tuple[str, str]:
        """The header that keeps a token in the browser for so long; with none, forgets it."""
        name, more = (SECURE, "; Secure") if self.secure else (PLAIN, "")
        text = f"{name}={token}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict{more}"
        return "set-cookie", text

    def _said(self, name: str) -> str:
        """The first that a trusted proxy says under a name."""
        value = header(self._request.headers, name) if self._believed else None
        return (value or "").partition(",")[0].strip(" ")


def counts_at(path: str) -> bool:
    """Whether a session counts there."""
    return path in PATHS or path.startswith(PLACES)


async def begin(platform: Platform, credential: str, until: float) -> tuple[str, Session]:
    """A session of twelve hours, or until the credential ends (0: never), and the token that stands for it."""
    now = platform.clock.now()
    token = base64url.encode(platform.ids.secret(_TOKEN_BYTES))
    expires = int(min(now + SECONDS, until or now + SECONDS))
    name, key = _derived(platform, b"name", token).hex(), _derived(platform, b"seal", token)
    nonce = platform.ids.secret(NONCE_BYTES)
    sealed = await sealing.seal(platform.crypto, Master("", key), nonce, credential, (name,))
    values = (name, sealed.text, round(now * 1000), expires * 1000)
    await platform.tables.batch((sql.BEGIN_SESSION, values))
    return token, Session(credential, _csrf(platform, token), expires)


async def resume(platform: Platform, request: Request, trusted: Networks) -> Session:
    """The session of a request's cookie; raises Unauthorized where there is none, Forbidden without its csrf token."""
    token = Browser(request, platform, trusted).token
    if not token:
        raise refusals.missing()
    if request.method not in SAFE:
        check(platform, request, token)
    name = _derived(platform, b"name", token).hex()
    rows = await platform.tables.rows(sql.SESSION, name)
    if not rows or rows[0][1] <= platform.clock.now() * 1000:
        raise refusals.session_over()
    text, expires = rows[0]
    key = _derived(platform, b"seal", token)
    credential = await sealing.opened(platform.crypto, [Master("", key)], Sealed("", text), (name,))
    if credential is None:
        raise refusals.session_over()
    return Session(credential, _csrf(platform, token), expires / 1000)


def check(platform: Platform, request: Request, token: str) -> None:
    """That a request comes from a page that was told the session's csrf token; raises Forbidden."""
    said = (request.header(CSRF) or "").encode()
    if not hmac.compare_digest(said, _csrf(platform, token).encode()):
        raise foreign()


def foreign() -> Forbidden:
    """The request did not come from the dashboard's own page."""
    return Forbidden(
        "A session's requests come from the dashboard's own page, and those that change something say its"
        " `x-csrf-token`.",
        code="csrf",
    )


async def end(platform: Platform, token: str) -> None:
    """Ends a session, on every process at once; one that is over already stays so."""
    name = _derived(platform, b"name", token).hex()
    await platform.tables.batch((sql.END_SESSION, (name,)))


async def sweep(tables: Tables, *, now: float) -> bool:
    """Drops sessions that are over; whether there may be more."""
    [swept] = await tables.batch((sql.SWEEP_SESSIONS, (round(now * 1000), SWEEP_ROWS)))
    return len(swept) == SWEEP_ROWS


def _csrf(platform: Platform, token: str) -> str:
    return base64url.encode(_derived(platform, b"csrf", token))


def _derived(platform: Platform, use: bytes, token: str) -> bytes:
    """32 bytes for one use of a token, that only this installation can work out."""
    return hmac.digest(platform.secret, use + b"\0" + token.encode(), "sha256")
