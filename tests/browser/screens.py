"""The README's pictures of the dashboard, taken anew: `make screenshots`. Three months of a made-up company, written in bulk."""

from __future__ import annotations

import asyncio
import tempfile
import time
from pathlib import Path

from playwright.sync_api import Browser, Page, expect

from bench.reports_ledgers import DAY_MS, DAYS, FILL, PICK, ROWS_A_REQUEST, Direct
from load.fake_provider import FakeProvider
from penstock.ledger import rollups
from penstock.platforms.memory import sqlite
from penstock.platforms.migrations import shipped
from penstock.platforms.world import RealClock
from tests.browser.chromium import launched
from tests.browser.world import CONFIG, World
from tests.clients.backend import Backend
from tests.clients.process import SECRET, Penstock, token
from tests.pages import ROOT

IMAGES = ROOT / "docs" / "images"
MOST_BYTES = 200_000
ROWS = 60_000
PEOPLE = [
    ("acme", "nadia"), ("acme", "support-bot"), ("globex", "reports"), ("acme", "tomas"), ("initech", "search"),
    ("globex", "wei"), ("acme", "priya"), ("initech", "lars"), ("globex", "mira"), ("initech", "joao"),
]  # fmt: skip
QUESTION = """Compare these two plans and explain which is cheaper for 40,000 requests a day: `per token` or `reserved`?"""
BETTER = (
    # Some of what small models answered is the larger ones', so that there is something to pay.
    "update ledger set provider = 'openai', model = 'gpt-4o-mini', target = 'openai/gpt-4o-mini'"
    " where model like '%granite%' and substr(request_id, -1) < '8'",
    "update ledger set provider = 'openai', model = 'gpt-4o', target = 'openai/gpt-4o'"
    " where model like '%llama%' and substr(request_id, -1) < '6'",
    "update ledger set provider = 'openai', target = 'openai/' || model where model like 'gpt%'",
    "update ledger set provider = 'cloudflare', target = 'cloudflare/' || model where model like '@cf%'",
    "update ledger set input = input * 8, output = output * 8",
    "update ledger set amount_nanos = input * 2500 + output * 10000"
    " where model = 'gpt-4o' and stage = 'final' and cache = '' and ended = 'settled'",
    "update ledger set amount_nanos = input * 150 + output * 600"
    " where model = 'gpt-4o-mini' and stage = 'final' and cache = '' and ended = 'settled'",
)


def main() -> None:
    """Takes both pictures; fails where one is larger than a README should load."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix="screens-") as folder,
        FakeProvider("--key", "sk-fake", "--latency-ms", "180") as provider,
        Backend() as backend,
    ):
        config = CONFIG.format(provider=provider.url, up=backend.url, down=backend.url)
        config = config.replace('name = "frugal"\n', 'name = "initech"\n').replace(
            '"0.01"', '"0.02"'
        )
        home = Path(folder) / "gateway"
        with Penstock(home, config, {"JWT_SECRET": SECRET}) as gateway:
            file = gateway.data / "penstock.sqlite"
        for part in file.parent.glob(f"{file.name}*"):
            part.unlink()
        past(file)
        with Penstock(home, config, {"JWT_SECRET": SECRET}) as gateway:
            world = World(gateway)
            with world.client, launched() as browser:
                pictures(browser, world)


def past(file: Path) -> None:
    """Ninety days of requests, as a gateway would have left them, and their sums."""
    tables = Direct(file)
    sqlite.migrate(tables.connection, shipped(), 0.0)
    now, requests = int(time.time() * 1000), int(ROWS / ROWS_A_REQUEST)
    begins, step = now - DAYS * DAY_MS, DAYS * DAY_MS / requests
    tables.connection.execute(PICK, (0, requests, begins, step, len(PEOPLE)))
    for statement in (*FILL, *BETTER):
        tables.connection.execute(statement)
    for number, (tenant, user) in enumerate(PEOPLE):
        was, owner = f"t{number}/u{number}", f"{tenant}/{user}"
        change = "update ledger set owner = ?, tenant = ?, sub = ? where owner = ?"
        tables.connection.execute(change, (owner, tenant, user, was))
        tables.connection.execute("update decisions set owner = ? where owner = ?", (owner, was))
    asyncio.run(rollups.roll(tables, RealClock(), rollups.Pace(ROWS, seconds=600.0)))
    tables.connection.close()


def pictures(browser: Browser, world: World) -> None:
    """The overview by day, and by night why one request went where it went."""
    for text, tenant, user in (
        ("Good morning", "acme", "nadia"),
        ("Good evening", "initech", "lars"),
    ):
        world.chat(text, sub=user, tenant=tenant, max_tokens=300)
    asked = world.chat(QUESTION, sub="priya", tenant="acme")
    world.chat(
        "[[words:1300]] Write it up",
        sub="search",
        tenant="initech",
        model="openai/gpt-4o",
        max_tokens=1_400,
    )
    for path, theme, name in (
        ("", "light", "dashboard-overview"),
        (f"requests/{asked.headers['x-request-id']}", "dark", "dashboard-request"),
    ):
        context = browser.new_context(
            base_url=world.url,
            color_scheme="dark" if theme == "dark" else "light",
            viewport={"width": 1280, "height": 900},
        )
        body = {"credential": token("operator", scope="admin chat")}
        assert context.request.post("/dashboard/session", data=body).ok
        page = context.new_page()
        page.goto(f"/dashboard/{path}")
        taken(page, IMAGES / f"{name}.png")
        context.close()


def taken(page: Page, file: Path) -> None:
    expect(page.locator("main .card").first).to_be_visible()
    expect(page.locator(".skeleton")).to_have_count(0)
    page.wait_for_load_state("networkidle")
    page.screenshot(path=file)
    assert file.stat().st_size <= MOST_BYTES, f"{file.name}: {file.stat().st_size} bytes"


if __name__ == "__main__":
    main()
