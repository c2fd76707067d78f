"""What the ledger kept of the requests a bench made."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path

SETTLE_SECONDS = 10.0
FILE = "data/penstock.sqlite"
FINAL = "select count(*) from ledger where stage = 'final'"


def final_rows(home: Path) -> int:
    """Rows of stage `final`, read once their number stands still."""
    seen, until = -1, time.monotonic() + SETTLE_SECONDS
    while time.monotonic() < until:
        now = _count(home / FILE)
        if now == seen:
            break
        seen = now
        time.sleep(1.0)
    return seen


def _count(file: Path) -> int:
    connection = sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=10)
    try:
        count: int = connection.execute(FINAL).fetchone()[0]
    finally:
        connection.close()
    return count
