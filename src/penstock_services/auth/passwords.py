"""Passwords by argon2id, on threads of their own and a bounded number at once: each takes 64 MB and a core."""

from __future__ import annotations

import asyncio
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from penstock.errors import BadRequest, Overloaded

T = TypeVar("T")

THREADS = 2
MOST_WAITING = 64
SHORTEST, LONGEST = 8, 256
"""Characters."""


class Passwords:
    """Hashes and checks; raises Overloaded where too many wait."""

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or PasswordHasher()
        self._threads = ThreadPoolExecutor(THREADS, "penstock-argon2")
        self._waiting = 0
        self._nobodys = ""

    async def hash(self, password: str) -> str:
        return await self._run(lambda: self._hasher.hash(_normal(password)))

    async def check(self, hashed: str | None, password: str, nobody: str) -> bool:
        """Whether it is the password; where there is no hash it takes as long, against one of `nobody`."""
        if not self._nobodys:
            self._nobodys = await self.hash(nobody)
        same = await self._run(lambda: self._verify(hashed or self._nobodys, _normal(password)))
        return same and hashed is not None

    async def renewed(self, hashed: str, password: str) -> str:
        """The hash to keep: a new one where the parameters have changed since."""
        if self._hasher.check_needs_rehash(hashed):
            return await self.hash(password)
        return hashed

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _verify(self, hashed: str, password: bytes) -> bool:
        try:
            return self._hasher.verify(hashed, password)
        except (VerificationError, InvalidHashError):
            return False

    async def _run(self, work: Callable[[], T]) -> T:
        if self._waiting >= MOST_WAITING:
            raise Overloaded("Too many passwords wait to be checked.")
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        finally:
            self._waiting -= 1


def acceptable(password: str) -> str:
    """A password that may be set; raises BadRequest."""
    if not SHORTEST <= len(password) <= LONGEST:
        raise BadRequest(
            f"A password has {SHORTEST} to {LONGEST} characters.", code="weak_password"
        )
    return password


def _normal(password: str) -> bytes:
    """One spelling for what looks the same on every keyboard."""
    return unicodedata.normalize("NFKC", password).encode("utf-8", "surrogatepass")
