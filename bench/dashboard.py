"""The dashboard: from opening it until the overview's figures are on screen, in Debian's Chromium on a million-row ledger."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from playwright.sync_api import BrowserContext, Error, sync_playwright

# It runs as a script, from anywhere.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench import peers
from bench.measure import settle
from bench.peers import Contender
from bench.process import LOAD_CORE, BenchFailed
from bench.reports_ledgers import build
from load.fake_provider import FakeProvider
from penstock.platforms.embedded import TABLES_FILE

MILLION = 1_000_000
TRIES = 9
PATIENCE_MS = 30_000
NAMES = ("chromium", "chromium-browser", "google-chrome")
QUIET = ("--no-sandbox", "--disable-background-networking", "--no-first-run")
SEEN = """
new MutationObserver(() => {
  if (window.seen === undefined && document.querySelector('[data-ready=overview]')) {
    window.seen = null;
    requestAnimationFrame(() => { window.seen = performance.now(); });
  }
}).observe(document, { subtree: true, childList: true });
"""
"""Tells when the figures are drawn, by the page's own clock, which begins when it is asked for."""
ROWS = (
    ("overview_first_ms", "the first visit, nothing in the browser's cache, median of 9", "< 300"),
    ("overview_again_ms", "the next one, its files in the cache", "< 300"),
    ("overview_gateway_cpu_ms", "the gateway's CPU for a visit until then", ""),
    ("load_average", "of the machine, a minute's, at the end", ""),
)
Record = dict[str, float]
Say = Callable[[str], None]


def main() -> int:
    """0 done, 1 failed, with one line on standard error."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="one flat object, nothing else")
    parser.add_argument("--rows", type=int, default=MILLION, help="of the ledger (default: 10⁶)")
    options = parser.parse_args()

    def say(text: str) -> None:
        if not options.json:
            sys.stderr.write(text + "\n")

    try:
        record = measured(options.rows, say)
    except (BenchFailed, Error, OSError, ValueError) as error:
        sys.stderr.write("dashboard bench: " + " ".join(str(error).split())[:500] + "\n")
        return 1
    print(json.dumps({key: round(value, 2) for key, value in record.items()}))
    if not options.json:
        for key, about, wanted in ROWS:
            print(f"| {key} | {wanted} | {record[key]:,.4g} | {about} |")
    return 0


def measured(rows: int, say: Say) -> Record:
    """All figures, of a gateway and a browser that are started for it."""
    program = next((path for name in NAMES if (path := shutil.which(name))), None)
    if program is None:
        raise BenchFailed("Chromium is not installed: apt-get install chromium")
    with tempfile.TemporaryDirectory(prefix="dashboard-") as folder:
        home = Path(folder)
        pinned = ("taskset", "-c", str(LOAD_CORE), sys.executable)
        with FakeProvider("--key", "sk-fake", "--no-rows", python=pinned) as fake:
            serving = _serving(home, fake.url, rows, say)
            try:
                return _seen(serving, program, peers.token(_config(home), "--scope", "admin"), say)
            finally:
                serving.process.end()


def _serving(home: Path, source: str, rows: int, say: Say) -> Contender:
    peers.penstock(home, source).process.end()
    [path] = home.rglob(TABLES_FILE)
    for file in path.parent.glob(f"{TABLES_FILE}*"):
        file.unlink()
    requests, _ = build(path, rows, int(time.time() * 1000))
    say(f"{rows:,} rows of {requests:,} requests")
    serving = peers.restarted(home, [str(peers.BIN / "penstock")])
    settle(serving.process)
    return serving


def _config(home: Path) -> Path:
    return home / "penstock/penstock.toml"


def _seen(serving: Contender, program: str, credential: str, say: Say) -> Record:
    first, again, spent = [], [], []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=list(QUIET))
        for _ in range(TRIES):
            context = browser.new_context(base_url=serving.url)
            body = {"credential": credential}
            if context.request.post("/dashboard/session", data=body).status != 200:
                raise BenchFailed("the dashboard let nobody in")
            for kept in (first, again):
                settle(serving.process)
                cpu = serving.process.cpu_seconds()
                kept.append(_visit(context))
                spent.append((serving.process.cpu_seconds() - cpu) * 1e3)
            context.close()
        browser.close()
    say(f"first {[round(one) for one in first]}, again {[round(one) for one in again]}")
    found = {"overview_first_ms": median(first), "overview_again_ms": median(again)}
    load = float(Path("/proc/loadavg").read_text().split()[0])
    return found | {"overview_gateway_cpu_ms": median(spent), "load_average": load}


def _visit(context: BrowserContext) -> float:
    """Milliseconds by the page's own clock."""
    page = context.new_page()
    page.add_init_script(SEEN)
    page.goto("/dashboard", wait_until="commit")
    if page.locator("main").count() and "make ui" in page.locator("main").inner_text():
        raise BenchFailed("the dashboard is not built: make ui")
    page.wait_for_function("() => typeof window.seen === 'number'", timeout=PATIENCE_MS)
    seen = float(page.evaluate("() => window.seen"))
    page.close()
    return seen


if __name__ == "__main__":
    sys.exit(main())
