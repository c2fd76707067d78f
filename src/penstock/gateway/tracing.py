"""A request's spans: gathered while it runs, recorded together at its end; none of them holds a text or a credential."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from penstock.config import Config
from penstock.config.labels import Tenant
from penstock.errors import Error
from penstock.gateway import genai
from penstock.gateway.faces import CHAT
from penstock.gateway.genai import Fields
from penstock.limits.hold import Hold, Tried
from penstock.ports import Clock, Ids, Platform, Traces
from penstock.upstream.send import ANSWERED
from penstock.wire import tracing
from penstock.wire.chat import Usage
from penstock.wire.http import Request, Response
from penstock.wire.tracing import PARENT, STATE, Context, Span

if TYPE_CHECKING:
    from penstock.gateway.delivery import Delivery
    from penstock.gateway.exchange import Exchange
    from penstock.gateway.retrieval import Retrieved
    from penstock.routing.routes import Way

METHODS = frozenset(
    {"CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "QUERY", "TRACE"}
)
SPAN_BITS = 64
TOLD = {
    "id": "penstock.request.id",
    "caller": "penstock.caller",
    "route": "penstock.route",
    "target": "penstock.target",
    "cache": "penstock.cache",
    "service": "penstock.service",
}
"""What the access log's notes of a request are called in its span."""
AGREED_TO_NOTHING = Tenant()


class Tracer:
    """Begins a trace for each request of a gateway."""

    def __init__(self, config: Config, platform: Platform, traces: Traces) -> None:
        self.traces = traces
        self.clock: Clock = platform.clock
        self.tenants = config.tenants
        self.content = config.telemetry.content
        self._ids: Ids = platform.ids
        self._sample = config.telemetry.sample

    def begin(self, request: Request) -> Trace:
        """Under what its caller sent, or a new one, of which a share is sampled."""
        drawn = self._ids.secret(24)
        parent = tracing.parent_of(request.headers)
        if parent is None:
            trace = drawn[:16].hex()
            # The trace's own bits draw the lot, as they do everywhere: whoever else draws it comes to the same.
            sampled = int.from_bytes(drawn[8:16], "big") < self._sample * (1 << 64)
        else:
            trace, sampled = parent.trace, parent.sampled and self._sample > 0
        return Trace(self, trace, parent, int.from_bytes(drawn[16:], "big"), sampled=sampled)


class Trace:
    """One request's: `id` is that of all of it, and names it in the log and the decision record."""

    __slots__ = ("_at", "_base", "_closed", "_cost", "_error", "_fields", "_found", "_last", "_look", "_parent", "_root", "_spans", "_tracer", "id",
                 "sampled")  # fmt: skip

    def __init__(
        self, tracer: Tracer, id: str, parent: Context | None, first: int, *, sampled: bool
    ) -> None:
        self.id = id
        self.sampled = sampled
        self._tracer = tracer
        self._base = tracer.clock.now() - tracer.clock.tick()
        self._parent = parent
        self._last = first
        self._root = self._at = self._new()
        self._spans: list[Span] = []
        self._fields: Fields = {}
        self._error = ""
        self._cost = 0
        self._look: float | None = None
        self._found: float | None = None
        self._closed = False

    def header(self, span: str = "") -> tuple[str, str]:
        """By which a service comes under the request's span, or one of its children."""
        return tracing.header(Context(self.id, span or self._root, self.sampled))

    def look(self) -> None:
        """An answer is looked for."""
        self._look = self._tracer.clock.tick()

    def found(self) -> None:
        """There was one, or none; asked again it is the first time that counts."""
        self._found = self._found or self._tracer.clock.tick()

    def chat(self, delivery: Delivery) -> None:
        """What a chat came to: where its answer was looked for, and every attempt to buy it."""
        try:
            self._chat(delivery)
        except Exception as error:  # noqa: BLE001 - whatever it is, the caller has an answer
            delivery.gateway.report(delivery.exchange.id, error)

    def _chat(self, delivery: Delivery) -> None:
        decision, now = delivery.decision, self._tracer.clock.tick()
        self._error = decision.error
        self._fields["penstock.policy"] = decision.policy
        self._fields["penstock.tier"] = decision.tier
        self._cost += decision.cost_nanos
        decision.trace = self.id
        if delivery.way is not None:
            self.named(delivery.way)
        if self._look is not None:
            self.looked(delivery.face.verb, decision.cache, self._look, self._found or now)
        tried = delivery.hold.tried if delivery.hold is not None else None
        asked = genai.asked(delivery.ask) | self._content(delivery) if tried else {}
        for one in tried or ():
            fields, ended, error = genai.tried(one, "chat") | asked, one.ended, one.outcome
            if error == ANSWERED and delivery.answer is not None:
                fields |= genai.answered(delivery, one)
                fields["penstock.cost.nanodollars"] = decision.cost_nanos
                ended, error = max(ended, delivery.answer.heard), decision.error
            self._called(one, fields, ended, error)

    def named(self, way: Way) -> None:
        """Where it went, in place of what a caller's own words make of it."""
        first = way.offers[0] if way.offers else None
        if first is not None and not first.configured:
            self._fields["penstock.route"] = self._fields["penstock.target"] = first.label

    def embedded(self, hold: Hold, usage: Usage | None) -> None:
        """One call of an embeddings request, with every attempt at it."""
        for one in hold.tried or ():
            fields = genai.tried(one, "embeddings")
            if one.outcome == ANSWERED and usage is not None:
                fields["gen_ai.usage.input_tokens"] = usage.total_input
                fields["penstock.cost.nanodollars"] = hold.amount
            self._called(one, fields, one.ended, one.outcome)

    def vectors(self, cache: str, began: float, looked: float, cost: int) -> None:
        """What an embeddings request came to, beside its calls."""
        self.looked("embed", cache, began, looked)
        self._cost += cost

    def looked(self, kind: str, cache: str, began: float, ended: float) -> None:
        """A look into the cache, and what there was."""
        fields: Fields = {"penstock.cache": cache, "penstock.cache.kind": kind}
        self._add(f"cache {kind}", began, ended, fields)

    async def retrieving(self, k: int, work: Callable[[], Awaitable[Retrieved]]) -> Retrieved:
        """A search of documents, with what is asked of models for it under it."""
        before, span, began = self._at, self._new(), self._tracer.clock.tick()
        self._at = span
        fields: Fields = {"gen_ai.operation.name": "retrieval", "gen_ai.retrieval.top_k": k}
        error = "cancelled"
        try:
            found = await work()
            error = ""
            fields["penstock.sources"] = len(found.sources)
            return found
        except Exception as problem:
            error = _code(problem)
            raise
        finally:
            self._at = before
            self._add("retrieval", began, self._tracer.clock.tick(), fields, error=error, id=span)

    async def passing(
        self, name: str, onward: Request, answer: Callable[[Request], Awaitable[Response]]
    ) -> Response:
        """A request that goes on to a service, until the head of its reply; the service comes under this."""
        span, began = self._new(), self._tracer.clock.tick()
        # Without a parent that holds, what comes with it means nothing either.
        ours = (PARENT,) if self._parent is not None else (PARENT, STATE)
        headers = [pair for pair in onward.headers if pair[0] not in ours]
        onward.headers = [*headers, self.header(span)]
        fields: Fields = {"http.request.method": _method(onward), "penstock.service": name}
        error = "cancelled"
        try:
            response = await answer(onward)
            fields["http.response.status_code"] = response.status
            error = str(response.status) if response.status >= 400 else ""
            return response
        except Exception as problem:
            error = _code(problem)
            raise
        finally:
            host, port = genai.host_of(str(onward.notes.get("backend", "")))
            if host:
                fields |= {"server.address": host, "server.port": port}
            ended = self._tracer.clock.tick()
            # Where the cache had it, nobody was asked.
            kind: tracing.Kind = "internal" if onward.notes.get("cache") == "hit" else "client"
            self._add(
                f"{_method(onward)} {name}", began, ended, fields, kind=kind, error=error, id=span
            )

    def end(self, exchange: Exchange, path: str) -> None:
        """The request is over, counted under a path: its own span, and all that were gathered."""
        notes, request, status = exchange.notes, exchange.request, exchange.status
        method = _method(request)
        fields: Fields = {
            "http.request.method": method,
            "http.route": path,
            "http.response.status_code": status,
            "url.scheme": "http",
        }
        for note, name in TOLD.items():
            if value := notes.get(note):
                fields[name] = str(value)
        code = self._error or str(notes.get("error", ""))
        if self._cost or self._fields:
            fields["penstock.cost.nanodollars"] = self._cost
        if code:
            fields["penstock.error"] = code
        failed = status >= 500 or (status < 400 and code not in ("", "cancelled"))
        self._at = self._parent.span if self._parent is not None else ""
        self._closed = True
        spans, self._spans = self._spans, []
        began, ended = exchange.started, self._tracer.clock.tick()
        root = self._span(
            f"{method} {path}", began, ended, fields | self._fields, "server",
            (code or str(status)) if failed else "", self._root,
        )  # fmt: skip
        # What comes late, as of an answer that others still read, comes under it all the same.
        self._at = self._root
        self._tracer.traces.record([root, *spans])

    def _called(self, one: Tried, fields: Fields, ended: float, outcome: str) -> None:
        kind: tracing.Kind = "internal" if one.at.kind in genai.HERE else "client"
        name = f"{fields['gen_ai.operation.name']} {fields['gen_ai.request.model']}"
        error = "" if outcome == ANSWERED else outcome
        self._add(name, one.began, ended, fields, kind=kind, error=error)

    def _content(self, delivery: Delivery) -> Fields:
        """The prompt, where the operator has it so and its tenant agreed."""
        tracer, exchange = self._tracer, delivery.exchange
        if not tracer.content or exchange.caller.anonymous or delivery.face.verb != CHAT:
            return {}
        tenant = tracer.tenants.get(exchange.caller.tenant, AGREED_TO_NOTHING)
        if tenant.texts != "all" or "no-store" in exchange.cache_control or not self.sampled:
            return {}
        told = genai.messages(delivery.ask)
        return {"gen_ai.input.messages": told} if told else {}

    def _add(
        self, name: str, began: float, ended: float, fields: Fields, *, kind: tracing.Kind = "internal",
        error: str = "", id: str = "",
    ) -> None:  # fmt: skip
        span = self._span(name, began, ended, fields, kind, error, id or self._new())
        if self._closed:
            self._tracer.traces.record([span])
        else:
            self._spans.append(span)

    def _span(
        self, name: str, began: float, ended: float, fields: Fields, kind: tracing.Kind, error: str, id: str
    ) -> Span:  # fmt: skip
        base = self._base
        if error:
            fields["error.type"] = error
        return Span(
            name, self.id, id, base + began, base + max(began, ended), fields, self._at, kind, error, self.sampled
        )  # fmt: skip

    def _new(self) -> str:
        """Another span's id: the first is drawn, the others follow it."""
        self._last = (self._last + 1) % (1 << SPAN_BITS) or 1
        return f"{self._last:016x}"


def _method(request: Request) -> str:
    return request.method if request.method in METHODS else "_OTHER"


def _code(problem: Exception) -> str:
    return problem.code if isinstance(problem, Error) else Error.code
