"""How long a person waits for the overview: a browser's own clock, from the address to the frame that shows the figures."""

from __future__ import annotations

import gzip
import json
import urllib.request
from statistics import median

from playwright.sync_api import Browser, BrowserContext

from bench.env import ROOT
from bench.process import BenchFailed
from tests.browser.chromium import launched

BUILT = ROOT / "src" / "penstock" / "dashboard"
SUFFIXES = {".js", ".css", ".html", ".svg"}
TRIES = 9
SECONDS = 30.0
# The browser's own word of when the amount saved was painted, and its listener costs the page nothing meanwhile.
WATCH = """
new PerformanceObserver((list) => {
  for (const { identifier, renderTime } of list.getEntries())
    if (identifier === 'Saved') console.debug(`painted ${renderTime}`);
}).observe({ type: 'element', buffered: true });
"""
PAINTED = "painted "


def figures(url: str, credential: str) -> dict[str, float]:
    """Milliseconds, medians: of a browser that was never there, and of one that has the scripts."""
    _served(url)
    with launched() as browser:
        context = _signed_in(browser, url, credential)
        _once(context, url)
        again = [_once(context, url) for _ in range(TRIES)]
        context.close()
        first = []
        for _ in range(TRIES):
            context = _signed_in(browser, url, credential)
            first.append(_once(context, url))
            context.close()
    return {
        "overview_on_screen_ms": median(first),
        "overview_on_screen_again_ms": median(again),
        "ui_kb_gzip": _bytes() / 1024,
    }


def _bytes() -> int:
    """Of all that a browser can load of the dashboard, compressed."""
    files = [path for path in BUILT.rglob("*") if path.suffix in SUFFIXES]
    return sum(len(gzip.compress(path.read_bytes(), 9)) for path in files)


def _served(url: str) -> None:
    with urllib.request.urlopen(f"{url}/dashboard") as reply:
        if b"/dashboard/assets/" not in reply.read():
            raise BenchFailed("the dashboard is not built: make ui")


def _signed_in(browser: Browser, url: str, credential: str) -> BrowserContext:
    context = browser.new_context(base_url=url, viewport={"width": 1280, "height": 800})
    context.set_default_timeout(SECONDS * 1e3)
    body = json.dumps({"credential": credential})
    reply = context.request.post(
        "/dashboard/session", data=body, headers={"content-type": "application/json"}
    )
    if not reply.ok:
        raise BenchFailed(f"signing in: {reply.status} {reply.text()[:200]}")
    return context


def _once(context: BrowserContext, url: str) -> float:
    page = context.new_page()
    page.add_init_script(WATCH)
    with page.expect_console_message(lambda said: said.text.startswith(PAINTED)) as told:
        page.goto(f"{url}/dashboard", wait_until="commit")
    took = float(told.value.text.removeprefix(PAINTED))
    page.close()
    return took
