"""A gateway whose route has a shadow, with a judge; and what came of it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

from penstock.ledger import labels
from penstock.ledger.labels import Label
from penstock.wire.http import Request, Response
from tests.path.world import CONFIG, World, pieces, streamed, whole

SHADOW = 'shadow = { share = 1.0, money = "1.00", judge = "judge/gpt-4o-mini" }'
JUDGE = """
[providers.judge]
kind = "openai"
base_url = "http://judge.test/v1"
api_key = "sk-judge"
[[targets]]
provider = "judge"
model = "gpt-4o-mini"
"""
EASY, HARD = "say hello", "explain monads"
Upstream = Callable[[Request], Any]


def asked_of(request: Request) -> str:
    return request.target.split(b"/")[2].split(b".")[0].decode()


def sent(request: Request) -> Any:
    assert isinstance(request.body, bytes)
    return json.loads(request.body)


def verdict(request: Request) -> Response:
    """Prefers the dear one's answer, and of both the first a little."""
    text = sent(request)["messages"][1]["content"]
    dear_first = text.index("from dear") < text.index("from cheap")
    found = {"a": 0.9, "b": 0.3} if dear_first else {"a": 0.5, "b": 0.7}
    return whole(json.dumps(found))


def upstream(request: Request) -> Response:
    who = asked_of(request)
    if who == "judge":
        return verdict(request)
    text = f"from {who}"
    return streamed(pieces(text)) if sent(request).get("stream") else whole(text)


def made(answer: Upstream = upstream, shadow: str = SHADOW, more: str = "") -> World:
    config = CONFIG.replace('strong = "dear/gpt-4o"', f'strong = "dear/gpt-4o"\n{shadow}')
    return World(answer, env={}, more=config + JUDGE + more)


async def settled(world: World) -> list[Label]:
    """The labels, once all that runs behind has ended."""
    for _ in range(100_000):
        if not world.gateway.lasting.behind.running:
            break
        await asyncio.sleep(0)
    assert world.reports == []
    return await labels.page(world.platform.tables, (0, ""), 2**52)


def outcomes(world: World) -> dict[str, int]:
    return {what: count for (_, what), count in world.gateway.lasting.behind.outcomes.items()}


def hosts(world: World) -> list[str]:
    return [asked_of(request) for request in world.platform.fetch.requests]
