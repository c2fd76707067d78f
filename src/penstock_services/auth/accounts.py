"""Accounts: registered, verified by mail, logged into. Nothing here tells an outsider whether an address has one."""

from __future__ import annotations

import re
from collections.abc import Sequence
from hashlib import sha256
from typing import Any, NamedTuple

from penstock.auth import base64url
from penstock.errors import BadRequest, Unauthorized
from penstock.ports import Platform, Statement, Value
from penstock_services.auth import sql
from penstock_services.auth.mail import Letter, Post
from penstock_services.auth.passwords import Passwords, acceptable
from penstock_services.web import now_ms

EMAIL = re.compile(
    r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9.-]{1,180}\.[A-Za-z0-9-]{2,63}"
)
LONGEST_NAME = 64
SECRET_BYTES = 32
MINUTE_MS = 60_000
DAY_MS = 24 * 60 * MINUTE_MS
VERIFY_MS = DAY_MS
RESET_MS = 60 * MINUTE_MS
MOST_ATTEMPTS = 5
LOCKED_MS = 15 * MINUTE_MS
"""So long after the first of the failures in a row nothing is let in, the right password neither."""


class User(NamedTuple):
    """An account as tokens and replies show it."""

    id: str
    tenant: str
    email: str
    username: str
    role: str
    tier: str


class Accounts:
    """What is done with accounts; `app_url` is where the links in letters lead."""

    def __init__(self, world: Platform, passwords: Passwords, post: Post, app_url: str) -> None:
        self._world = world
        self._tables = world.tables
        self._passwords = passwords
        self._post = post
        self._app_url = app_url.rstrip("/")

    async def register(self, email: str, password: str, username: str) -> dict[str, Any]:
        """What the caller is told: the same for a new address, one that waits for its letter, and somebody's."""
        lower = _lower(email)
        if not 0 < len(username) <= LONGEST_NAME or not username.isprintable():
            raise BadRequest(f"A username has 1 to {LONGEST_NAME} printable characters.")
        hashed = await self._passwords.hash(acceptable(password))
        id, token = self._world.ids.new("usr_"), self._secret()
        now = now_ms(self._world)
        user: tuple[Value, ...] = (
            id, "default", email.strip(), lower, username, hashed, "user", "free", now,
        )  # fmt: skip
        until = (hashed_secret(token), now + VERIFY_MS, lower)
        await self._write(
            token,
            (sql.NEW_USER, user),
            (sql.VERIFY_LETTER, until),
            (sql.NOTICE_LETTER, until),
        )
        return {"id": id, "email": email.strip(), "username": username}

    async def resend(self, email: str) -> None:
        """One more letter to verify an address that waits for it."""
        lower, token = _lower(email), self._secret()
        until = now_ms(self._world) + VERIFY_MS
        await self._write(token, (sql.VERIFY_LETTER, (hashed_secret(token), until, lower)))

    async def forgot(self, email: str) -> None:
        """A letter to reset a password by."""
        lower, token = _lower(email), self._secret()
        until = now_ms(self._world) + RESET_MS
        await self._write(token, (sql.RESET_LETTER, (hashed_secret(token), until, lower)))

    async def verify(self, token: str) -> None:
        """The address is its owner's; raises BadRequest for a token that is none, or no longer."""
        now = now_ms(self._world)
        spent = hashed_secret(token)
        rows, _ = await self._tables.batch(
            (sql.VERIFY, (now, spent)), (sql.SPEND_LETTERS, (spent,))
        )
        if not rows:
            raise _bad_letter()

    async def reset(self, token: str, password: str) -> None:
        """Sets the password, lifts a lock and ends all sessions; raises BadRequest."""
        hashed = await self._passwords.hash(acceptable(password))
        now, spent = now_ms(self._world), hashed_secret(token)
        rows, _, _ = await self._tables.batch(
            (sql.RESET, (hashed, now, spent)),
            (sql.END_ALL_SESSIONS, (now, spent)),
            (sql.SPEND_LETTERS, (spent,)),
        )
        if not rows:
            raise _bad_letter()

    async def admitted(self, email: str, password: str) -> tuple[User, str, str]:
        """The user, the hash the password was checked against and the one to keep; raises Unauthorized."""
        now = now_ms(self._world)
        counted = (now, now + LOCKED_MS, email.strip().lower()[:LONGEST_EMAIL])
        [rows] = await self._tables.batch((sql.ATTEMPT, counted))
        hashed, may = (rows[0][6], _may_enter(rows[0])) if rows else (None, False)
        tried = password[:LONGEST_TRIED]
        right = await self._passwords.check(hashed, tried, self._secret())
        if hashed is None or not (right and may and tried == password):
            raise refused()
        return User(*rows[0][:6]), hashed, await self._passwords.renewed(hashed, password)

    async def _write(self, token: str, *statements: Statement) -> None:
        """One batch whoever it is for; a letter goes out afterwards, when the caller has the answer."""
        *_, written = await self._tables.batch(
            (sql.STALE_LETTERS, (now_ms(self._world),)),
            *statements,
            (sql.WRITTEN, (hashed_secret(token),)),
        )
        if written:
            self._world.spawn(self._post.deliver(self._letter(token, *written[0])))

    def _letter(self, token: str, purpose: str, email: str, username: str) -> Letter:
        if purpose == "verify":
            text = f"To finish the registration of '{username}' with this address, use this token:"
            return Letter(email, "Verify your address", self._text(text, "verify-email", token))
        if purpose == "reset":
            text = f"To set a new password for '{username}', use this token within the hour:"
            return Letter(email, "Reset your password", self._text(text, "reset-password", token))
        text = "Somebody registered with this address, which has an account already."
        return Letter(email, "You have an account", f"{text}\nIf it was you: log in.\n")

    def _text(self, why: str, page: str, token: str) -> str:
        link = f"\n{self._app_url}/{page}?token={token}\n" if self._app_url else ""
        return f"{why}\n\n{token}\n{link}\nIf this was not you, do nothing.\n"

    def _secret(self) -> str:
        return base64url.encode(self._world.ids.secret(SECRET_BYTES))


LONGEST_EMAIL = 254
LONGEST_TRIED = 256


def hashed_secret(token: str) -> str:
    """What the tables keep of a token that is 256 random bits."""
    return sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def refused() -> Unauthorized:
    """One answer for all reasons, so that it gives none away."""
    return Unauthorized(
        "The email or the password is wrong, the address is not verified yet, or too many logins"
        " failed: check both, read your mail, or wait a quarter of an hour.",
        code="login_refused",
        text="Login failed",
    )


def _may_enter(row: Sequence[Any]) -> bool:
    verified_at, attempts = row[7], row[8]
    return bool(verified_at) and attempts <= MOST_ATTEMPTS


def _lower(email: str) -> str:
    email = email.strip()
    if len(email) > LONGEST_EMAIL or not EMAIL.fullmatch(email):
        raise BadRequest("This is no email address we can write to.", code="invalid_email")
    return email.lower()


def _bad_letter() -> BadRequest:
    return BadRequest(
        "This token is unknown, used or too old: ask for a new letter.", code="invalid_token"
    )
