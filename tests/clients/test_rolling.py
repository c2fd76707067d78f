"""Two hosts behind a balancer that asks whether they are ready, restarted in turn under load: no call fails, none is lost."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from load.fake_provider import FakeProvider
from tests.clients.conftest import CONFIG, environment
from tests.clients.process import token, until
from tests.clients.shared import Shared, Stores
from tests.stores import PostgresServer, RedisServer, free_port

CALLERS = 12
RESTARTS = int(os.environ.get("PENSTOCK_RESTARTS", "2"))
ASKED_SECONDS = 0.05
"""How often the balancer asks: several times within a host's notice."""
MORE = """
[tiers.load]
requests_per_hour = 10000000
scale = 1000000
[[budgets]]
per = "tenant"
period = "month"
money = "1000"
[server]
notice_seconds = 0.5
"""


class Balancer:
    """Sends to the hosts that were ready when last asked, in turn."""

    def __init__(self, hosts: list[Shared]) -> None:
        self._hosts = hosts
        self._known = [asyncio.Event() for _ in hosts]
        self._turn = 0

    def pick(self) -> str:
        for _ in self._hosts:
            self._turn = (self._turn + 1) % len(self._hosts)
            if self._known[self._turn].is_set():
                break
        return self._hosts[self._turn].url

    async def ready(self, number: int) -> None:
        """Returns once a host is known to be ready."""
        await self._known[number].wait()

    async def look(self) -> None:
        async with httpx.AsyncClient(timeout=10) as client:
            while True:
                for number, host in enumerate(self._hosts):
                    up = host.process is not None and await _is_ready(client, host)
                    (self._known[number].set if up else self._known[number].clear)()
                await asyncio.sleep(ASKED_SECONDS)  # a balancer asks now and then


async def _is_ready(client: httpx.AsyncClient, host: Shared) -> bool:
    with suppress(httpx.TransportError):
        return (await client.get(f"{host.url}/readyz")).status_code == 200
    return False


class Callers:
    """Callers without pause; `told` are the whole answers' ids, `failed` everything else."""

    def __init__(self, balancer: Balancer) -> None:
        self.told: list[str] = []
        self.failed: Counter[str] = Counter()
        self.going = True
        self._balancer = balancer

    async def one(self, caller: int) -> None:
        sent = {"authorization": f"Bearer {token(f'rolling-{caller}', tier='load')}"}
        async with httpx.AsyncClient(headers=sent, timeout=30) as client:
            number = 0
            while self.going:
                number += 1
                await self._ask(client, f"[[words:9]] {caller} asks {number}", number % 2 == 0)

    async def _ask(self, client: httpx.AsyncClient, text: str, stream: bool) -> None:
        body: dict[str, Any] = {
            "model": "gpt-4o-mini",
            "messages": [{"role": "user", "content": text}],
            "stream": stream,
        }
        try:
            reply = await client.post(f"{self._balancer.pick()}/v1/chat/completions", json=body)
        except httpx.TransportError as error:
            self.failed[type(error).__name__] += 1
            return
        whole = b"[DONE]" in reply.content if stream else True
        if reply.status_code == 200 and whole:
            self.told.append(reply.headers["x-request-id"])
        else:
            self.failed[f"{reply.status_code} {reply.content[:200]!r}"] += 1


async def roll(hosts: list[Shared], number: int) -> Callers:
    """So many restarts, each of the host that was not the last, while callers call."""
    balancer = Balancer(hosts)
    looking = asyncio.create_task(balancer.look())
    await asyncio.gather(balancer.ready(0), balancer.ready(1))
    callers = Callers(balancer)
    tasks = [asyncio.create_task(callers.one(caller)) for caller in range(CALLERS)]
    for turn in range(number + 1):
        before = len(callers.told)
        await asyncio.to_thread(until, lambda least=before + 40: len(callers.told) >= least, 60)
        if turn < number:
            host = hosts[turn % 2]
            assert await asyncio.to_thread(host.stop) == ""
            await asyncio.to_thread(host.start)
            await balancer.ready(turn % 2)
    callers.going = False
    await asyncio.gather(*tasks)
    looking.cancel()
    await asyncio.gather(looking, return_exceptions=True)
    return callers


def compare(stores: Stores, fake: FakeProvider, callers: Callers) -> None:
    rows = stores.rows("select request_id, ended, amount_nanos from ledger where stage = 'final'")
    final = {name: (ended, int(nanos)) for name, ended, nanos in rows}
    assert len(final) == len(rows)
    assert set(callers.told) <= final.keys()
    meter = fake.meter(finished=len(callers.told))
    for row in meter["rows"]:
        assert final[row["x_request_id"].rpartition(".")[0]] == ("settled", row["charged_nanos"])
    [[reserved, spent]] = stores.rows("select sum(reserved), sum(spent) from budgets")
    assert (int(reserved), int(spent)) == (0, meter["charged_nanos"])
    held = "select count(*) from ledger r where stage = 'reserve' and not exists"
    [[open_holds]] = stores.rows(
        f"{held} (select 1 from ledger f where f.request_id = r.request_id and f.stage = 'final')"
    )
    assert open_holds == "0"


@pytest.fixture
def hosts(
    redis_server: RedisServer,
    postgres_server: PostgresServer,
    provider: FakeProvider,
    fresh_home: Callable[[str], Path],
) -> list[Shared]:
    stores = Stores(redis_server, postgres_server)
    config = stores.config() + CONFIG + MORE
    made = [Shared(fresh_home("host"), stores, config, environment(provider)) for _ in "ab"]
    made[0].run("migrate", "up")
    for host in made:
        host.port = free_port()
    return made


async def test_rolling_restarts_under_load_lose_nothing(
    hosts: list[Shared], fake: FakeProvider
) -> None:
    await rolled(hosts, fake, RESTARTS)


@pytest.mark.soak
async def test_twenty_rolling_restarts_under_load_lose_nothing(
    hosts: list[Shared], fake: FakeProvider
) -> None:
    await rolled(hosts, fake, 20)


async def rolled(hosts: list[Shared], fake: FakeProvider, number: int) -> None:
    with hosts[0], hosts[1]:
        callers = await roll(hosts, number)
    assert callers.failed == Counter()
    compare(hosts[0].stores, fake, callers)
