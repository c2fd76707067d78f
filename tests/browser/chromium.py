"""Debian's Chromium, driven by Playwright: the driver comes in a wheel, and no browser is ever downloaded."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome")
SECONDS = 20.0
"""How long anything may take to appear; two browsers and two gateways share the machine."""
QUIET = ("--disable-background-networking", "--disable-component-update", "--no-first-run")


def program() -> str:
    """Where the browser is."""
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    assert found, "Chromium is not installed; `make test` installs it"
    return found


@contextmanager
def launched() -> Iterator[Browser]:
    """A headless browser. Playwright's loop runs while it is open, so that nothing asynchronous may run beside it."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program(), args=list(QUIET))
        try:
            yield browser
        finally:
            browser.close()
