"""Whether all documents are in the index that is searched: after a change of the embedding model they are not."""

from __future__ import annotations

from pathlib import Path

from penstock.config import Config
from penstock.config.embedder import embedder
from penstock.entry.cli.probes import Finding
from penstock.entry.home import opened_tables
from penstock.errors import Error
from penstock.platforms.embedded import TABLES_FILE
from penstock.rag import documents

MEND = "run `penstock rag reindex`"


async def strays(config: Config) -> list[Finding]:
    """What says so; nothing where all are, or where there are no tables to ask."""
    if config.platform == "embedded" and not (Path(config.data) / TABLES_FILE).exists():
        return []
    target = embedder(config).target
    model = "" if target is None else target.model
    try:
        async with opened_tables(config) as tables:
            number = await documents.elsewhere_count(tables, model, everything=False)
    except Error:
        return []  # other findings say why they are out of reach
    if not number:
        return []
    found = f"{number} were indexed by another embedding model than {model or 'none'}, and are not found"
    return [Finding("documents", False, found, MEND)]
