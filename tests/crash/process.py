"""The gateway's process: started, waited for while it dies, or stopped as an operator would."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import Self

from tests.crash.fuse import MARK

ROOT = Path(__file__).resolve().parents[2]
READY = "listening on "
SECONDS = 30.0
KILLED = -signal.SIGKILL


class Died(Exception):
    """It ended where it should not have, or complained."""


class Process:
    """One process of a gateway; `said` are the lines of its standard error."""

    def __init__(self, config: Path, *options: str) -> None:
        self._command = [
            sys.executable, "-m", "tests.crash.gateway", "--config", str(config), *options,
        ]  # fmt: skip
        self._process: asyncio.subprocess.Process | None = None
        self._reading: asyncio.Task[None] | None = None
        self._up = asyncio.Event()
        self.ended = asyncio.Event()
        self.said: list[str] = []
        self.url = ""

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.end()

    async def start(self) -> None:
        """Returns once it listens; raises Died where it does not come to that."""
        self._process = await asyncio.create_subprocess_exec(
            *self._command, cwd=ROOT, env=_environment(),
            stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        self._reading = asyncio.create_task(self._read(self._process))
        async with asyncio.timeout(SECONDS):
            await self._up.wait()
        if not self.url:
            await self.end()
            raise Died(f"it did not start: {self.said}")

    async def died_at(self, seconds: float) -> str:
        """The fail-point at which it killed itself within so many seconds; empty, and killed, where at none."""
        assert self._process is not None
        assert self._reading is not None
        try:
            async with asyncio.timeout(seconds):
                await self.ended.wait()
        except TimeoutError:
            self._process.kill()
        await self._reading
        points = [line.removeprefix(MARK) for line in self.said if line.startswith(MARK)]
        return points[0] if points and self._process.returncode == KILLED else ""

    async def stop(self) -> None:
        """Ends it by SIGTERM; raises Died where it went otherwise than well."""
        assert self._process is not None
        assert self._reading is not None
        self._process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(SECONDS):
            await self._reading
        if self._process.returncode:
            raise Died(f"it ended with {self._process.returncode}: {self.said}")

    async def end(self) -> None:
        """Whatever it does, it is gone."""
        if self._process is not None and self._reading is not None:
            if self._process.returncode is None:
                self._process.kill()
            await self._reading

    @property
    def complaints(self) -> list[str]:
        """What nobody foresaw, of all it said."""
        return [line for line in self.said if '"level":"error"' in line or "Traceback" in line]

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        assert process.stderr is not None
        async for line in process.stderr:
            text = line.decode().strip()
            self.said.append(text)
            if READY in text:
                self.url = text.partition(READY)[2]
                self._up.set()
        await process.wait()
        self._up.set()
        self.ended.set()


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("PENSTOCK_")}
