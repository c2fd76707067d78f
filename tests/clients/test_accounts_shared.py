"""Accounts on four processes of two hosts: a logout holds on all of them, an event comes once, whoever was told of it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
import stripe

from load.fake_provider import FakeProvider
from tests.clients.backend import Backend
from tests.clients.conftest import CONFIG, environment
from tests.clients.process import token, until
from tests.clients.shared import Shared, Stores, statuses
from tests.stores import PostgresServer, RedisServer

HOOK = "whsec_of_the_tests"
SERVICES = """
[billing]
webhook_secrets = ["{secret}"]
[services.auth]
backends = [{{ url = "{url}" }}]
[services.billing]
backends = [{{ url = "{url}" }}]
"""
SECONDS = 60


@pytest.fixture(scope="module")
def backend() -> Iterator[Backend]:
    with Backend() as one:
        yield one


@pytest.fixture(scope="module")
def hosts(
    redis_server: RedisServer, postgres_server: PostgresServer, provider: FakeProvider,
    fresh_home: Callable[[str], Path], backend: Backend,
) -> Iterator[list[Shared]]:  # fmt: skip
    """Two hosts, of two workers each."""
    redis_server.ask("FLUSHALL")
    stores = Stores(redis_server, postgres_server)
    config = stores.config() + CONFIG + SERVICES.format(secret=HOOK, url=backend.url)
    made = [
        Shared(fresh_home("host"), stores, config, environment(provider), workers=2) for _ in "ab"
    ]
    made[0].run("migrate", "up")
    with made[0], made[1]:
        yield made


async def test_a_logout_is_felt_by_the_next_request_of_every_process(hosts: list[Shared]) -> None:
    sent = {"authorization": f"Bearer {token('leaver')}"}
    body: dict[str, object] = {
        "model": "gpt-4o-mini",
        "messages": [{"role": "user", "content": "hello"}],
    }
    asked = [(hosts[n % 2].url, sent, body) for n in range(24)]
    # Many connections at once, so that each process knows the token before it is ended.
    assert set(await statuses(asked)) == {200}
    async with httpx.AsyncClient(headers=sent) as client:
        assert (await client.post(f"{hosts[1].url}/api/auth/logout")).status_code == 200
    assert set(await statuses(asked)) == {401}
    # A Redis that lost everything is given its marks again before it admits anybody.
    hosts[0].stores.redis.ask("FLUSHALL")
    assert set(await statuses(asked)) == {401}


def test_attempts_at_every_process_are_in_one_book(hosts: list[Shared]) -> None:
    for number in range(8):
        person = {"email": f"{number}@example.com", "password": "correct horse"}
        reply = httpx.post(f"{hosts[number % 2].url}/api/auth/login", json=person)
        assert reply.status_code == 200
    admin = {"authorization": f"Bearer {token('root', role='admin')}"}

    def counted() -> bool:
        told = httpx.get(f"{hosts[0].url}/admin/logins", headers=admin).json()
        return bool(told["totals"]["attempts"] == 8)

    until(counted, SECONDS)


def test_an_event_told_to_all_at_once_comes_once(hosts: list[Shared], backend: Backend) -> None:
    events = [json.dumps({"id": f"evt_{n}", "object": "event"}).encode() for n in range(10)]
    fresh = 0
    for event in events:
        header = stripe.WebhookSignature.generate_signature_header(
            event.decode(), HOOK, timestamp=int(time.time())
        )
        for host in (*hosts, *hosts):
            reply = httpx.post(
                f"{host.url}/api/billing/webhook",
                content=event,
                headers={"stripe-signature": header},
            )
            assert reply.status_code == 200
            fresh += not reply.json()["duplicate"]
    assert fresh == len(events)

    def delivered() -> list[bytes]:
        return sorted(came.body for came in backend.came if "/webhook" in came.line)

    until(lambda: len(delivered()) >= len(events), SECONDS)
    assert delivered() == sorted(events)
    rows = "select count(*) from webhook_events where outcome = 'delivered'"
    until(lambda: hosts[0].stores.rows(rows) == [["10"]], SECONDS)
