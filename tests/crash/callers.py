"""The callers: some at once, each with the next ask when the one before has ended, however it ended."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import httpx

from penstock.auth.mint import mint
from tests.crash.asks import Ask

SECRET = "crash-tests-secret-of-more-than-32-bytes"
DAY_SECONDS = 86_400.0
AT_ONCE = 8
MOST_ASKS = 600
TIMEOUT_SECONDS = 20.0


@dataclass(frozen=True)
class Told:
    """What a caller saw of a reply: `whole` where it came to its end."""

    ask: Ask
    whole: bool
    status: int = 0
    headers: httpx.Headers = field(default_factory=httpx.Headers)
    body: bytes = b""
    broke: str = ""
    """How the connection ended, where it did before the reply."""

    @property
    def request_id(self) -> str:
        return str(self.headers.get("x-request-id", ""))

    @property
    def replayed(self) -> str:
        return str(self.headers.get("x-penstock-replayed", ""))


class Callers:
    """All that was told to them, in the order in which it ended."""

    def __init__(self, url: str) -> None:
        self._url = url
        self.told: list[Told] = []

    async def crowd(self, asks: Iterator[Ask], gone: asyncio.Event) -> None:
        """Asks until the gateway is gone, or the bound is reached."""
        left = iter(range(MOST_ASKS))

        async def one(client: httpx.AsyncClient) -> None:
            while not gone.is_set() and next(left, None) is not None:
                self.told.append(await tell(client, next(asks)))

        async with self._client() as client:
            await asyncio.gather(*[one(client) for _ in range(AT_ONCE)])

    async def each(self, asks: Iterable[Ask]) -> list[Told]:
        """Asks all of these at once."""
        async with self._client() as client:
            return await asyncio.gather(*[tell(client, ask) for ask in asks])

    def _client(self) -> httpx.AsyncClient:
        # Loading whom TLS believes takes longer than the requests.
        return httpx.AsyncClient(base_url=self._url, timeout=TIMEOUT_SECONDS, verify=False)


async def tell(client: httpx.AsyncClient, ask: Ask) -> Told:
    """One reply, or as much of it as there was before the caller left or the gateway was gone."""
    token = mint({"sub": ask.sub, "tier": "crowd"}, SECRET, now=time.time(), lifetime=DAY_SECONDS)
    headers = {"authorization": f"Bearer {token}"}
    if ask.key:
        headers["idempotency-key"] = ask.key
    status, heads, pieces = 0, httpx.Headers(), list[bytes]()
    try:
        async with client.stream("POST", ask.path, json=ask.body, headers=headers) as reply:
            status, heads = reply.status_code, reply.headers
            async for piece in reply.aiter_raw():
                pieces.append(piece)
                if ask.leave_after and len(pieces) >= ask.leave_after:
                    return Told(ask, False, status, heads, b"".join(pieces))
    except httpx.TransportError as error:
        return Told(ask, False, status, heads, b"".join(pieces), type(error).__name__)
    return Told(ask, True, status, heads, b"".join(pieces))
