"""The client of a Redis, of a Valkey or of a cluster of either."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from redis.asyncio import Redis, RedisCluster
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisClusterException, RedisError
from redis.maint_notifications import MaintNotificationsConfig

from penstock.errors import Misconfigured, Unavailable
from penstock.platforms.server.pipe import CALL_SECONDS, Client, Pipe
from penstock.platforms.server.schema import place

CLUSTER = "+cluster"
SCHEMES = ("redis://", "rediss://", "unix://")
MOST_CONNECTIONS = 16
OLDEST = (6, 2)

Connected = Callable[[Any], Awaitable[None]]
"""Told of each new connection before it carries anything; it must not fail."""


def is_cluster(url: str) -> bool:
    return url.partition("://")[0].endswith(CLUSTER)


def client(url: str, connected: Connected | None = None, seconds: float = CALL_SECONDS) -> Client:
    """A client that has not connected yet and never sends twice; raises Misconfigured for what is no address."""

    async def greet(connection: Any) -> None:
        await connection.on_connect()
        if connected is not None:
            await connected(connection)

    common: dict[str, Any] = {
        "socket_timeout": seconds,
        "socket_connect_timeout": seconds,
        "max_connections": MOST_CONNECTIONS,
        "retry": Retry(NoBackoff(), 0),
        "redis_connect_func": greet,
        # With these on, the driver would not look whether a connection was closed while it lay unused.
        "maint_notifications_config": MaintNotificationsConfig(enabled=False),
    }
    plain = url.replace(CLUSTER, "", 1) if is_cluster(url) else url
    if not plain.startswith(SCHEMES):
        raise _no_address()
    try:
        if is_cluster(url):
            return _cluster(plain, common)
        return Redis.from_url(plain, **common)
    except (ValueError, RedisError, RedisClusterException) as error:
        raise _no_address() from error


def _cluster(url: str, common: dict[str, Any]) -> RedisCluster:
    """A cluster's client takes no function of ours for its nodes' connections, so it is put among their settings."""
    greet = {"redis_connect_func": common.pop("redis_connect_func")}
    made = RedisCluster.from_url(url, **common)
    made.nodes_manager.connection_kwargs.update(greet)
    for node in made.nodes_manager.startup_nodes.values():
        node.connection_kwargs.update(greet)
    return made


async def greeted(pipe: Pipe, url: str) -> None:
    """That Redis answers, lets us in and keeps counts; raises Misconfigured."""
    where = place(url)
    try:
        told = await pipe.run("INFO", "server")
        kept = await pipe.run("INFO", "memory")
    except Unavailable as error:
        raise Misconfigured(
            f"stores.redis: {where} cannot be reached, or refuses the password; start it, and check"
            " the host, the port and the credentials"
        ) from error
    except RedisError as error:
        raise Misconfigured(
            f"stores.redis: {where} refuses this user ({type(error).__name__}); check the user, the"
            " password and what it may do"
        ) from error
    if _version(field(told, "redis_version")) < OLDEST:
        raise Misconfigured(f"stores.redis: {where} is older than Redis 6.2; upgrade it")
    policy = field(kept, "maxmemory_policy")
    if int(field(kept, "maxmemory") or 0) and policy != "noeviction":
        raise Misconfigured(
            f"stores.redis: {where} drops counts when its memory is full (maxmemory-policy {policy}), which"
            " would loosen limits; set maxmemory-policy noeviction"
        )


def field(info: Any, name: str) -> str:
    """One value of INFO's reply, which a cluster's client has parsed already."""
    if isinstance(info, dict):
        return str(info.get(name, ""))
    found = bytes(info).partition(f"{name}:".encode())[2]
    return found.partition(b"\r")[0].decode()


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(".") if part.isdigit())


def _no_address() -> Misconfigured:
    return Misconfigured(
        "stores.redis is no address of a Redis; write it as redis://host:6379/0 (rediss:// for TLS,"
        " redis+cluster://host:6379 for a cluster)"
    )
