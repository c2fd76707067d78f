"""Four processes of two hosts on one Redis and one PostgreSQL: they limit, pay, forget and remember as one."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from openai import OpenAI

from load.fake_provider import FakeProvider
from tests.clients.conftest import CONFIG, environment
from tests.clients.process import token, until
from tests.clients.shared import Shared, Stores, statuses
from tests.stores import PostgresServer, RedisServer

LIMIT = 40
MORE = f"""
[tiers.scarce]
requests_per_hour = {LIMIT}
scale = 1000
[tiers.much]
requests_per_hour = 100000
scale = 1000
[[budgets]]
per = "user"
name = "spender"
period = "month"
money = "0.0005"
"""


@pytest.fixture(scope="module")
def stores(redis_server: RedisServer, postgres_server: PostgresServer) -> Stores:
    redis_server.ask("FLUSHALL")
    return Stores(redis_server, postgres_server)


@pytest.fixture(scope="module")
def hosts(
    stores: Stores, provider: FakeProvider, fresh_home: Callable[[str], Path]
) -> Iterator[list[Shared]]:
    """Two hosts, of two workers each."""
    config = stores.config() + CONFIG + MORE
    made = [
        Shared(fresh_home("host"), stores, config, environment(provider), workers=2) for _ in "ab"
    ]
    made[0].run("migrate", "up")
    with made[0], made[1]:
        yield made


def call(text: str) -> dict[str, object]:
    return {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": text}]}


def bearer(sub: str, **claims: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token(sub, **claims)}"}


async def test_a_limit_is_one_limit(hosts: list[Shared], fake: FakeProvider) -> None:
    sent = bearer("limited", tier="scarce")
    asked = [(hosts[number % 2].url, sent, call(f"{number}")) for number in range(5 * LIMIT)]
    found = await statuses(asked)
    assert (found.count(200), found.count(429)) == (LIMIT, 4 * LIMIT)


async def test_a_budget_is_one_budget(hosts: list[Shared], fake: FakeProvider) -> None:
    """Each reserves 60,000 nano-dollars and more (100 words of output), and spends less."""
    sent = bearer("spender", tier="much")
    body = [call(f"[[words:90]] {number}") | {"max_tokens": 100} for number in range(60)]
    found = await statuses([(hosts[number % 2].url, sent, body[number]) for number in range(60)])
    assert set(found) == {200, 429}
    [[cap, reserved, spent]] = hosts[0].stores.rows(
        "select cap, reserved, spent from budgets where budget like 'user:%spender'"
    )
    assert (int(cap), int(reserved)) == (500_000, 0)
    charged = fake.meter(finished=found.count(200))["charged_nanos"]
    assert int(spent) == charged <= 500_000
    # What is left serves a call that fits.
    [after] = await statuses([(hosts[1].url, sent, call("hi") | {"max_tokens": 1})])
    assert after == 200


async def test_an_answer_is_cached_for_all(hosts: list[Shared], fake: FakeProvider) -> None:
    sent = bearer("cacher")
    kept = []
    async with httpx.AsyncClient(headers=sent) as client:
        for host in (*hosts, *hosts):
            reply = await client.post(f"{host.url}/v1/chat/completions", json=call("what is kept"))
            kept.append(reply.headers["x-penstock-cache"])
    assert kept == ["miss", "hit", "hit", "hit"]


async def test_a_key_repeated_elsewhere_gets_the_same_bytes(
    hosts: list[Shared], fake: FakeProvider
) -> None:
    sent = bearer("repeater") | {"idempotency-key": "once", "cache-control": "no-store"}
    async with httpx.AsyncClient(headers=sent) as client:
        replies = [
            await client.post(f"{host.url}/v1/chat/completions", json=call("pay once"))
            for host in hosts
        ]
    assert [reply.status_code for reply in replies] == [200, 200]
    assert replies[0].content == replies[1].content
    assert fake.meter()["charged_calls"] == 1


async def test_a_revoked_key_is_refused_by_the_next_request_of_every_process(
    hosts: list[Shared], fake: FakeProvider
) -> None:
    made = hosts[0].ask("keys", "create", "--sub", "leaver")
    sent = {"x-api-key": made["key"]}
    # Many connections at once, so that each process knows the key before it is revoked.
    before = await statuses([(hosts[n % 2].url, sent, call("hello")) for n in range(24)])
    assert set(before) == {200}
    hosts[1].run("keys", "revoke", made["id"])
    after = await statuses([(hosts[n % 2].url, sent, call("hello")) for n in range(24)])
    assert set(after) == {401}
    # A Redis that lost everything is given its marks again before it admits anybody.
    hosts[0].stores.redis.ask("FLUSHALL")
    emptied = await statuses([(hosts[n % 2].url, sent, call("hello")) for n in range(24)])
    assert set(emptied) == {401}


def test_the_sdk_and_the_commands_see_one_gateway(hosts: list[Shared], fake: FakeProvider) -> None:
    with OpenAI(base_url=f"{hosts[1].url}/v1", api_key=token("sdk"), max_retries=0) as client:
        raw = client.chat.completions.with_raw_response.create(
            model="gpt-4o-mini", messages=[{"role": "user", "content": "who are you"}], stream=False
        )
    request_id = raw.headers["x-request-id"]
    told = until(lambda: hosts[0].run("explain", request_id))
    assert "openai/gpt-4o-mini" in told
    assert hosts[0].ask("usage", "--by", "model")["totals"]["requests"] > 0
    assert "already at" in hosts[0].run("migrate", "up")
    said = json.loads(hosts[0].tried("doctor", "--offline", "--json").stdout)
    findings = {one["check"]: one for one in said["checks"]}
    assert findings["redis"]["good"]
    # The tests' PostgreSQL keeps nothing through a crash, and the doctor says so.
    assert "fsync" in findings["postgres"]["mend"]


async def test_a_worker_that_dies_is_replaced_and_a_stop_ends_them_all(
    stores: Stores, provider: FakeProvider, fresh_home: Callable[[str], Path]
) -> None:
    config = stores.config() + CONFIG
    host = Shared(fresh_home("workers"), stores, config, environment(provider), workers=2)
    host.start()
    assert host.process is not None
    first = workers(host.process.pid)
    assert len(first) == 2
    os.kill(first[0], signal.SIGKILL)
    parent = host.process.pid
    await asyncio.to_thread(until, lambda: len(set(workers(parent)) - {first[0]}) == 2)
    async with httpx.AsyncClient() as client:
        assert (await client.get(f"{host.url}/health")).status_code == 200
        await asyncio.gather(*(client.get(f"{host.url}/health") for _ in range(50)))
        admin = bearer("admin", scope="admin")

        async def counted() -> int:
            text = (await client.get(f"{host.url}/metrics", headers=admin)).text
            counters = [line for line in text.splitlines() if "_requests_total{" in line]
            lines = [line for line in counters if 'path="/health"' in line]
            return sum(int(line.rpartition(" ")[2]) for line in lines)

        # Whoever answers tells of both, and of the one that died.
        async with asyncio.timeout(30):
            while await counted() < 51:  # noqa: ASYNC110 - another process sends no event
                await asyncio.sleep(0.05)  # until the workers have told each other
        assert await counted() == 51
    last = workers(parent)
    assert "ended with -9" in host.stop()
    assert not any(map(_alive, last))


async def test_workers_end_with_a_parent_that_was_killed(
    stores: Stores, provider: FakeProvider, fresh_home: Callable[[str], Path]
) -> None:
    config = stores.config() + CONFIG
    host = Shared(fresh_home("orphans"), stores, config, environment(provider), workers=2)
    host.start()
    assert host.process is not None
    found = workers(host.process.pid)
    host.process.kill()
    await asyncio.to_thread(until, lambda: not any(map(_alive, found)), 10)
    host.kill()


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def workers(parent: int) -> list[int]:
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text()
    return [int(pid) for pid in children.split()]
