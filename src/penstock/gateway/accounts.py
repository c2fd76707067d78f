"""The routes of accounts: bodies are judged before the auth service gets them, and what came of them is noted after."""

from __future__ import annotations

import re
from asyncio import CancelledError
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from penstock.auth import keys
from penstock.auth.addresses import Networks
from penstock.auth.caller import Caller
from penstock.errors import BadRequest, Error
from penstock.gateway.exchange import Exchange
from penstock.gateway.later import later
from penstock.gateway.routes import Auth, Handler
from penstock.ledger import logins
from penstock.ledger.logins import Whence
from penstock.wire.http import Response, Stream
from penstock.wire.json import decode_object

if TYPE_CHECKING:
    from penstock.gateway import Gateway

MOST_BODY = 16 << 10
MOST_REPLY = 64 << 10
"""Of a registration's reply so much is read for the user's id; it goes out as it comes, however long."""
LONGEST_EMAIL = 254
LONGEST_PASSWORD = 1024
LONGEST_NAME = 256
FIELDS = "Missing required fields"
LOGIN_FIELDS = "Missing email or password"
_EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s.]+(?:\.[^@\s.]+)+")

Note = Callable[[bytes], None]


class Special(NamedTuple):
    """A first segment behind a service's prefix that is more than passed on: empty parts are as the service has them."""

    make: Callable[[Handler, Networks], Handler]
    limit: str = ""
    failed: str = ""
    auth: Auth | None = None


class Register:
    """A registration: refused where fields are missing, noted where the service made an account."""

    def __init__(self, passing: Handler, trusted: Networks) -> None:
        self._passing = passing
        self._trusted = trusted

    async def __call__(self, gateway: Gateway, exchange: Exchange) -> Response:
        fields = await _fields(exchange, FIELDS)
        email = _text(fields, "email", LONGEST_EMAIL, FIELDS)
        for name, longest in (("password", LONGEST_PASSWORD), ("username", LONGEST_NAME)):
            _text(fields, name, longest, FIELDS)
        if not (email.isprintable() and _EMAIL.fullmatch(email.strip())):
            raise BadRequest("'email' is no email address.", code="invalid_field", param="email")
        _unpacked(exchange)
        response = await self._passing(gateway, exchange)
        if 200 <= response.status < 300 and gateway.config.accounts.retention_days:
            shown, whence = _shown(gateway, email), _whence(gateway, exchange, self._trusted)

            def note(reply: bytes) -> None:
                gateway.journal.add(logins.registration(user_id(reply), shown, whence))

            if isinstance(response.body, bytes):
                note(response.body)
            else:
                response.body = Watched(response.body, note)
        return response


class Login:
    """A login: refused where fields are missing, noted however it ended."""

    def __init__(self, passing: Handler, trusted: Networks) -> None:
        self._passing = passing
        self._trusted = trusted

    async def __call__(self, gateway: Gateway, exchange: Exchange) -> Response:
        fields = await _fields(exchange, LOGIN_FIELDS)
        email = _text(fields, "email", LONGEST_EMAIL, LOGIN_FIELDS)
        _text(fields, "password", LONGEST_PASSWORD, LOGIN_FIELDS)
        success = False
        try:
            response = await self._passing(gateway, exchange)
            success = 200 <= response.status < 300
        finally:
            # Whoever leaves before the answer has tried all the same.
            if gateway.config.accounts.retention_days:
                whence = _whence(gateway, exchange, self._trusted)
                gateway.journal.add(logins.login(_shown(gateway, email), whence, success=success))
        return response


class Refresh:
    """A refresh, which its token's header must come with."""

    def __init__(self, passing: Handler, trusted: Networks) -> None:
        self._passing = passing

    async def __call__(self, gateway: Gateway, exchange: Exchange) -> Response:
        if not exchange.request.header("x-refresh-token"):
            raise BadRequest("Send X-Refresh-Token.", text="No refresh token provided")
        return await self._passing(gateway, exchange)


class Logout:
    """A logout, after which the token is refused everywhere until its `exp`: before the reply says that it is done."""

    def __init__(self, passing: Handler, trusted: Networks) -> None:
        self._passing = passing

    async def __call__(self, gateway: Gateway, exchange: Exchange) -> Response:
        caller = exchange.caller
        if exchange.request.header("authorization") is None:
            raise BadRequest(
                "Send `Authorization: Bearer` with the token to end.", text="No token provided"
            )
        if caller.refusal is not None:
            raise caller.refusal
        try:
            response = await self._passing(gateway, exchange)
        except CancelledError:
            # Whoever closes the page at once has asked for it all the same, and the service may have done it.
            if not caller.key_id:
                gateway.platform.spawn(_refused(gateway, caller))
            raise
        if 200 <= response.status < 300 and not caller.key_id:
            try:
                await _refuse(gateway, caller)
            except BaseException:
                await response.aclose()
                raise
        return response


class Watched:
    """A reply on its way, whose beginning is told once it has ended, in whichever way."""

    __slots__ = ("_body", "_note", "_parts", "_size")

    def __init__(self, body: Stream, note: Note) -> None:
        self._body = body
        self._note: Note | None = note
        self._parts: list[bytes] = []
        self._size = 0

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        try:
            part = await self._body.__anext__()
        except (StopAsyncIteration, Error):
            self._end()
            raise
        if self._size < MOST_REPLY:
            self._parts.append(part)
            self._size += len(part)
        return part

    async def aclose(self) -> None:
        self._end()
        await self._body.aclose()

    def _end(self) -> None:
        note, self._note = self._note, None
        if note is not None:
            note(b"".join(self._parts))
            self._parts.clear()


def as_it_is(passing: Handler, trusted: Networks) -> Handler:
    """Passed on, with a rate of its own."""
    return passing


def plain(path: str) -> str:
    """A path as a service may read it that cares for neither case, doubled slashes nor parameters behind semicolons."""
    parts = (part.partition(";")[0] for part in path.split("/"))
    return "/" + "/".join(part.strip().lower() for part in parts if part.strip())


def user_id(reply: bytes) -> str:
    """`user.id` of a reply, else `unknown`."""
    try:
        fields, _ = decode_object(reply)
    except Error:
        return logins.UNKNOWN
    user = fields.get("user")
    found = user.get("id") if isinstance(user, dict) else None
    if isinstance(found, int) and not isinstance(found, bool):
        return str(found)
    return found if isinstance(found, str) and found else logins.UNKNOWN


async def _fields(exchange: Exchange, text: str) -> dict[str, Any]:
    """The fields of a small body, which then is whole; raises BadRequest, TooLarge, UnsupportedEncoding."""
    exchange.limit = min(exchange.limit, MOST_BODY)
    data = await exchange.read()
    try:
        fields, _ = decode_object(data)
    except BadRequest as error:
        error.text = text
        raise
    exchange.request.body = data
    return fields


def _text(fields: Mapping[str, Any], name: str, longest: int, text: str) -> str:
    value = fields.get(name)
    if not isinstance(value, str) or not value.strip():
        raise BadRequest(f"'{name}' must be a string that is not empty.", param=name, text=text)
    if len(value) > longest:
        raise BadRequest(
            f"'{name}' is longer than {longest} characters.", code="invalid_field", param=name
        )
    return value


def _unpacked(exchange: Exchange) -> None:
    """The reply is asked for as plain text, so that the user's id can be read in it."""
    kept = [pair for pair in exchange.request.headers if pair[0] != "accept-encoding"]
    exchange.request.headers = [*kept, ("accept-encoding", "identity")]


def _shown(gateway: Gateway, email: str) -> str:
    if gateway.config.accounts.emails == "plain":
        return email.strip()
    return logins.hidden(email, gateway.platform.secret)


def _whence(gateway: Gateway, exchange: Exchange, trusted: Networks) -> Whence:
    request = exchange.request
    peer = trusted.look(request.client)
    told = request.header("cf-ipcountry") if peer is not None and peer[1] else None
    return Whence(
        exchange.id,
        int(gateway.platform.clock.now() * 1000),
        exchange.caller.address or request.client,
        exchange.notes.get("country") or told or "",
        request.header("referer") or "",
    )


async def _refuse(gateway: Gateway, caller: Caller) -> None:
    """The token is refused from the next request on; what cannot be written now is tried again behind the refusal."""
    platform = gateway.platform

    async def refuse() -> None:
        now = platform.clock.now()
        await keys.revoke_token(
            platform.tables, platform.meter, caller.credential, caller.exp, now=now
        )

    async def again() -> None:
        await later(platform, refuse)

    try:
        await refuse()
    except BaseException:
        platform.spawn(again())
        raise
    finally:
        gateway.identity.forget(caller.credential)


async def _refused(gateway: Gateway, caller: Caller) -> None:
    """The same where nobody waits for it."""
    with suppress(Error):
        await _refuse(gateway, caller)


_REGISTER = Special(Register, "register", "Registration failed")
_LOGIN = Special(Login, "login", "Login failed")
_LOGOUT = Special(Logout, auth="optional")
SPECIAL: Mapping[str, Mapping[str, Special]] = {
    "auth": {
        "register": _REGISTER,
        "signup": _REGISTER,
        "login": _LOGIN,
        "signin": _LOGIN,
        "logout": _LOGOUT,
        "signout": _LOGOUT,
        "refresh": Special(Refresh),
        "resend-verification": Special(as_it_is, "register"),
        "forgot-password": Special(as_it_is, "register"),
        "verify-email": Special(as_it_is, "login"),
        "reset-password": Special(as_it_is, "login"),
    },
    "chat": {"completions": Special(as_it_is, "chat", "Chat completion failed")},
}
"""By service and segment; the names of the first design and of the reference service mean the same."""
