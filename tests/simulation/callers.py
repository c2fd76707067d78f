"""What callers ask and how they behave: they read on, dawdle, leave in the middle, and ask again under the same key."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from penstock.entry.closing import closed
from penstock.wire.http import Request, Response
from tests.simulation.settings import CALLERS, SETTINGS, token

if TYPE_CHECKING:
    from tests.simulation.replica import Replica

DONE = b"data: [DONE]\n\n"
CHAT, EMBED = "/v1/chat/completions", "/v1/embeddings"


@dataclass(frozen=True)
class Told:
    """What one caller was told, by whom: its bytes, and whether they are all there are."""

    by: Replica
    path: str
    status: int
    id: str
    data: bytes
    whole: bool
    cache: str
    cost: str
    replayed: bool

    @property
    def good(self) -> bool:
        """Whether it is an answer, and all of it."""
        return self.whole and (not self.data.startswith(b"data:") or self.data.endswith(DONE))


@dataclass(eq=False)
class Ask:
    """One thing asked, maybe several times under one key. `leaves` after so many parts, `dawdles` so long between two."""

    number: int
    owner: str
    headers: tuple[tuple[str, str], ...]
    path: str
    body: bytes
    stream: bool
    key: str = ""
    leaves: int = -1
    dawdles: float = 0.0
    requests: list[Request] = field(default_factory=list)
    told: list[Told] = field(default_factory=list)

    def __repr__(self) -> str:
        return f"ask {self.number}{f' under {self.key}' if self.key else ''}"


def drawn(rng: random.Random, number: int, api_key: str, *, crowd: bool) -> Ask:
    """Another ask of somebody; in a crowd many ask the same."""
    same = crowd and rng.random() < 0.7
    who = 0 if same else rng.randrange(len(CALLERS) + 1)
    if who < len(CALLERS):
        sub, tenant = CALLERS[who]
        credential, owner = token(sub, tenant), f"{tenant}/{sub}"
    else:
        credential, owner = api_key, "acme/bot"
    headers = [("authorization", f"Bearer {credential}")]
    if not same and rng.random() < 0.3:
        headers.append(("cache-control", "no-store"))
    key = f"key-{number}" if rng.random() < 0.35 else ""
    if key:
        headers.append(("idempotency-key", key))
    embeds = not same and rng.random() < 0.2
    body = _texts(rng, number) if embeds else _chat(rng, number, same=same)
    ask = Ask(
        number, owner, tuple(headers), EMBED if embeds else CHAT, json.dumps(body).encode(),
        bool(body.get("stream")), key,
    )  # fmt: skip
    if ask.stream and rng.random() < 0.4:
        ask.leaves = rng.randint(0, 6)
    if ask.stream and rng.random() < 0.2:
        ask.dawdles = rng.choice((1.0, 15.0, 60.0))
    return ask


def _texts(rng: random.Random, number: int) -> dict[str, object]:
    texts = [f"text {rng.randrange(6)}" for _ in range(rng.randint(1, 3))]
    return {"model": "embed", "input": [*texts, f"text of {number}"][rng.randrange(2) :]}


def _chat(rng: random.Random, number: int, *, same: bool) -> dict[str, object]:
    if same or rng.random() < 0.4:
        # Some ask the same, so that they share an answer.
        text, model, most = f"question {rng.randrange(2)}", "auto", 0
    else:
        text = rng.choice((f"question of {number}", "long " * 20))
        model = rng.choice(("auto", *[f"{name}/m" for name in SETTINGS]))
        most = rng.choice((0, 5, 50, 150))
    body: dict[str, object] = {"model": model, "messages": [{"role": "user", "content": text}]}
    if same or rng.random() < 0.6:
        body["stream"] = True
    if most:
        body["max_tokens"] = most
    return body


async def served(replica: Replica, ask: Ask) -> None:
    """One request as an entry serves it: a client that leaves is a cancellation, what is opened is closed."""
    request = Request("POST", ask.path.encode(), ask.path, "", ask.headers, "192.0.2.1", ask.body)
    ask.requests.append(request)
    response = Response(499)
    parts: list[bytes] = []
    whole = False
    try:
        response = await replica.gateway(request)
        whole = await _read(replica, ask, response, parts)
    finally:
        if response.status != 499:
            ask.told.append(_told(replica, ask, response, b"".join(parts), whole))
            replica.world.told(ask, ask.told[-1])
        await closed(response)


async def _read(replica: Replica, ask: Ask, response: Response, parts: list[bytes]) -> bool:
    if isinstance(response.body, bytes):
        parts.append(response.body)
        return True
    while len(parts) != ask.leaves:
        try:
            parts.append(await anext(response.body))
        except StopAsyncIteration:
            return True
        if ask.dawdles:
            await replica.world.clock.sleep(ask.dawdles)
    return False


def _told(replica: Replica, ask: Ask, response: Response, data: bytes, whole: bool) -> Told:
    def header(name: str) -> str:
        return response.header(name) or ""

    return Told(
        replica, ask.path, response.status, header("x-request-id"), data, whole, header("x-penstock-cache"),
        header("x-penstock-cost-nanos"), bool(header("x-penstock-replayed")),
    )  # fmt: skip
