"""What every service asks of its tables."""

from __future__ import annotations

ANSWERS = "select 1"
