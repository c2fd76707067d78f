"""Sessions: a short access token, and a refresh token that is good once."""

from __future__ import annotations

from typing import Any

from penstock.auth import base64url
from penstock.errors import Unauthorized
from penstock.ports import Platform
from penstock_services.auth import sql
from penstock_services.auth.accounts import DAY_MS, SECRET_BYTES, User, hashed_secret, refused
from penstock_services.auth.signing import ACCESS_SECONDS, Signer
from penstock_services.web import now_ms

REFRESH_MS = 30 * DAY_MS
"""A session that is not refreshed so long has ended."""
SESSION_MS = 90 * DAY_MS
"""However often it was refreshed."""


class Sessions:
    """Begun by a login, carried on by refresh tokens, ended by a logout or by a refresh token shown twice."""

    def __init__(self, world: Platform, signer: Signer) -> None:
        self._world = world
        self._tables = world.tables
        self._signer = signer

    async def begin(self, user: User, checked: str, kept: str) -> dict[str, Any]:
        """The reply to a login; raises Unauthorized where the password was changed since it was checked."""
        now, id, token = now_ms(self._world), self._world.ids.new("ses_"), self._secret()
        *_, admitted, _, _ = await self._tables.batch(
            (sql.STALE_REFRESH, (now,)),
            (sql.STALE_SESSIONS, (now,)),
            (sql.ADMIT, (now, kept, user.id, checked)),
            (sql.NEW_SESSION, (id, now, now + SESSION_MS, user.id, kept)),
            (sql.NEW_REFRESH, (hashed_secret(token), id, now + REFRESH_MS)),
        )
        if not admitted:
            raise refused()
        return await self._reply(user, id, token)

    async def refresh(self, shown: str) -> dict[str, Any]:
        """The next tokens of a session; raises Unauthorized, and ends a session whose token was used before."""
        now, old = now_ms(self._world), hashed_secret(shown)
        token = self._secret()
        new = hashed_secret(token)
        rotated, _, _, found = await self._tables.batch(
            (sql.ROTATE, (new, old, now)),
            (sql.SUCCESSOR, (now + REFRESH_MS, old, new)),
            (sql.END_REUSED, (now, old, new)),
            (sql.BY_REFRESH, (old,)),
        )
        if not rotated or not found:
            raise Unauthorized(
                "Log in again: this refresh token is not good.", text="Invalid token"
            )
        return await self._reply(User(*found[0][:6]), found[0][6], token)

    async def user(self, token: str) -> User:
        """Whose session a token is of; raises Unauthorized where it has ended."""
        claims = await self._signer.read(token)
        session = str(claims.get("sid", ""))
        rows = await self._tables.rows(sql.BY_SESSION, session, now_ms(self._world))
        if not rows or rows[0][0] != claims["sub"]:
            raise Unauthorized("This session has ended: log in again.", text="Invalid token")
        return User(*rows[0])

    async def end(self, token: str, refresh: str | None) -> None:
        """Ends the session of an access token, and that of a refresh token shown with it; raises Unauthorized."""
        claims = await self._signer.read(token)
        now = now_ms(self._world)
        ended = [(sql.END_SESSION, (now, str(claims.get("sid", ""))))]
        if refresh:
            ended.append((sql.END_REFRESHED, (now, hashed_secret(refresh))))
        await self._tables.batch(*ended)

    async def _reply(self, user: User, session: str, token: str) -> dict[str, Any]:
        claims = {
            "sub": user.id,
            "email": user.email,
            "role": user.role,
            "tier": user.tier,
            "tenant": user.tenant,
            "workspaceId": user.tenant,
            "sid": session,
            "jti": self._world.ids.new("jti_"),
        }
        access = await self._signer.sign(claims)
        return {
            "user": shown_user(user),
            "token": access,
            "refreshToken": token,
            "tokenType": "Bearer",
            "expiresIn": ACCESS_SECONDS,
        }

    def _secret(self) -> str:
        return base64url.encode(self._world.ids.secret(SECRET_BYTES))


def shown_user(user: User) -> dict[str, Any]:
    """A user as replies show it."""
    return user._asdict()
