"""Whether what was deployed answers: its health and its readiness, asked until it does or has had its time."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from penstock import __version__
from penstock.entry.cloudflare.wrangler import Undeployed

TRIES = 20
PAUSE_SECONDS = 3.0
"""A new Worker's address, and a new version everywhere, take their time."""

Get = Callable[[str], tuple[int, bytes]]
"""Status and body of a URL; raises OSError."""


def smoke(url: str, get: Get, pause: Callable[[float], None]) -> None:
    """Returns once `/health` is of this version and `/readyz` is ready; raises Undeployed with what was said last."""
    said = ""
    for tried in range(TRIES):
        if tried:
            pause(PAUSE_SECONDS)
        said = _wrong(url.rstrip("/"), get)
        if not said:
            return
    raise Undeployed(f"what was deployed does not work: {said}")


def _wrong(base: str, get: Get) -> str:
    try:
        status, body = get(f"{base}/health")
        version = _object(body).get("version")
        if status != 200 or version != __version__:
            return f"{base}/health answers {status} of version {version or 'unknown'}, not {__version__}"
        status, body = get(f"{base}/readyz")
    except OSError:
        return f"{base} is out of reach"
    return "" if status == 200 else f"{base}/readyz answers {status}: {_told(body)}"


def _told(body: bytes) -> str:
    """The problem it names, in one line."""
    found = _object(body)
    text = str(found.get("detail") or found.get("title") or body[:300].decode(errors="replace"))
    return " ".join(text.split())


def _object(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
