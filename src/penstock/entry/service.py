"""What the connections of one server share."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from penstock.entry.writer import Outbox
from penstock.gateway.bodies import Bodies
from penstock.ports import Fetch
from penstock.wire.http import Request

if TYPE_CHECKING:
    from penstock.entry.connection import Connection

Log = Callable[[Request, int, float], None]
Report = Callable[[str, BaseException], None]
"""Told the request id, where there is one, and an error nobody foresaw."""


class Service(Protocol):
    """A server, as its connections see it."""

    gateway: Fetch
    log: Log
    report: Report
    new_id: Callable[[str], str]
    connections: set[Connection]
    bodies: Bodies
    closing: bool
    outbox: Outbox
    date: bytes
    cut_off: bytes
    """The event that ends a stream when the server stops."""

    def left(self, connection: Connection) -> None:
        """Told of each that is lost."""
