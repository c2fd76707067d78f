"""`penstock`, with its roll-ups every two seconds or never: what they cost a request is the difference."""

from __future__ import annotations

import sys
from typing import Any

from penstock.entry import upkeeping
from penstock.entry.cli import main
from penstock.ledger import rollups

OFTEN_SECONDS = 2.0
"""So that a short round has the passes over all that it wrote."""


async def none(*_: Any) -> int:
    """In a pass's place."""
    return 0


if __name__ == "__main__":
    upkeeping.EVERY_SECONDS = OFTEN_SECONDS
    if sys.argv[1] == "never":
        vars(rollups)["roll"] = none
    sys.exit(main(sys.argv[2:]))
