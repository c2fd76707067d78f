"""Services on worlds that a test controls: their time, their mail, whom they call."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from argon2 import PasswordHasher

from penstock.config import Issuer
from penstock.platforms import memory
from penstock.platforms.memory import MemoryPlatform
from penstock.platforms.memory.tables import MemoryTables
from penstock.platforms.memory.world import Background, FakeClock, Handler
from penstock.ports import Fetch, Platform, Tables
from penstock.wire.http import Request, collect
from penstock.wire.target import path_of
from penstock_services import home, settings, storage
from penstock_services.auth.passwords import Passwords

SECRET = "services-tests-secret-of-more-than-32-bytes"
SHARED = Issuer(mode="hs256", issuer="penstock-dev", audience="penstock-dev", secret=SECRET)
LIGHT = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
"""Real argon2id, as cheap as it gets."""
PASSWORD = "correct horse battery"


@dataclass
class Reply:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


async def ask(
    fetch: Fetch,
    route: str,
    body: Any = None,
    headers: Mapping[str, str] | None = None,
    token: str = "",
) -> Reply:
    """One request through the service, and its reply read whole and closed."""
    method, _, target = route.partition(" ")
    path, query = path_of(target.encode())
    sent = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    pairs = [*(headers or {}).items(), *([("authorization", f"Bearer {token}")] if token else [])]
    response = await fetch(Request(method, target.encode(), path, query, pairs, "test", sent))
    try:
        whole = (
            response.body
            if isinstance(response.body, bytes)
            else await collect(response.body, 1 << 20)
        )
    finally:
        await response.aclose()
    return Reply(response.status, dict(response.headers), whole)


def never(request_id: str, error: BaseException) -> None:
    """A report that no test expects."""
    raise error


def world(
    name: str, handler: Handler | None = None, tables: Tables | None = None
) -> MemoryPlatform:
    """A memory platform with that service's tables."""
    made = memory.platform(handler)
    kept: Any = tables or MemoryTables(storage.migrations(name))
    return replace(made, tables=kept)


class Auth:
    """The auth service with its mail in a folder; alone it signs with keys of its own."""

    def __init__(
        self, folder: Path, *, alone: bool = False, tables: Tables | None = None, **env: str
    ) -> None:
        self.world = world("auth", tables=tables)
        self.settings = settings.read(env, folder, None if alone else SHARED)
        self.passwords = Passwords(LIGHT)
        self.outbox = folder / "outbox"
        self.seen: list[Path] = []
        self.app = home.auth(self.world, self.settings, never, self.passwords, folder)

    @property
    def clock(self) -> FakeClock:
        return self.world.clock

    async def ask(self, route: str, body: Any = None, **more: Any) -> Reply:
        return await ask(self.app, route, body, **more)

    async def letters(self) -> list[str]:
        """All that was written to anybody; what is new since the last look stands at the end."""
        await settled(self.world)
        self.seen += sorted({*self.outbox.glob("*.eml")} - {*self.seen})
        return [file.read_text() for file in self.seen]

    async def register(self, email: str = "ada@example.com", password: str = PASSWORD) -> Reply:
        body = {"email": email, "password": password, "username": "ada"}
        return await self.ask("POST /api/auth/register", body)

    async def login(self, email: str = "ada@example.com", password: str = PASSWORD) -> Reply:
        return await self.ask("POST /api/auth/login", {"email": email, "password": password})

    async def verified(self, email: str = "ada@example.com", password: str = PASSWORD) -> Any:
        """A user who has registered, verified the address and logged in: the login's reply."""
        assert (await self.register(email, password)).status == 201
        token = secret((await self.letters())[-1])
        assert (await self.ask("POST /api/auth/verify-email", {"token": token})).status == 200
        entered = await self.login(email, password)
        assert entered.status == 200, entered.body
        return entered.json

    async def refresh(self, token: str) -> Reply:
        return await self.ask("POST /api/auth/refresh", headers={"x-refresh-token": token})


async def settled(platform: Platform) -> None:
    """Background work has ended."""
    spawn = platform.spawn
    assert isinstance(spawn, Background)
    await spawn.join()


def secret(letter: str) -> str:
    """The token in a letter."""
    found: str
    [found] = re.findall(r"^([A-Za-z0-9_-]{43})$", letter, re.MULTILINE)
    return found
