"""`penstock …`: the command line."""

from __future__ import annotations

from penstock.entry.cli.program import main

__all__ = ["main"]
