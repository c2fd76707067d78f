"""What all connections share: plans kept by request, the meter, faults, and the pump of streams."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import time
from urllib.parse import unquote

import msgspec
from msgspec.structs import replace

from load.fake_provider import faults
from load.fake_provider.answer import Variant
from load.fake_provider.connection import Connection
from load.fake_provider.control import Control
from load.fake_provider.dialects import dialect_of
from load.fake_provider.faultbook import FaultBook
from load.fake_provider.faults import Fault, Script
from load.fake_provider.http1 import Incoming
from load.fake_provider.meter import Call, Meter, charge
from load.fake_provider.openai import OPENAI
from load.fake_provider.plan import ID_MARK, Plan, Reply, Wire, to_wire
from load.fake_provider.provider import BadAsk, Order, Provider, refused
from load.fake_provider.settings import Settings
from load.fake_provider.stream import Pacer, Pump

__all__ = ["Connection", "Server"]

KEPT_PLANS = 512
KEPT_ROUTES = 512
NO_VARIANT = Variant()
KEPT_BODY_BYTES = 64_000


class Entry(msgspec.Struct, frozen=True):
    """A request worked out once: who speaks, what is sent, what it costs, what is to go wrong."""

    provider: Provider
    path: str
    plan: Plan
    wire: Wire
    full_charge: int
    body_sha256: str
    fault: Fault | None
    express: bool


class Route(msgspec.Struct, frozen=True):
    """A request line, read: `path` is decoded and without the query; no provider means 404."""

    method: str
    target: str
    path: str
    provider: Provider | None


class Server:
    """Answers requests handed over by connections."""

    def __init__(self, settings: Settings, loop: asyncio.AbstractEventLoop) -> None:
        self.settings = settings
        self.key = settings.key
        self.express = not settings.keep_rows and not settings.latency_seconds
        self.loop = loop
        self.meter = Meter(settings)
        self.book = FaultBook()
        self.control = Control(self.meter, self.book)
        self.connections: set[Connection] = set()
        self.entries: dict[tuple[bytes, bytes], Entry] = {}
        self.routes: dict[bytes, Route] = {}
        self.numbers = itertools.count(time.time_ns())
        rate = settings.chunks_per_second
        self.pump: Pump | Pacer = Pacer(loop, rate) if rate else Pump(loop)

    def handle(self, connection: Connection, request: Incoming) -> None:
        """One complete request."""
        line = request.head[: request.head.find(b"\r\n")]
        entry = self.entries.get((line, request.body))
        if entry is None:
            route = self.routes.get(line) or self._route(line)
            if route.path.startswith("/_"):
                answer = self.control.answer(route.method, route.target, request)
                connection.start_control(answer)
                return
            entry = self._first_time(line, route, request.body)
        if self.express and entry.express and self._nothing_special(request, entry):
            self.meter.count(entry.full_charge)
            connection.send_whole(entry.wire, b"%024x" % next(self.numbers))
            return
        if self.settings.keep_rows:
            self.meter.keep_request(request.head, request.body)
        self._serve(connection, request, entry)

    def _nothing_special(self, request: Incoming, entry: Entry) -> bool:
        if self.book.standing or b"\r\nx-fake-fault:" in request.lower:
            return False
        return entry.provider.admits(request.header, self.key) is None

    def _route(self, line: bytes) -> Route:
        if len(self.routes) >= KEPT_ROUTES:
            self.routes.clear()
        parts = line.decode("latin-1").split(" ")
        method, target = (parts[0], parts[1]) if len(parts) == 3 else ("", "")
        path = unquote(target.partition("?")[0])
        self.routes[line] = Route(method, target, path, dialect_of(method, path))
        return self.routes[line]

    def _first_time(self, line: bytes, route: Route, body: bytes) -> Entry:
        if route.provider is None:
            unknown = refused(OPENAI, BadAsk(404, "Unknown path."))
            return self._entry(OPENAI, route.path, body, unknown)
        entry = self._plan(route.provider, route.path, body, NO_VARIANT)
        if len(body) <= KEPT_BODY_BYTES:
            if len(self.entries) >= KEPT_PLANS:
                self.entries.clear()
            self.entries[line, body] = entry
        return entry

    def _plan(self, provider: Provider, path: str, body: bytes, variant: Variant) -> Entry:
        """Plans a reply; a fault asked for in the prompt itself is planned in."""
        order = Order(path, body, variant, self.settings)
        fault = None
        try:
            plan = provider.plan(order)
            if plan.fault and not variant.name:
                fault = _parsed(plan.fault)
                plan = provider.plan(replace(order, variant=_variant(fault)))
        except BadAsk as bad:
            plan = refused(provider, bad)
        return self._entry(provider, path, body, plan, fault)

    def _entry(
        self, provider: Provider, path: str, body: bytes, plan: Plan, fault: Fault | None = None
    ) -> Entry:
        cost = charge(plan.usage, self.settings.price(plan.model)) if plan.model else 0
        sha256 = hashlib.sha256(body).hexdigest() if self.settings.keep_rows else ""
        express = fault is None and not plan.reply.streamed
        return Entry(provider, path, plan, to_wire(plan.reply), cost, sha256, fault, express)

    def _serve(self, connection: Connection, request: Incoming, entry: Entry) -> None:
        fault = self._standing_fault(request, entry.path) or entry.fault
        denied = entry.provider.admits(request.header, self.key)
        if denied:
            entry = self._answered(entry, refused(entry.provider, BadAsk(*denied)))
        elif fault and fault is not entry.fault and fault.name in faults.VARIANTS:
            entry = self._plan(entry.provider, entry.path, request.body, _variant(fault))
        status = faults.status_of(fault) if fault else None
        if fault and status and not denied:
            reply = faults.status_reply(entry.provider, fault, status)
            entry, fault = self._answered(entry, Plan(reply)), None
        call = self._open(request, entry)
        if fault and not denied:
            connection.start_script(self._script(entry, fault, call), call)
        elif self.settings.latency_seconds:
            connection.start_later(self.settings.latency_seconds, entry.wire, call, entry.plan)
        else:
            connection.start(entry.wire, call, entry.plan)

    def _answered(self, entry: Entry, plan: Plan) -> Entry:
        return replace(entry, plan=plan, wire=to_wire(plan.reply), full_charge=0, fault=None)

    def _standing_fault(self, request: Incoming, path: str) -> Fault | None:
        named = request.header(b"x-fake-fault")
        if named:
            return _parsed_or_none(named)
        return self.book.take(path) if self.book.standing else None

    def _open(self, request: Incoming, entry: Entry) -> Call:
        call = Call(
            next(self.numbers),
            entry.path,
            entry.plan,
            entry.full_charge,
            request.head,
            entry.body_sha256,
            time.time(),
            self.meter.epoch,
            entry.plan.usage.output,
            entry.plan.reply.status,
        )
        if self.settings.idempotent:
            key = request.header(b"idempotency-key")
            if key and self.meter.replayed(key):
                call.full_charge = 0
        self.meter.open(call)
        return call

    def _script(self, entry: Entry, fault: Fault, call: Call) -> Script:
        reply: Reply = entry.plan.reply
        events = tuple(event.replace(ID_MARK, call.id) for event in reply.events)
        script = faults.script(entry.provider, fault, replace(reply, events=events))
        call.status = script.status
        if not script.charged:
            call.full_charge = 0
        return script


def _variant(fault: Fault) -> Variant:
    return Variant(fault.name, fault.arg) if fault.name in faults.VARIANTS else NO_VARIANT


def _parsed(text: str) -> Fault:
    try:
        return faults.parse(text)
    except ValueError as error:
        raise BadAsk(400, str(error)) from error


def _parsed_or_none(text: str) -> Fault | None:
    try:
        return faults.parse(text)
    except ValueError:
        return None
