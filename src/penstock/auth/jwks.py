"""An issuer's published keys: fetched when needed, kept while they cannot be fetched."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from ipaddress import ip_address
from urllib.parse import urlsplit

from penstock.auth import jwk, jws, refusals
from penstock.auth.jwk import Key
from penstock.errors import Error, Misconfigured
from penstock.ports import Clock, Fetch, Platform, Spawn
from penstock.wire.http import Request, Response, Timeouts, collect

PAUSE_SECONDS = 10
"""Between two fetches, however many unknown keys are asked for."""
FRESH_SECONDS = 3_600
KEPT_SECONDS = 86_400
LARGEST_BYTES = 256 << 10
MOST_KEYS = 100
_TIMEOUTS = Timeouts(connect=3.0, first_byte=5.0, idle=3.0, total=8.0)
_POLL_SECONDS = 0.05


class KeySet:
    """The keys of one issuer, by key id.

    A key id that is not known, or a set of an hour, has it fetched again, at most once in ten
    seconds; a fetch that fails leaves the keys as they are, for a day.
    """

    def __init__(self, url: str, algorithms: Sequence[str], platform: Platform) -> None:
        self._url = _checked(url)
        self._algorithms = tuple(algorithms)
        self._fetch: Fetch = platform.fetch
        self._clock: Clock = platform.clock
        self._spawn: Spawn = platform.spawn
        self._shared_loop = platform.shared_loop
        self._keys: tuple[Key, ...] = ()
        self._fetched_at = 0.0
        self._asked_at: float | None = None
        self._flight: _Flight | None = None

    async def find(self, kid: str | None, alg: str) -> Key | None:
        """The one key with this id, or the only one that fits where there is no id.

        Raises Unavailable where no key is known at all.
        """
        if self._age() > KEPT_SECONDS:
            await self._renewed()
            if self._age() > KEPT_SECONDS:
                raise refusals.keys_unreachable(PAUSE_SECONDS)
        elif self._age() > FRESH_SECONDS:
            self._renew()
        key = self._pick(kid, alg)
        if key is None and kid is not None:
            await self._renewed()
            key = self._pick(kid, alg)
        return key

    def _age(self) -> float:
        return self._clock.tick() - self._fetched_at if self._keys else float("inf")

    def _pick(self, kid: str | None, alg: str) -> Key | None:
        found = [key for key in self._keys if key.alg == alg and kid in (None, key.kid)]
        return found[0] if len(found) == 1 else None

    async def _renewed(self) -> None:
        self._renew()
        flight = self._flight
        if flight is None:
            return
        if self._shared_loop:
            await flight.landed.wait()
        else:
            # There, a request may not be woken by another one, only by a timer of its own.
            while self._flight is flight and self._clock.tick() - flight.began < PAUSE_SECONDS:
                await self._clock.sleep(_POLL_SECONDS)

    def _renew(self) -> None:
        now = self._clock.tick()
        if self._asked_at is not None and now - self._asked_at < PAUSE_SECONDS:
            return
        self._asked_at = now
        self._flight = _Flight(now)
        # Not a part of the request that happened to ask: it may leave, the others wait on.
        self._spawn(self._fly(self._flight))

    async def _fly(self, flight: _Flight) -> None:
        try:
            async with self._clock.timeout(_TIMEOUTS.total):
                keys = await self._load()
            if keys:
                self._keys = keys
                self._fetched_at = self._clock.tick()
        except (Error, TimeoutError):
            return  # the keys stay as they are
        finally:
            flight.landed.set()
            if self._flight is flight:
                self._flight = None

    async def _load(self) -> tuple[Key, ...]:
        request = Request(
            "GET",
            self._url.encode(),
            headers=(("accept", "application/jwk-set+json, application/json"),),
            timeouts=_TIMEOUTS,
            max_reply=LARGEST_BYTES,
        )
        response = await self._fetch(request)
        try:
            return self._read(await _body(response)) if response.status == 200 else ()
        finally:
            await response.aclose()

    def _read(self, body: bytes) -> tuple[Key, ...]:
        found = (jws.read_object(body) or {}).get("keys")
        listed = found[:MOST_KEYS] if isinstance(found, list) else []
        fitting = (
            jwk.fit(entry, alg)
            for entry in listed
            if isinstance(entry, dict)
            for alg in self._algorithms
        )
        return tuple(key for key in fitting if key is not None)


class _Flight:
    """One fetch, and those who wait for it."""

    __slots__ = ("began", "landed")

    def __init__(self, began: float) -> None:
        self.began = began
        self.landed = asyncio.Event()


async def _body(response: Response) -> bytes:
    if isinstance(response.body, bytes):
        return response.body if len(response.body) <= LARGEST_BYTES else b""
    return await collect(response.body, LARGEST_BYTES)


def _checked(url: str) -> str:
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        host, parts = "", urlsplit("")
    if host and (parts.scheme == "https" or (parts.scheme == "http" and _is_here(host))):
        return url
    raise Misconfigured(
        f"auth.issuers: `jwks_url` is {url!r};"
        " keys are fetched by https (plain http on this machine only)."
    )


def _is_here(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
