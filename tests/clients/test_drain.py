"""Stopping a real process: 500 streams end with an event and a row; restart after restart under load loses nothing."""

from __future__ import annotations

import asyncio
import os
import socket
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from load.fake_provider import FakeProvider
from tests.clients.conftest import CONFIG, environment
from tests.clients.process import Penstock, token, until

STREAMS = 500
WORDS = 8
GRACE = 0.5
CALLERS = 16
LIMITS = "\n[tiers.load]\nrequests_per_hour = 10000000\nscale = 1000000\n"
STOPPED = b"service_unavailable"
RESTARTS = int(os.environ.get("PENSTOCK_RESTARTS", "2"))


@pytest.fixture
def home(provider: FakeProvider, fresh_home: Callable[[str], Path]) -> Penstock:
    config = f"{CONFIG}{LIMITS}\n[server]\ngrace_seconds = {GRACE}\n"
    return Penstock(fresh_home("drained"), config, environment(provider))


def call(text: str, **more: Any) -> dict[str, Any]:
    return {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": text}], **more}


async def streamed(client: httpx.AsyncClient, text: str, begun: asyncio.Semaphore) -> bytes:
    """What a caller gets of a stream, to the end of the connection."""
    found = b""
    async with client.stream("POST", "/v1/chat/completions", json=call(text, stream=True)) as reply:
        async for data in reply.aiter_bytes():
            if not found:
                begun.release()
            found += data
    return found


def open_holds(gateway: Penstock) -> list[str]:
    """The requests that have a reserve and no final row."""
    rows = gateway.rows(
        "select request_id from ledger group by request_id having sum(stage = 'final') <> 1"
    )
    return [name for (name,) in rows]


async def test_every_one_of_500_streams_is_told_and_settled(
    home: Penstock, fake: FakeProvider
) -> None:
    with home as gateway:
        begun = asyncio.Semaphore(0)
        sent = {"authorization": f"Bearer {token('many', tier='load')}"}
        limits = httpx.Limits(max_connections=STREAMS)
        async with httpx.AsyncClient(
            base_url=gateway.url, headers=sent, limits=limits, timeout=60
        ) as client:
            # Some end in the grace, some never do, and some never begin.
            kinds = ["stall_mid=3,60", "latency=200", "stall_first=60", "stall_mid=5,60"]
            texts = [
                f"[[words:{WORDS}]] [[fault:{kinds[number % 4]}]] {number}"
                for number in range(STREAMS)
            ]
            reads = [asyncio.create_task(streamed(client, text, begun)) for text in texts]
            for _ in range(STREAMS // 2):
                await begun.acquire()
            await asyncio.to_thread(fake.meter, calls=STREAMS)
            said = await asyncio.to_thread(gateway.stop)
            answers = await asyncio.gather(*reads)
    assert said == ""
    ends = Counter(
        "told" if STOPPED in answer else "whole" if b"[DONE]" in answer else "cut"
        for answer in answers
    )
    assert ends["cut"] == 0
    assert ends["told"] >= STREAMS // 2
    assert all(STOPPED in answer for answer in answers[::2])
    assert ends["whole"] > 0
    assert open_holds(home) == []
    ended = home.rows("select ended, count(*) from ledger where stage = 'final' group by ended")
    assert sum(count for _, count in ended) == STREAMS
    meter = fake.meter(finished=STREAMS)
    settled = home.rows("select sum(amount_nanos) from ledger where stage = 'final'")
    assert settled[0][0] >= meter["charged_nanos"] > 0
    compare(home, meter)


def compare(gateway: Penstock, meter: dict[str, Any]) -> None:
    """Every charged call has its one final row: equal where it is settled, not below where it is an estimate."""
    rows = gateway.rows(
        "select request_id, ended, amount_nanos from ledger where stage = 'final' and cache = ''"
    )
    final = {name: (ended, amount) for name, ended, amount in rows}
    assert len(final) == len(rows)
    charged: Counter[str] = Counter()
    for row in meter["rows"]:
        charged[row["x_request_id"].rpartition(".")[0]] += row["charged_nanos"]
    for name, nanos in charged.items():
        ended, amount = final[name]
        assert amount == nanos if ended == "settled" else amount >= nanos, (name, ended)
        assert ended != "released" or nanos == 0


def port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


class Callers:
    """Callers without pause, who connect again while the gateway is away; `told` are the whole answers' ids."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.told: list[str] = []
        self.failed: Counter[str] = Counter()
        self.going = True

    async def one(self, caller: int) -> None:
        sent = {"authorization": f"Bearer {token(f'load-{caller}', tier='load')}"}
        async with httpx.AsyncClient(base_url=self.url, headers=sent, timeout=30) as client:
            number = 0
            while self.going:
                number += 1
                try:
                    await self._ask(client, f"caller {caller} asks {number}", number % 2 == 0)
                except httpx.TransportError as error:
                    self.failed[type(error).__name__] += 1
                    await asyncio.sleep(0)

    async def _ask(self, client: httpx.AsyncClient, text: str, stream: bool) -> None:
        reply = await client.post("/v1/chat/completions", json=call(text, stream=stream))
        if reply.status_code == 200 and STOPPED not in reply.content:
            self.told.append(reply.headers["x-request-id"])
        else:
            self.failed[str(reply.status_code)] += 1


async def restarts(gateway: Penstock, fake: FakeProvider, number: int) -> Callers:
    """So many restarts under load, and the books compared after it."""
    callers = Callers(gateway.url)
    tasks = [asyncio.create_task(callers.one(caller)) for caller in range(CALLERS)]
    for _ in range(number):
        before = len(callers.told)
        await asyncio.to_thread(until, lambda least=before + 50: len(callers.told) >= least, 60)
        assert await asyncio.to_thread(gateway.stop) == ""
        await asyncio.to_thread(gateway.start)
    before = len(callers.told)
    await asyncio.to_thread(until, lambda: len(callers.told) >= before + 50, 60)
    callers.going = False
    await asyncio.gather(*tasks)
    assert await asyncio.to_thread(gateway.stop) == ""
    assert open_holds(gateway) == []
    settled = {name for (name,) in gateway.rows("select request_id from ledger where ended <> ''")}
    assert settled >= set(callers.told)
    meter = fake.meter()
    assert meter["calls"] == len(meter["rows"])
    compare(gateway, meter)
    return callers


def restarted(home: Penstock) -> Penstock:
    """One that comes back on the same port."""
    home.port = port()
    home.start()
    return home


async def test_restarts_under_load_lose_nothing(home: Penstock, fake: FakeProvider) -> None:
    callers = await restarts(restarted(home), fake, RESTARTS)
    assert callers.told


@pytest.mark.soak
async def test_twenty_restarts_under_load_lose_nothing(home: Penstock, fake: FakeProvider) -> None:
    callers = await restarts(restarted(home), fake, 20)
    assert callers.told
