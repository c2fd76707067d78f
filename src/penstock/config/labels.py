"""What is kept for routers to learn from, and with whose consent."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

Days = Annotated[int, Meta(ge=1, le=36_500)]


class Labels(Struct, frozen=True, forbid_unknown_fields=True):
    """What is kept for routers to learn from: feedback, judged answers, and prompts of tenants who agreed."""

    retention_days: Days = 90
    """How long it is kept."""
