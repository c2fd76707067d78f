"""The server home as a bench starts it: real stores on free ports, and worker processes on one port."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.peers import BIN
from bench.process import BenchFailed, Process, free_port
from penstock.auth.mint import mint
from tests.stores import PostgresServer, RedisServer

SECRET = "bench-secret-of-more-than-thirty-two-bytes"
START_SECONDS = 30.0
BOTH_CORES = "0,1"

CONFIG = """
{home}
[[auth.issuers]]
mode = "hs256"
secret = "{secret}"
{providers}
[server]
access_log = false
[tiers.enterprise]
requests_per_hour = 1000000000
scale = 10000000
"""


def token(sub: str, tier: str = "enterprise") -> str:
    return mint({"sub": sub, "tier": tier}, SECRET, now=time.time())


class Stores:
    """One Redis and one PostgreSQL, that keeps its commits through its own end but not through a loss of power."""

    def __init__(self, redis: RedisServer, postgres: PostgresServer) -> None:
        self.redis, self.postgres = redis, postgres

    def fresh(self) -> str:
        """The head of a configuration with a database of its own and an emptied Redis."""
        self.redis.ask("FLUSHALL")
        dsn = self.postgres.database()
        return f'platform = "server"\n[stores]\npostgres = "{dsn}"\nredis = "{self.redis.url}"\n'


@contextmanager
def stores(home: Path) -> Iterator[Stores]:
    for name in ("redis", "postgres"):
        (home / name).mkdir()
    with RedisServer(home / "redis") as redis, PostgresServer(home / "postgres") as postgres:
        yield Stores(redis, postgres)


class Gateway:
    """`penstock serve` from a folder of its own, on one core or more."""

    def __init__(self, home: Path, head: str, more: str = "", *, workers: int = 1) -> None:
        home.mkdir(parents=True)
        self.home, self.port = home, free_port()
        text = CONFIG.format(home=head, secret=SECRET, providers=more)
        self.config = home / "penstock.toml"
        self.config.write_text(text)
        self.env = {"PENSTOCK_CONFIG": str(self.config), "PENSTOCK_DATA": str(home / "data")}
        self.run("migrate", "up")
        words = ["serve", "--port", str(self.port), "--workers", str(workers)]
        self.process = Process(
            [str(BIN / "penstock"), *words], home / "log", core=BOTH_CORES, env=self.env, cwd=home
        )
        self.process.listening(self.port, START_SECONDS)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def run(self, *words: str) -> str:
        """What another `penstock` prints."""
        done = subprocess.run(
            [str(BIN / "penstock"), *words],
            env={**os.environ, **self.env}, cwd=self.home, capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        if done.returncode:
            raise BenchFailed(f"penstock {' '.join(words)}: {done.stderr.strip()[-200:]}")
        return done.stdout
