"""`Print` that sets nothing, for tests: a file whose one line is the paper's value."""

from __future__ import annotations

from penstock.wire.json import encode
from penstock.wire.paper import Paper


async def printed(paper: Paper) -> bytes:
    """It begins as a PDF does."""
    return b"%PDF-" + encode(paper) + b"\n%%EOF\n"
