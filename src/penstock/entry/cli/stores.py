"""What `penstock doctor` asks of the stores that processes share."""

from __future__ import annotations

from typing import Any

from penstock.config import Config
from penstock.entry.cli.probes import Finding
from penstock.entry.stores import require_server
from penstock.errors import Error
from penstock.platforms.migrations import shipped

OLDEST_REDIS = 7
KEEPS = "noeviction"


async def store_probes(config: Config) -> list[Finding]:
    """PostgreSQL and each Redis of the platform `server`; nothing on another."""
    if config.platform != "server":
        return []
    try:
        require_server()
    except Error as error:
        return [Finding("platform server", False, error.message, "pip install 'penstock[server]'")]
    stores = config.stores
    findings = [await _postgres(stores.postgres), await _redis("redis", stores.redis, keeps=True)]
    if stores.cache:
        findings.append(await _redis("cache", stores.cache, keeps=False))
    return findings


async def _postgres(dsn: str) -> Finding:
    from penstock.platforms.server import schema

    try:
        await schema.check(dsn, shipped())
    except Error as error:
        found, _, mend = error.message.removeprefix("stores.postgres: ").rpartition("; ")
        return Finding("stores.postgres", False, found, mend)
    return Finding("stores.postgres", True, f"{schema.place(dsn)} answers, its tables are current")


async def _redis(setting: str, url: str, *, keeps: bool) -> Finding:
    from redis.asyncio import RedisCluster
    from redis.exceptions import RedisError

    from penstock.platforms.server.connect import client
    from penstock.platforms.server.schema import place

    check, where = f"stores.{setting}", place(url)
    redis = client(url)
    target = {"target_nodes": "random"} if isinstance(redis, RedisCluster) else {}
    try:
        told: dict[str, Any] = await redis.execute_command("INFO", **target)
    except (RedisError, OSError) as error:
        found = f"{where} cannot be used ({type(error).__name__})"
        return Finding(check, False, found, "start it; check host, port, user and password")
    finally:
        await redis.aclose()
    told = next(iter(told.values())) if "redis_version" not in told else told
    return _judged(check, where, told, keeps=keeps)


def _judged(check: str, where: str, told: dict[str, Any], *, keeps: bool) -> Finding:
    version = str(told["redis_version"])
    name = told.get("server_name", "redis")
    found = f"{where} answers ({name} {told.get('valkey_version', version)})"
    if int(version.partition(".")[0]) < OLDEST_REDIS:
        return Finding(check, False, found, "upgrade it to Redis 7 or Valkey")
    policy = told.get("maxmemory_policy", KEEPS)
    if keeps and policy != KEEPS:
        mend = f"set maxmemory-policy {KEEPS} there: what it evicts is not counted any more"
        return Finding(check, False, f"{found} and evicts by {policy}", mend)
    return Finding(check, True, found)
