"""The gateway: a function from Request to Response, given a platform."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from penstock.auth import caller as callers
from penstock.auth.caller import Caller, require
from penstock.auth.identify import Identity
from penstock.cache.exact import Exact
from penstock.cache.generations import Generations
from penstock.cache.purchases import Purchases
from penstock.config import Config
from penstock.errors import Error, NotAllowed, NotFound, Unauthorized
from penstock.gateway import reply
from penstock.gateway.cors import Cors
from penstock.gateway.counters import Counters
from penstock.gateway.exchange import Exchange
from penstock.gateway.idempotency import Once, keyed
from penstock.gateway.kept import Kept
from penstock.gateway.lasting import Lasting, alone, lasting
from penstock.gateway.limiting import Limits
from penstock.gateway.measures import OTHER
from penstock.gateway.names import Names
from penstock.gateway.routes import Endpoint, find
from penstock.gateway.services import Services
from penstock.gateway.tenant_keys import TenantKeys
from penstock.ledger.journal import Journal
from penstock.ports import Platform
from penstock.upstream.send import Upstream
from penstock.wire.http import Request, Response

if TYPE_CHECKING:
    from penstock.gateway.labels import Labels
    from penstock.gateway.tracing import Tracer

CLIENT_GONE = 499
"""What the counters say of a request whose client left before there was a reply."""
NOBODY = Caller(sub="", tenant="", scopes=frozenset())
Report = Callable[[str, BaseException], None]
"""Told the request id and an error nobody foresaw; it must not write the error's text to where callers see it."""


@dataclass(slots=True)
class Gateway:
    """Everything a request needs, built once; calling it serves one request."""

    config: Config
    platform: Platform
    identity: Identity
    limits: Limits
    names: Names
    generations: Generations
    exact: Exact
    kept: Kept
    upstream: Upstream
    journal: Journal
    cors: Cors
    report: Report
    counters: Counters
    once: Once
    purchases: Purchases
    lasting: Lasting
    services: Services
    tenant_keys: TenantKeys
    labels: Labels | None = None
    tracer: Tracer | None = None
    edge: str = "unknown"
    started_at: float = 0.0
    draining: bool = False

    async def __call__(self, request: Request) -> Response:
        """Serves one request; refusals and failures come back as replies, never as exceptions."""
        if request.method == "OPTIONS" and (preflight := self.cors.preflight(request)) is not None:
            return preflight
        methods = find(request.path) or self.services.find(request.path)
        endpoint = (
            None
            if methods is None
            else methods.get("GET" if request.method == "HEAD" else request.method)
        )
        exchange = Exchange(
            self.platform.ids.new("req_"), request, endpoint or _NOTHING, self.platform.clock.tick(),
            self.config.server.max_body_bytes, NOBODY, self.lasting.bodies,
        )  # fmt: skip
        request.notes["id"] = exchange.id
        if self.tracer is not None:
            exchange.trace = self.tracer.begin(request)
            request.notes["trace"] = exchange.trace.id
        try:
            if endpoint is None:
                raise _nothing(request, tuple(methods or ()))
            if endpoint.slot != "none":
                slots, first = self.lasting.admission, endpoint.slot == "first"
                exchange.leave = slots.begin(first) or await slots.wait(first)  # Overloaded
            await self._enter(exchange, endpoint)
            handler = self.once if endpoint.spends and keyed(request) else endpoint.handler
            response = await handler(self, exchange)
        except Error as error:
            response = self._refuse(exchange, error)
        except Exception as error:  # noqa: BLE001 - the last line of defence; nothing of it reaches the caller
            self.report(exchange.id, error)
            response = self._refuse(exchange, Error())
        except BaseException:
            exchange.status = CLIENT_GONE
            self._over(exchange)
            raise
        return self._finish(exchange, response)

    async def start(self) -> None:
        """Reads what must be known before the first request."""
        await self.generations.read()

    async def stop(self) -> None:
        """Ends what is drained and writes what waits; no request may come after it."""
        await self.lasting.ingests.stop()
        await self.lasting.drains.stop()
        await self.lasting.behind.stop()
        await self.journal.flush()

    async def _enter(self, exchange: Exchange, endpoint: Endpoint) -> None:
        """Who asks, whether they may, and one more of their rate: before anything is read of the body."""
        auth = endpoint.auth
        if auth == "none":
            return
        optional = auth == "optional" or (auth == "routed" and self.names.routes.any_optional)
        if auth == "address":
            address = self.identity.address(exchange.request)
            caller = exchange.caller = callers.anonymous(address, Unauthorized())
        else:
            caller = exchange.caller = await self.identity.identify(exchange.request, optional)
        exchange.notes["caller"] = caller.hash
        try:
            took = await self.limits.rates.admit(caller, endpoint.limit)
        except Unauthorized as revoked:
            self.identity.forget(caller.credential)
            if not optional:
                raise
            caller = exchange.caller = callers.anonymous(caller.address, revoked)
            took = await self.limits.rates.admit(caller, endpoint.limit)
        exchange.standings = took.standings
        if endpoint.scope:
            require(caller, endpoint.scope)

    def _refuse(self, exchange: Exchange, error: Error) -> Response:
        error = self.names.refusal(exchange, error)
        exchange.standings = exchange.standings or error.extra.get("standings", ())
        exchange.notes["error"] = error.code
        self.counters.refusal(error.code)
        _forget_frames(error)
        failed, billed = exchange.endpoint.failed, exchange.billed
        response = reply.error(error, exchange.request.path, failed, billed=billed)
        if exchange.request.path.startswith("/dashboard"):
            from penstock.gateway import dashboard  # few ask, and a Worker starts without it

            response.headers = [*response.headers, *dashboard.HEADERS]
        return response

    def _finish(self, exchange: Exchange, response: Response) -> Response:
        request = exchange.request
        headers = [*response.headers, *reply.common(exchange, self.platform.clock.now())]
        headers += self.cors.headers(request)
        response.headers = headers
        exchange.status = response.status
        if isinstance(response.body, bytes):
            self._over(exchange)
        else:
            exchange.streams = True
            self.counters.streaming += 1
            response.ended = partial(self._streamed, exchange)
        return response

    def _over(self, exchange: Exchange) -> None:
        """The last of a request: its reply is out, or nobody waits for it any more."""
        exchange.end()
        endpoint = exchange.endpoint
        if endpoint is _NOTHING:
            path = method = OTHER
        else:
            path, method = endpoint.label or exchange.request.path, exchange.request.method
        seconds = self.platform.clock.tick() - exchange.started
        self.counters.request(path, method, exchange.status, seconds)
        if exchange.trace is not None:
            try:
                exchange.trace.end(exchange, path)
            except Exception as error:  # noqa: BLE001 - whatever it is, the caller has a reply
                self.report(exchange.id, error)

    def _streamed(self, exchange: Exchange) -> None:
        """A stream was closed, perhaps not for the first time."""
        if exchange.streams:
            exchange.streams = False
            self.counters.streaming -= 1
            self._over(exchange)


def build(
    config: Config,
    platform: Platform,
    report: Report,
    edge: str = "unknown",
    before: Gateway | None = None,
) -> Gateway:
    """A gateway on a platform, in the place of the one `before` it, whose requests end there; raises Misconfigured.

    On another platform than that one's it serves a single request, for which nobody else may wait.
    """
    if before is None:
        kept_on = lasting(platform)
    else:
        kept_on = before.lasting if before.platform is platform else alone(platform, before.lasting)
    journal, generations, counters = kept_on.journal, kept_on.generations, kept_on.counters
    same = before if before is not None and before.config is config else None
    most = config.cache.max_entry_bytes
    exact = Exact(platform.store, platform.clock, platform.secret, generations, most)
    gateway = Gateway(
        config=config,
        platform=platform,
        identity=_identity(config, platform, before),
        limits=same.limits.on(platform) if same else Limits(config, platform, counters.spent),
        names=same.names if same else Names(config, platform.clock),
        generations=generations,
        exact=exact,
        kept=Kept(
            exact, journal, platform.clock, kept_on.flights,
            share_flights=platform.shared_loop, max_entry=most,
        ),
        upstream=Upstream(
            platform.fetch, platform.clock, platform.ids, counters.attempt, platform.runner, kept_on.retries,
            platform.secret, kept_on.fleet, platform.meter,
        ),
        journal=journal,
        cors=Cors(config.cors.origins),
        report=report,
        counters=counters,
        once=Once(platform, kept_on.claims),
        purchases=kept_on.purchases,
        lasting=kept_on,
        services=same.services if same else Services(
            config, kept_on, platform, before.services if before else None
        ),
        tenant_keys=(
            same.tenant_keys if same
            else TenantKeys(config, platform.secret, generations, kept_on.tenant_keys)
        ),
        labels=same.labels if same else _labels(config, kept_on),
        tracer=same.tracer if same else _tracer(config, platform),
        edge=edge,
        started_at=platform.clock.now() if before is None else before.started_at,
    )  # fmt: skip
    if same is None:
        kept_on.fleet.renew(config, platform.clock.tick())
    kept_on.admission.bound(config.server.max_concurrent)
    kept_on.bodies.most = config.server.max_bodies_bytes
    return gateway


def _labels(config: Config, kept_on: Lasting) -> Labels | None:
    """None where nothing is to be kept of chats: then nothing of it is loaded."""
    texts = any(tenant.texts == "all" for tenant in config.tenants.values())
    if not texts and not any(route.shadow for route in config.routes.values()):
        return None
    from penstock.gateway.labels import Labels

    return Labels(config, kept_on.behind)


def _tracer(config: Config, platform: Platform) -> Tracer | None:
    """None where spans go nowhere: then nothing of it is loaded, and none are made."""
    if platform.traces is None:
        return None
    from penstock.gateway.tracing import Tracer

    return Tracer(config, platform, platform.traces)


def _identity(config: Config, platform: Platform, before: Gateway | None) -> Identity:
    """Who was checked stays so where the rules are the same, with the issuers' keys that may be out of reach now."""
    if before is not None and _who(before.config) == _who(config):
        return before.identity
    return Identity(config, platform)


def _who(config: Config) -> tuple[object, ...]:
    server = config.server
    return config.auth, server.trusted_proxies, server.dashboard, config.tiers.keys()


async def _unreachable(gateway: Gateway, exchange: Exchange) -> Response:
    raise NotFound


_NOTHING = Endpoint(_unreachable, "none")


def _nothing(request: Request, methods: tuple[str, ...]) -> Error:
    if not methods:
        return NotFound(code="not_found")
    allowed = ", ".join([*methods, "HEAD"] if "GET" in methods else methods)
    return NotAllowed(f"This path takes {allowed}.", headers=(("allow", allowed),))


def _forget_frames(error: BaseException | None) -> None:
    """An error that is kept somewhere in its own frames is a cycle, and would hold their body until the collector comes."""
    while error is not None and error.__traceback__ is not None:
        error.__traceback__ = None
        error = error.__cause__ or error.__context__
