"""Opens a service with all its parts: alone, or all of them beside a gateway in its own process."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace

from penstock.errors import Missing
from penstock.platforms.crypto import Signatures
from penstock.platforms.embedded import folder
from penstock.platforms.http import Http
from penstock.platforms.memory.blobs import MemoryBlobs
from penstock.platforms.memory.meter import MemoryMeter
from penstock.platforms.memory.store import MemoryStore
from penstock.platforms.world import RandomIds, RealClock, Spawner
from penstock.ports import Fetch, Platform, Tables
from penstock_services import storage
from penstock_services.settings import PORTS, Settings
from penstock_services.transport import Inside
from penstock_services.web import Report

if TYPE_CHECKING:
    from penstock_services.auth.passwords import Passwords

NAMES = tuple(PORTS)
FOLDER = "services"
NEEDS = {"auth": "argon2", "billing": "stripe"}
DRAIN_SECONDS = 10.0
STORE_BYTES = 1 << 20

Make = Callable[[Platform, Settings, Report, AsyncExitStack], Fetch]


@asynccontextmanager
async def opened(
    name: str, settings: Settings, report: Report, fetch: Fetch | None = None
) -> AsyncGenerator[Fetch]:
    """One service, with its own tables; `fetch` reaches what it calls. Raises Misconfigured or Missing."""
    if (needed := NEEDS.get(name)) and find_spec(needed) is None:
        raise Missing(f"The service {name} needs {needed}: pip install 'penstock[services]'")
    async with AsyncExitStack() as stack:
        if fetch is None:
            http = Http()
            stack.push_async_callback(http.close)
            fetch = http
        place = settings.data / FOLDER
        tables = await stack.enter_async_context(
            storage.opened(name, place, settings.databases[name])
        )
        spawn = Spawner()
        stack.push_async_callback(spawn.drain, DRAIN_SECONDS)
        world = real_world(tables, fetch, spawn, _secret(settings, place))
        yield MAKERS[name](world, settings, report, stack)


@asynccontextmanager
async def inside(
    names: Sequence[str], settings: Settings, report: Report, outer: Fetch
) -> AsyncGenerator[Fetch]:
    """These services in this process, as one `Fetch`: `internal://auth/…` is a call of auth, all else goes to `outer`."""
    apps: dict[str, Fetch] = {}
    fetch = Inside(apps, outer)
    if "auth" in names:
        settings = replace(settings, auth_url="internal://auth")
    async with AsyncExitStack() as stack:
        for name in names:
            apps[name] = await stack.enter_async_context(opened(name, settings, report, fetch))
        yield fetch


def real_world(tables: Tables, fetch: Fetch, spawn: Spawner, secret: bytes) -> Platform:
    """A process's platform, with tables of its own; what these services do not use is in memory."""
    clock = RealClock()
    return Platform(
        name="service",
        fetch=fetch,
        store=MemoryStore(clock, STORE_BYTES),
        blobs=MemoryBlobs(clock),
        meter=MemoryMeter(clock),
        tables=tables,
        clock=clock,
        ids=RandomIds(),
        spawn=spawn,
        crypto=Signatures(),
        secret=secret,
    )


def auth(
    world: Platform, settings: Settings, report: Report, passwords: Passwords, place: Path
) -> Fetch:
    """The auth service of these parts."""
    from penstock_services.auth.accounts import Accounts
    from penstock_services.auth.app import app
    from penstock_services.auth.mail import Post
    from penstock_services.auth.sessions import Sessions
    from penstock_services.auth.signing import Keys, Shared

    shared = settings.issuer.mode == "hs256"
    signer = Shared(settings.issuer, world) if shared else Keys(settings.issuer, world)
    post = Post(settings.mail_from, settings.smtp_url, place / "outbox")
    accounts = Accounts(world, passwords, post, settings.app_url)
    return app(world, accounts, Sessions(world, signer), signer, report)


def _auth(world: Platform, settings: Settings, report: Report, stack: AsyncExitStack) -> Fetch:
    from penstock_services.auth.passwords import Passwords

    passwords = Passwords()
    stack.callback(passwords.close)
    return auth(world, settings, report, passwords, settings.data / FOLDER)


def _chat(world: Platform, settings: Settings, report: Report, stack: AsyncExitStack) -> Fetch:
    from penstock_services.chat.app import made

    return made(world, settings, report)


def _billing(world: Platform, settings: Settings, report: Report, stack: AsyncExitStack) -> Fetch:
    from penstock_services.billing.app import made

    return made(world, settings, report)


MAKERS: dict[str, Make] = {"auth": _auth, "chat": _chat, "billing": _billing}


def _secret(settings: Settings, place: Path) -> bytes:
    if settings.secret:
        return settings.secret.encode()
    return folder.secret(folder.prepare(place))
