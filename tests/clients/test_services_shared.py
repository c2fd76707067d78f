"""Replies of services kept by several hosts on one Redis and one PostgreSQL: found, taken back and purged as by one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from tests.clients.backend import Backend, sized
from tests.clients.process import SECRET, token, until
from tests.clients.shared import Shared, Stores
from tests.stores import PostgresServer, RedisServer

CONFIG = """
[auth]
issuers = [{{ mode = "hs256", secret = "{secret}" }}]
[services.orders]
prefixes = ["/api/orders"]
limit = "1000000/h"
cache = {{ ttl = 600 }}
backends = [{{ url = "{url}" }}]
"""
Hosts = tuple[list[Shared], Backend]


@pytest.fixture
def hosts(
    redis_server: RedisServer, postgres_server: PostgresServer, fresh_home: Callable[[str], Path]
) -> Iterator[Hosts]:
    redis_server.ask("FLUSHALL")
    stores = Stores(redis_server, postgres_server)
    with ExitStack() as stack:
        backend = stack.enter_context(Backend())
        backend.answer = lambda came: [sized(str(len(backend.came)).encode(), "cache-tag: shoes")]
        text = stores.config() + CONFIG.format(secret=SECRET, url=backend.url)
        made = [Shared(fresh_home("host"), stores, text) for _ in "ab"]
        made[0].run("migrate", "up")
        yield [stack.enter_context(one) for one in made], backend


def asked(host: Shared, sub: str = "alice") -> httpx.Response:
    """A reply asked for under the name that both hosts have outside."""
    headers = {"authorization": f"Bearer {token(sub)}", "host": "shop.example"}
    return httpx.get(f"{host.url}/api/orders/1", headers=headers, timeout=30)


def found(host: Shared, sub: str = "alice") -> str:
    """`HIT` or `MISS`."""
    return asked(host, sub).headers["x-cache"]


def test_they_keep_take_back_and_purge_as_one(hosts: Hosts) -> None:
    (one, two), backend = hosts
    assert [found(one), found(two), found(two, sub="bob"), found(one, sub="bob")] == [
        "MISS", "HIT", "MISS", "HIT",
    ]  # fmt: skip
    headers = {"authorization": f"Bearer {token('carol')}", "host": "shop.example"}
    assert httpx.post(f"{two.url}/api/orders/1", headers=headers, content=b"x").status_code == 200
    assert [found(one), found(two), found(one, sub="bob")] == ["MISS", "HIT", "MISS"]
    for words in (("--url", "/api/orders/1"), ("--tag", "shoes"), ("--kind", "http")):
        before = len(backend.came)
        one.run("cache", "purge", *words)
        until(lambda: all(int(asked(host).text) > before for host in (one, two)), 20.0)  # noqa: B023 - it is called at once
        # Until both know of a tag, each takes what the other keeps for what was purged.
        until(lambda: [found(one), found(two)] == ["HIT", "HIT"], 20.0)
