"""The routes of the auth service."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from penstock.errors import BadRequest, Forbidden, NotFound, Unauthorized
from penstock.ports import Platform
from penstock.wire.http import Response
from penstock_services.auth import sql
from penstock_services.auth.accounts import Accounts
from penstock_services.auth.sessions import Sessions, shown_user
from penstock_services.auth.signing import Signer
from penstock_services.callers import TIERS, Peers, shown
from penstock_services.web import App, Call, Handler, Report, answer

FIELDS = "Missing required fields"
LOGIN_FIELDS = "Missing email or password"
TOLD = {"message": "If this address is waiting for it, a letter is on its way."}
KEPT = ("cache-control", "public, max-age=300")


class Register(Struct):
    email: str
    password: str
    username: str


class Login(Struct):
    email: str
    password: str


class Address(Struct):
    email: str


class Shown(Struct):
    token: str


class Reset(Struct):
    token: str
    password: str


class Refresh(Struct):
    refreshToken: str  # the product API's own spelling


class Tier(Struct):
    userId: str
    tier: str
    version: int


class Auth:
    """The handlers; each reads its body, asks one part, and answers."""

    def __init__(
        self, world: Platform, accounts: Accounts, sessions: Sessions, signer: Signer
    ) -> None:
        self._world = world
        self._accounts = accounts
        self._sessions = sessions
        self._signer = signer
        self._peers = Peers(world)

    async def register(self, call: Call) -> Response:
        asked = await call.read(Register, FIELDS)
        user = await self._accounts.register(asked.email, asked.password, asked.username)
        return answer({"user": user, "message": "Read your mail to verify the address."}, 201)

    async def login(self, call: Call) -> Response:
        asked = await call.read(Login, LOGIN_FIELDS)
        if not asked.email or not asked.password:
            raise BadRequest("Send an email and a password.", text=LOGIN_FIELDS)
        entered = await self._accounts.admitted(asked.email, asked.password)
        return answer(await self._sessions.begin(*entered))

    async def refresh(self, call: Call) -> Response:
        token = call.request.header("x-refresh-token")
        if not token and call.request.body:
            asked = await call.read(Refresh, "No refresh token provided")
            token = asked.refreshToken
        if not token:
            raise BadRequest("Send X-Refresh-Token.", text="No refresh token provided")
        return answer(await self._sessions.refresh(token))

    async def logout(self, call: Call) -> Response:
        if call.request.header("authorization") is None:
            raise BadRequest("Send Authorization.", text="No token provided")
        refresh = call.request.header("x-refresh-token")
        await self._sessions.end(shown(call.request), refresh)
        return answer({"success": True})

    async def me(self, call: Call) -> Response:
        return answer({"user": shown_user(await self._sessions.user(shown(call.request)))})

    async def verify(self, call: Call) -> Response:
        await self._accounts.verify((await call.read(Shown, FIELDS)).token)
        return answer({"verified": True})

    async def resend(self, call: Call) -> Response:
        await self._accounts.resend((await call.read(Address, FIELDS)).email)
        return answer(TOLD, 202)

    async def forgot(self, call: Call) -> Response:
        await self._accounts.forgot((await call.read(Address, FIELDS)).email)
        return answer(TOLD, 202)

    async def reset(self, call: Call) -> Response:
        asked = await call.read(Reset, FIELDS)
        await self._accounts.reset(asked.token, asked.password)
        return answer({"reset": True})

    async def jwks(self, call: Call) -> Response:
        return answer({"keys": await self._signer.published()}, 200, KEPT)

    async def tier(self, call: Call) -> Response:
        """From the billing service alone: no token of a user opens it."""
        try:
            peer = await self._peers.check(call.request)
        except Unauthorized as error:
            raise Unauthorized("This is between the services.") from error
        asked = await call.read(Tier, FIELDS)
        if peer != "billing":
            raise Forbidden("Only billing sets a tier.")
        if asked.tier not in TIERS or not 0 < asked.version < 1 << 53:
            raise BadRequest(f"A tier is one of {', '.join(TIERS)}, a version is positive.")
        _, known = await self._world.tables.batch(
            (sql.SET_TIER, (asked.tier, asked.version, asked.userId)),
            (sql.USER_EXISTS, (asked.userId,)),
        )
        if not known:
            raise NotFound("There is no such user.", code="user_not_found")
        return answer({"set": True})


def app(
    world: Platform, accounts: Accounts, sessions: Sessions, signer: Signer, report: Report
) -> App:
    """The service as a `Fetch`."""
    auth = Auth(world, accounts, sessions, signer)
    routes: Mapping[str, Handler] = {
        "POST /api/auth/register": auth.register,
        "POST /api/auth/signup": auth.register,
        "POST /api/auth/login": auth.login,
        "POST /api/auth/signin": auth.login,
        "POST /api/auth/refresh": auth.refresh,
        "POST /api/auth/logout": auth.logout,
        "POST /api/auth/signout": auth.logout,
        "GET /api/auth/me": auth.me,
        "POST /api/auth/verify-email": auth.verify,
        "POST /api/auth/resend-verification": auth.resend,
        "POST /api/auth/forgot-password": auth.forgot,
        "POST /api/auth/reset-password": auth.reset,
        "GET /api/auth/jwks.json": auth.jwks,
        "GET /.well-known/jwks.json": auth.jwks,
        "PUT /internal/tier": auth.tier,
    }
    return App(world, routes, report)
