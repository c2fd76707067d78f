"""`Fetch` over HTTP/1.1 and TLS: what leaves this machine for a target leaves here."""

from __future__ import annotations

from penstock.platforms.http.client import Http

__all__ = ["Http"]
