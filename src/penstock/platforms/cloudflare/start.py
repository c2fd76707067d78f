"""What must stand before the first request: bindings, tables of this version, the installation's secret."""

from __future__ import annotations

from penstock.config import Config
from penstock.errors import Misconfigured, Unavailable, WrongModel
from penstock.platforms.cloudflare.home import Bindings
from penstock.platforms.cloudflare.tables import CloudflareTables
from penstock.ports import Platform

MIGRATION = "0015_monthly.sql"
"""The newest; the Worker's tests hold it to the files."""
MIGRATE = "npx wrangler d1 migrations apply DB --remote"
ANEW = "How that is done on Cloudflare is in docs/how-to/documents-on-cloudflare.md."
DEPLOY = "penstock deploy cloudflare --apply"

_STAND = "select name from sqlite_master where type = 'table' and name = 'd1_migrations'"
_NEWEST = "select coalesce(max(name), '') from d1_migrations"
_KEEP_SECRET = (
    "insert into installation (name, value) values ('cache_secret', $1) on conflict do nothing"
)
_SECRET = "select value from installation where name = 'cache_secret'"


def check(bindings: Bindings, config: Config) -> None:
    """That all is bound which this configuration needs; raises Misconfigured."""
    needed = {
        "KV": (bindings.kv, "a KV namespace"),
        "DB": (bindings.db, "a D1 database"),
        "BLOBS": (bindings.blobs, "an R2 bucket"),
        "METER": (bindings.meter, "the namespace of the Durable Object PenstockMeter"),
    }
    if any(one.bound for one in config.providers.values()):
        needed["AI"] = (bindings.ai, "Workers AI, which a provider of kind workers_ai needs here")
    for name, (binding, what) in needed.items():
        if binding is None:
            raise Misconfigured(
                f"The Worker has no binding {name} ({what}): bind it in wrangler.jsonc, or have it"
                f" written and deployed by `{DEPLOY}`."
            )


async def index(platform: Platform) -> str:
    """Why documents cannot be found by the index that is bound, empty where they can; raises Misconfigured where it is no
    index for this configuration."""
    if platform.index is None:
        return platform.no_index
    from penstock.platforms.cloudflare.index import CloudflareIndex  # few have one

    assert isinstance(platform.index, CloudflareIndex)
    try:
        if problem := await platform.index.problem():
            raise Misconfigured(problem)
    except Unavailable:
        return ""  # chats need none, and it may come back
    except WrongModel as wrong:
        return f"{wrong.message} {ANEW}"
    return ""


async def secret(tables: CloudflareTables, fresh: bytes) -> bytes:
    """The installation's secret: this one, where none was kept before. Raises Misconfigured where a migration is missing.

    Tables of a newer version will do: migrations only add, and the older Worker serves while the newer one is deployed.
    """
    newest = ""
    if await tables.rows(_STAND):
        newest = str((await tables.rows(_NEWEST))[0][0])
    if newest < MIGRATION:
        raise Misconfigured(
            f"The tables in D1 (binding DB) are at migration {newest or 'none'}, and this Penstock needs"
            f" {MIGRATION}: run `{MIGRATE}`, or `{DEPLOY}`."
        )
    _, found = await tables.batch((_KEEP_SECRET, (fresh.hex(),)), (_SECRET, ()))
    return bytes.fromhex(found[0][0])
