"""What the ledger costs a request on each home, and W1 on the server home with two workers."""

from __future__ import annotations

import asyncio
import resource
import subprocess
from pathlib import Path
from statistics import median

import uvloop

from bench.admissions import Say
from bench.load import Run, ask, wrk
from bench.replicas import BIN, Gateway, Stores, token
from load.fake_provider import FakeProvider
from penstock.config import Provider, Target
from penstock.ledger.book import Account
from penstock.limits.hold import Hold
from penstock.platforms import embedded
from penstock.platforms.memory.meter import MemoryMeter
from penstock.platforms.server import open_tables
from penstock.platforms.world import RandomIds, RealClock
from penstock.ports import Tables
from penstock.prices import Price
from penstock.routing.offers import make
from penstock.wire.chat import Usage

REQUESTS = 4_000
AT_ONCE = 64
ROUNDS = 5
MICRO = 1e6
W1_SECONDS = 4.0
W1_ROUNDS = 3
FAKE = """
[providers.fake]
kind = "openai"
base_url = "{url}/v1"
api_key = "sk-fake"
[[targets]]
provider = "fake"
model = "gpt-4o"
"""
PRICE = Price(input=2_500_000_000, output=10_000_000_000)
MOST = Usage(input=500, output=4_096, estimated=True)
USED = Usage(input=120, output=50)


def measured(home: Path, stores: Stores, say: Say) -> dict[str, float]:
    """CPU of this process with its threads, and how long a request waits for its books, medians of rounds in turn."""
    dsn = stores.postgres.database()
    (home / "ledger").mkdir()
    (home / "ledger.toml").write_text(
        f'platform = "server"\n[stores]\npostgres = "{dsn}"\nredis = "{stores.redis.url}"\n'
    )
    subprocess.run(
        [str(BIN / "penstock"), "migrate", "up", "--config", str(home / "ledger.toml")],
        check=True, capture_output=True, cwd=home,
    )  # fmt: skip
    found = uvloop.run(_costs(home / "ledger", dsn))
    record: dict[str, float] = {}
    for name, rounds in found.items():
        record[f"ledger_us_{name}"] = median(cpu for cpu, _ in rounds)
        record[f"ledger_wait_ms_{name}"] = median(wait for _, wait in rounds)
        say(f"ledger on {name}: {record[f'ledger_us_{name}']:.0f} CPU µs a request")
    return record


async def _costs(folder: Path, dsn: str) -> dict[str, list[tuple[float, float]]]:
    found: dict[str, list[tuple[float, float]]] = {"sqlite": [], "postgres": []}
    async with embedded.open_tables(folder) as sqlite, open_tables(dsn) as postgres:
        for tables in (sqlite, postgres):
            await _round(tables)
        for _ in range(ROUNDS):
            found["sqlite"].append(await _round(sqlite))
            found["postgres"].append(await _round(postgres))
    return found


async def _round(tables: Tables) -> tuple[float, float]:
    """CPU µs a request, and ms from its begin to the end of its settlement, the median."""
    ids, clock, waits = RandomIds(), RealClock(), []
    offer = make(Target("p", "m"), Provider("openai", base_url="http://127.0.0.1"), PRICE)
    room = asyncio.Semaphore(AT_ONCE)

    async def one() -> None:
        async with room:
            began = clock.tick()
            account = Account(ids.new("req_"), "default/u", "default", "u", "", "auto", "chat")
            hold = Hold(tables, MemoryMeter(clock), clock, account, 41_000_000, None)
            await hold.open(offer, 600, MOST)
            await hold.dispatch(1, offer, MOST)
            await hold.settle(USED)
            waits.append(clock.tick() - began)

    before = _cpu()
    await asyncio.gather(*(one() for _ in range(REQUESTS)))
    return (_cpu() - before) / REQUESTS * MICRO, median(waits) * 1e3


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def pass_through(home: Path, stores: Stores, say: Say) -> dict[str, float]:
    """Both gateways may use both cores, which the provider, the stores and wrk share with them."""
    with FakeProvider("--key", "sk-fake", "--no-rows") as fake:
        more = FAKE.format(url=fake.url)
        made = {
            "server": Gateway(home / "w1-server", stores.fresh(), more, workers=2),
            "embedded": Gateway(home / "w1-embedded", "", more),
        }
        try:
            rates = _rates(made, say)
        finally:
            for gateway in made.values():
                gateway.process.end()
    server, alone = (median(run.rate for run in rates[name]) for name in ("server", "embedded"))
    return {
        "w1_server_rps": server,
        "w1_embedded_rps": alone,
        "w1_server_vs_embedded": server / alone,
        "w1_server_p99_ms": median(run.p99_us for run in rates["server"]) / 1e3,
    }


def _rates(made: dict[str, Gateway], say: Say) -> dict[str, list[Run]]:
    found: dict[str, list[Run]] = {name: [] for name in made}
    for number in range(W1_ROUNDS + 1):
        for name, gateway in made.items():
            sent = {"authorization": f"Bearer {token('w1')}"}
            run = wrk(gateway.url, ask(), sent, W1_SECONDS)
            if number:  # the first is to warm up
                say(f"W1 on {name}: {run.rate:,.0f} requests/s")
                found[name].append(run)
    return found
