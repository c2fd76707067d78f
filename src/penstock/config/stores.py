"""Whether the stores that the platform `server` needs are named."""

from __future__ import annotations

from penstock.config.values import Config
from penstock.errors import Misconfigured

SECRET_BYTES = 32
REDIS = ("redis://", "rediss://", "unix://", "redis+cluster://", "rediss+cluster://")
POSTGRES = ("postgresql://", "postgres://")


def check_stores(config: Config) -> None:
    """Raises Misconfigured, naming the setting, where the platform cannot be opened from what is written."""
    stores = config.stores
    if config.platform != "server":
        if stores.redis or stores.postgres:
            raise Misconfigured(
                'stores is set, and platform is embedded, which uses none; set platform = "server"'
            )
        return
    _check("redis", stores.redis, REDIS, "redis://host:6379/0")
    _check("postgres", stores.postgres, POSTGRES, "postgresql://user:password@host:5432/name")
    if stores.cache:
        _check("cache", stores.cache, REDIS, "redis://host:6379/1")
    if stores.secret and len(stores.secret.encode()) < SECRET_BYTES:
        raise Misconfigured(
            f"stores.secret is shorter than {SECRET_BYTES} bytes; make one by `openssl rand -hex 32`"
        )


def _check(name: str, value: str, schemes: tuple[str, ...], example: str) -> None:
    if not value:
        raise Misconfigured(
            f"stores.{name} is empty; platform server needs it, best written ${{VAR}}, as {example}"
        )
    if not value.startswith(schemes):
        raise Misconfigured(f"stores.{name} is no address; write it as {example}")
