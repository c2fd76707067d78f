"""A store that was killed, is frozen or slow: what costs is refused in time, nothing hangs, and all goes on by itself."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from load.fake_provider import FakeProvider
from tests.clients.conftest import CONFIG, environment
from tests.clients.process import token, until
from tests.clients.shared import Shared, Stores
from tests.clients.slow import Slow
from tests.stores import PostgresServer, Process, RedisServer

REFUSED_SECONDS = 8.0
"""The stores' own deadlines are 2 s; a test machine gets room."""
BACK_SECONDS = 30.0
BURST = 40
SHARED = "\n[tiers.much]\nrequests_per_hour = 100000\nscale = 1000\n[limits.other]\nrequests = 6\n"


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """One that these tests may kill."""
    with RedisServer(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    with PostgresServer(tmp_path_factory.mktemp("postgres")) as server:
        yield server


@pytest.fixture(scope="module")
def stores(redis: RedisServer, postgres: PostgresServer) -> Stores:
    return Stores(redis, postgres)


@pytest.fixture(scope="module")
def slow_redis(redis: RedisServer) -> Iterator[Slow]:
    with Slow(redis.port) as proxy:
        yield proxy


@pytest.fixture(scope="module")
def slow_postgres(postgres: PostgresServer) -> Iterator[Slow]:
    with Slow(postgres.port) as proxy:
        yield proxy


@pytest.fixture(scope="module")
def strict(
    stores: Stores, slow_redis: Slow, slow_postgres: Slow, provider: FakeProvider,
    fresh_home: Callable[[str], Path],
) -> Iterator[Shared]:  # fmt: skip
    """A gateway that reaches its stores by proxies, and admits nothing without Redis."""
    dsn = stores.dsn.replace(str(stores.postgres.port), str(slow_postgres.port))
    url = f"redis://127.0.0.1:{slow_redis.port}"
    config = stores.config(postgres=dsn, redis=url) + CONFIG + SHARED
    with served(fresh_home("strict"), stores, config, provider) as gateway:
        yield gateway


@pytest.fixture(scope="module")
def lenient(
    stores: Stores, provider: FakeProvider, fresh_home: Callable[[str], Path]
) -> Iterator[Shared]:
    """A gateway that is one of two by its configuration."""
    config = stores.config("replicas = 2") + CONFIG + SHARED
    with served(fresh_home("lenient"), stores, config, provider) as gateway:
        yield gateway


def served(home: Path, stores: Stores, config: str, provider: FakeProvider) -> Shared:
    gateway = Shared(home, stores, config, environment(provider))
    gateway.run("migrate", "up")
    return gateway


def caller(gateway: Shared, sub: str) -> httpx.Client:
    sent = {"authorization": f"Bearer {token(sub, tier='much')}", "cache-control": "no-store"}
    return httpx.Client(base_url=gateway.url, headers=sent, timeout=30)


def call(text: str) -> dict[str, Any]:
    return {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": text}]}


def refused(client: httpx.Client, sent: int) -> None:
    """A paid call is refused in time, and the next ones faster; nothing of it reached the provider."""
    for number in range(3):
        began = time.monotonic()
        reply = client.post("/v1/chat/completions", json=call(f"refused {number} of {sent}"))
        assert reply.status_code == 503, reply.text
        assert reply.json()["error"]["code"] == "service_unavailable"
        assert int(reply.headers["retry-after"]) >= 1
        assert time.monotonic() - began < REFUSED_SECONDS


def balanced(gateway: Shared, fake: FakeProvider) -> None:
    """Every charged call has its final row, equal where it is settled; one that could not be written follows soon."""
    charged = {row["x_request_id"].rpartition(".")[0]: row for row in fake.meter()["rows"]}

    def ended() -> dict[str, tuple[str, int]]:
        rows = gateway.rows(
            "select request_id, ended, amount_nanos from ledger where stage = 'final'"
        )
        found = {name: (how, int(nanos)) for name, how, nanos in rows}
        return found if charged.keys() <= found.keys() else {}

    found = until(ended, BACK_SECONDS)
    for name, row in charged.items():
        how, nanos = found[name]
        assert nanos == row["charged_nanos"] if how == "settled" else nanos >= row["charged_nanos"]


class Away:
    """A store in some trouble, until `end`."""

    def __init__(self, store: Process, proxy: Slow, how: str) -> None:
        self._store, self._proxy, self._how = store, proxy, how

    def begin(self) -> None:
        match self._how:
            case "killed":
                self._store.kill()
            case "frozen":
                self._store.freeze()
            case _:
                self._proxy.seconds = 20.0

    def end(self) -> None:
        match self._how:
            case "killed":
                self._store.start()
            case "frozen":
                self._store.thaw()
            case _:
                self._proxy.seconds = 0.0


@pytest.mark.parametrize("how", ["killed", "frozen", "slow"])
@pytest.mark.parametrize("which", ["redis", "postgres"])
def test_what_costs_is_refused_while_a_store_is_away_and_goes_on_after_it(
    which: str, how: str, strict: Shared, fake: FakeProvider, request: pytest.FixtureRequest
) -> None:
    away = Away(request.getfixturevalue(which), request.getfixturevalue(f"slow_{which}"), how)
    with caller(strict, f"{which}-{how}") as client:
        assert client.post("/v1/chat/completions", json=call("before")).status_code == 200
        sent = len(fake.meter()["rows"])
        away.begin()
        try:
            refused(client, sent)
            assert len(fake.meter()["rows"]) == sent
            ready = client.get("/readyz")
            assert ready.status_code == (503 if which == "postgres" else 200)
            assert client.get("/health").status_code == 200
            models = client.get("/v1/models").status_code
            assert models == (503 if which == "redis" else 200)
        finally:
            away.end()
        until(
            lambda: client.post("/v1/chat/completions", json=call("after")).status_code == 200,
            BACK_SECONDS,
        )
        assert client.get("/readyz").status_code == 200
    balanced(strict, fake)


def test_unpaid_paths_go_on_within_their_share_while_redis_is_away(
    lenient: Shared, redis: RedisServer, fake: FakeProvider
) -> None:
    made = lenient.ask("keys", "create", "--sub", "gone", "--tier", "much")
    lenient.run("keys", "revoke", made["id"])
    with caller(lenient, "reader") as client:
        assert client.get("/v1/models").status_code == 200
        redis.kill()
        try:
            refused(client, 0)
            # 6 an hour, times the tier's scale of 1,000, of which this process has half.
            found = client.get("/v1/models")
            assert (found.status_code, found.headers["x-ratelimit-limit-requests"]) == (200, "3000")
            # A revoked key is refused by the tables while there is no Redis to ask.
            key = {"x-api-key": made["key"]}
            with httpx.Client(base_url=lenient.url, headers=key, timeout=30) as revoked:
                assert revoked.get("/v1/models").status_code == 401
            said = lenient.tried("keys", "revoke", made["id"])
            assert said.returncode == 1
            assert "stores.redis" in said.stderr
        finally:
            redis.start()
        until(lambda: client.post("/v1/chat/completions", json=call("on")).status_code == 200, 30)
        found = client.get("/v1/models")
        assert found.headers["x-ratelimit-limit-requests"] == "6000"


@pytest.mark.parametrize("which", ["redis", "postgres"])
def test_a_store_that_dies_in_a_burst_loses_no_charge(
    which: str, strict: Shared, fake: FakeProvider, request: pytest.FixtureRequest
) -> None:
    """Calls are in the air when it goes; each is answered in time, and charged calls find their rows."""
    store: Process = request.getfixturevalue(which)

    async def burst() -> list[int]:
        sent = {
            "authorization": f"Bearer {token('burst', tier='much')}",
            "cache-control": "no-store",
        }
        limits = httpx.Limits(max_connections=BURST)
        async with httpx.AsyncClient(
            base_url=strict.url, headers=sent, limits=limits, timeout=60
        ) as client:

            async def one(number: int) -> int:
                text = f"[[fault:latency=300]] {which} {number}"
                return (await client.post("/v1/chat/completions", json=call(text))).status_code

            calls = [asyncio.ensure_future(one(number)) for number in range(BURST)]
            await asyncio.to_thread(fake.meter, calls=BURST // 2)
            await asyncio.to_thread(store.kill)
            return list(await asyncio.gather(*calls))

    try:
        found = asyncio.run(burst())
    finally:
        store.start()
    assert set(found) <= {200, 503}
    assert 200 in found
    with caller(strict, "after-burst") as client:
        until(lambda: client.post("/v1/chat/completions", json=call("on")).status_code == 200, 30)
    balanced(strict, fake)
