"""The outside of the gateway as an OpenAPI document, and a page that shows it."""

from __future__ import annotations

from typing import Any

import penstock

PAGE_HEADERS = (
    ("content-security-policy", "default-src 'none'; style-src 'self'; frame-ancestors 'none'"),
    ("x-content-type-options", "nosniff"),
)


def document() -> dict[str, Any]:
    """OpenAPI 3.1 of every path."""
    return {
        "openapi": "3.1.0",
        "info": {"title": "Penstock", "version": penstock.__version__},
        "paths": {},
    }


def page() -> bytes:
    """A page without scripts that lists the paths."""
    return b"<!doctype html><title>Penstock</title>"
