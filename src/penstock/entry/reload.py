"""SIGHUP: the configuration is read again, whole, and takes effect for new requests, or nothing changes."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Sequence
from typing import Any

from msgspec.structs import replace

from penstock.config import Config
from penstock.entry import judging
from penstock.entry.home import papers
from penstock.entry.inside import check_same
from penstock.entry.listener import Listener
from penstock.entry.secrets import with_issuer
from penstock.errors import Error, Misconfigured
from penstock.gateway import Gateway, build
from penstock.gateway.labels import Given
from penstock.wire.json import encode

Again = Callable[[], tuple[Config, Sequence[str]]]
"""Reads the configuration anew, with its notes; raises Misconfigured."""
Say = Callable[[dict[str, Any]], None]


class Serving:
    """The gateway that new requests go to, and its replacement."""

    def __init__(self, gateway: Gateway, listener: Listener, again: Again, say: Say) -> None:
        self.gateway = gateway
        self._listener = listener
        self._again = again
        self._say = say
        self._reading = False
        self._asked = False
        self._take(gateway)

    async def reload(self) -> None:
        """Reads and replaces; asked again meanwhile, it does so once more after that."""
        self._asked = True
        if self._reading:
            return
        self._reading = True
        try:
            while self._asked:
                self._asked = False
                await self._once()
        finally:
            self._reading = False

    async def _once(self) -> None:
        try:
            # Files are read and judged beside the loop, so that no stream waits for it.
            config, kept, notes, found = await asyncio.to_thread(self._read)
            before = self.gateway
            gateway = build(config, before.platform, before.report, before.edge, before)
            judging.equip(gateway, found)
        except Error as error:
            self._say(
                {"level": "error", "reload": "refused", "code": error.code, "error": error.message}
            )
            return
        gateway.draining = before.draining
        self._take(gateway)
        line = {"level": "info", "reload": "done", "notes": list(notes)}
        if kept:
            line["level"] = "warning"
            line["restart_for"] = kept
        self._say(line)

    def _read(self) -> tuple[Config, list[str], Sequence[str], Given]:
        wanted, notes = self._again()
        config, kept = lasting(self.gateway.config, wanted)
        config = with_issuer(config)
        check_same(self.gateway.config, config)
        papers(config)
        return config, kept, notes, judging.given(config)

    def _take(self, gateway: Gateway) -> None:
        self.gateway = gateway
        self._listener.gateway = gateway
        server = gateway.config.server
        self._listener.grace_seconds = server.grace_seconds
        self._listener.bound(server.max_connections, gateway.lasting.bodies)


def lasting(now: Config, wanted: Config) -> tuple[Config, list[str]]:
    """What is wanted, but for what a running process cannot change, and the names of that.

    Raises Misconfigured where the model in this process would be another.
    """
    if _local(now) != _local(wanted):
        raise Misconfigured("a provider of kind local cannot change while it runs; restart it")
    here, there = now.server, wanted.server
    pairs = {
        "platform": (now.platform, wanted.platform),
        "data": (now.data, wanted.data),
        "stores": (now.stores, wanted.stores),
        "durability": (now.durability, wanted.durability),
        "server.host": (here.host, there.host),
        "server.port": (here.port, there.port),
        "server.access_log": (here.access_log, there.access_log),
        "telemetry": (now.telemetry, wanted.telemetry),
        "monthly_report.font": (now.monthly_report.font, wanted.monthly_report.font),
        "cache.max_bytes": (now.cache.max_bytes, wanted.cache.max_bytes),
    }
    server = replace(there, host=here.host, port=here.port, access_log=here.access_log)
    cache = replace(wanted.cache, max_bytes=now.cache.max_bytes)
    monthly = replace(wanted.monthly_report, font=now.monthly_report.font)
    whole = replace(
        wanted, platform=now.platform, data=now.data, durability=now.durability, stores=now.stores,
        server=server, cache=cache, telemetry=now.telemetry, monthly_report=monthly,
    )  # fmt: skip
    return whole, [name for name, (old, new) in pairs.items() if old != new]


def _local(config: Config) -> list[tuple[str, str, int]]:
    """What the local model was loaded by."""
    return sorted(
        (provider.path, target.model, target.dimension)
        for name, provider in config.providers.items()
        if provider.kind == "local"
        for target in config.targets
        if target.provider == name
    )


def say(line: dict[str, Any]) -> None:
    """One JSON line on standard error."""
    sys.stderr.write(encode(line).decode() + "\n")
    sys.stderr.flush()
