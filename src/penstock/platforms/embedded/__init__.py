"""The home on one machine: SQLite, one process that serves, nothing else to install or run."""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections.abc import AsyncGenerator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from collections.abc import Generator
from pathlib import Path

from penstock.errors import Misconfigured
from penstock.platforms.crypto import Signatures
from penstock.platforms.embedded.meter import EmbeddedMeter, Epoch, bump
from penstock.platforms.embedded.store import EmbeddedStore
from penstock.platforms.embedded.tables import Durability, EmbeddedTables
from penstock.platforms.embedded.world import RandomIds, RealClock, Spawner
from penstock.platforms.migrations import Migration, shipped
from penstock.ports import Fetch, Platform, Runner

__all__ = ["EmbeddedTables", "bump", "lock", "open_platform", "open_tables", "prepare"]
