"""What paths of services answer: requests are passed on to a backend, some of them judged or noted on their way."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from msgspec.structs import replace

from penstock.auth.addresses import Networks
from penstock.auth.sessions import NAMES
from penstock.config import Config, Service
from penstock.config.services import cache_of, one_below, split
from penstock.errors import Failed, TooLarge
from penstock.gateway import tunnels
from penstock.gateway.accounts import SPECIAL, Special, plain
from penstock.gateway.bodies import bound_of
from penstock.gateway.exchange import Exchange
from penstock.gateway.news import News
from penstock.gateway.routes import Auth, Endpoint
from penstock.gateway.services import Answer
from penstock.gateway.webhook import Webhook
from penstock.limits.rates import own_limit
from penstock.ports import Fetch, Platform
from penstock.upstream import hops, paths
from penstock.upstream.forward import ELSEWHERE, IDEMPOTENT, Forward, Manner, Sent
from penstock.upstream.hops import Whence
from penstock.upstream.pools import Pools
from penstock.upstream.send import bounds
from penstock.wire import websocket
from penstock.wire.cookies import without
from penstock.wire.http import Request, Response, Timeouts

if TYPE_CHECKING:
    from penstock.gateway import Gateway
    from penstock.gateway.caching import Caching, Replies

__all__ = ["answers", "doors", "means", "plain", "webhook"]

REPLAYED_BYTES = 64 << 10
"""A body up to this size is read first where another backend may have to get it too."""
HOOK = "webhook"


class Means(NamedTuple):
    """What all services have in common; `replies` is None where none are kept, `most` the largest of them in bytes."""

    pools: Pools
    doors: Mapping[str, tunnels.Doors]
    news: News
    trusted: Networks
    platform: Platform
    replies: Replies | None
    most: int


class Passing:
    """Passes requests under one prefix on to their service."""

    def __init__(self, name: str, service: Service, prefix: str, means: Means) -> None:
        self._name = name
        self._service = service
        self._prefix = prefix
        # Its own for good: what still waits when a reload takes the service away has somewhere to go.
        self._pool = means.pools.of(name)
        self._news = means.news if any(one.health for one in service.backends) else None
        self._trusted = means.trusted
        # On Workers the platform writes the URL, elsewhere the caller does.
        self._told_scheme = not means.platform.shared_loop
        times, lasting = bounds(service.timeouts), service.websockets
        self._manner = _manner(service, times)
        open_times = Timeouts(times.connect, times.first_byte, lasting.idle, lasting.total)
        self._tunnels = _manner(service, open_times) if lasting.enabled else None
        self._doors = means.doors[name]
        kept = service.cookies == "pass"
        sent = service.forward_authorization
        self._dropped = hops.dropped(
            cookies=kept, authorization=sent, checked=service.auth != "none"
        )
        self._caching = self._cached(means)
        # What made nobody of a caller must not make somebody of them further on.
        self._dropped_refused = hops.dropped(cookies=kept, authorization=False, checked=True)

    async def __call__(self, gateway: Gateway, exchange: Exchange) -> Response:
        """The service's reply; raises BadRequest, TooLarge, Failed."""
        request, service = exchange.request, self._service
        exchange.notes["service"] = self._name
        target = paths.below(request, self._prefix)
        refused = exchange.endpoint.auth == "optional" and exchange.caller.anonymous
        dropped = self._dropped_refused if refused else self._dropped
        # The dashboard's session is an admin's here, and no service's to see.
        headers = hops.onward(without(request.headers, NAMES), self._whence(exchange), dropped)
        body = await self._body(exchange)
        onward = Request(
            request.method, target.encode("ascii"), headers=headers, body=body,
            timeouts=self._manner.timeouts, length=_declared(request), notes=exchange.notes,
        )  # fmt: skip
        if self._news is not None:
            await self._news.hear(gateway.platform)
        answer, trace = partial(self._answer, gateway, exchange), exchange.trace
        response = await (
            answer(onward) if trace is None else trace.passing(self._name, onward, answer)
        )
        if (
            response.status in ELSEWHERE
            and service.failures == "own"
            and not (self._caching is not None and self._caching.refused(onward, response))
        ):
            raise await _failed(response, request.method)
        return response

    async def _answer(self, gateway: Gateway, exchange: Exchange, onward: Request) -> Response:
        if self._tunnels is not None and tunnels.asks(exchange.request):
            return await self._open(gateway, exchange, onward, self._tunnels)
        if self._caching is not None:
            return await self._caching(gateway, exchange, onward)
        return await self._origin(gateway.platform, self._manner)(onward)

    async def _open(
        self, gateway: Gateway, exchange: Exchange, onward: Request, manner: Manner
    ) -> Response:
        """A tunnel, or what the service answers to its handshake in place of one."""
        tunnels.admit(gateway, exchange, onward.headers)
        onward.headers = [*onward.headers, *websocket.SWITCH]
        fetch = self._origin(gateway.platform, manner)
        return await tunnels.opened(gateway, exchange, self._doors, fetch, onward)

    def _origin(self, platform: Platform, manner: Manner) -> Fetch:
        """Where the service is asked. What keeps replies is a `Fetch` around this one."""
        return Forward(self._pool, platform.fetch, platform.clock, manner, self._prefix)

    def _cached(self, means: Means) -> Caching | None:
        """The cache before it, where its settings ask for one."""
        replies, platform = means.replies, means.platform
        settings = cache_of(self._service)
        if replies is None or settings is None:
            return None
        from penstock.gateway.caching import Caching  # the edge starts without it

        # The cache has to see a cookie to know that a reply is somebody's own: what drops them stands before it.
        manner = replace(self._manner, cookies=True)

        async def ask(request: Request) -> Response:
            return await self._origin(platform, manner)(request)

        dropped = self._service.cookies == "drop"
        return Caching(self._name, settings, ask, replies, means.most, cookies=not dropped)

    def _whence(self, exchange: Exchange) -> Whence:
        request = exchange.request
        known = self._trusted.look(request.client) if self._trusted else None
        secure = self._told_scheme and request.target.startswith(b"https:")
        scheme = "https" if secure else "http"
        believed = known is not None and known[1]
        return Whence(request.client, exchange.caller.address, exchange.id, scheme, believed)

    async def _body(self, exchange: Exchange) -> bytes | Sent:
        request, limit = exchange.request, self._service.max_body_bytes
        most = bound_of(request, limit)
        if isinstance(request.body, bytes):
            if len(request.body) > limit:
                raise _too_large(limit)
            return request.body
        if not most:
            raise _too_large(limit)
        if request.method in IDEMPOTENT and most <= REPLAYED_BYTES:
            return await request.read(limit)
        return Sent(request.body, limit)


def means(
    config: Config,
    pools: Pools,
    doors: Mapping[str, tunnels.Doors],
    platform: Platform,
    replies: Replies | None,
) -> Means:
    """What all services of a configuration have in common."""
    trusted = Networks(config.server.trusted_proxies)
    most = config.cache.max_entry_bytes
    return Means(pools, doors, News(pools), trusted, platform, replies, most)


def answers(services: Mapping[str, Service], means: Means) -> list[Answer]:
    """What all of their prefixes answer."""
    return [
        answer
        for name, service in services.items()
        for prefix in service.prefixes
        for answer in _answers(name, service, prefix, means)
    ]


def webhook(answers: Sequence[Answer]) -> Webhook | None:
    """The one that takes Stripe's events, if any does."""
    handlers = (answer.endpoint.handler for answer in answers)
    return next((one for one in handlers if isinstance(one, Webhook)), None)


def doors(config: Config, known: Mapping[str, tunnels.Doors]) -> dict[str, tunnels.Doors]:
    """A service's for all its prefixes; a reload does not forget who came in."""
    found = {name: known.get(name) or tunnels.Doors() for name in config.services}
    for name, of in found.items():
        of.most = config.services[name].websockets.per_caller
    return found


def _answers(name: str, service: Service, prefix: str, means: Means) -> Iterator[Answer]:
    """What one prefix of a service answers: it, and below it what asks for no credential."""
    method, path = split(prefix)
    passing = Passing(name, service, one_below(path) or path, means)
    limit = "other" if service.limit is None else own_limit(name)
    auth: Auth = "address" if service.auth == "none" else service.auth
    single = one_below(path)
    root = path.rstrip("/")
    label = path if single else f"{root}/*"
    special = {} if single else _either(SPECIAL.get(name, {}), service)
    for segment in () if single else service.public:
        rate = special[segment].limit if segment in special else ""
        endpoint = Endpoint(passing, "address", limit=rate or limit, label=label)
        yield Answer(0, f"{root}/{segment}", method, endpoint)
    for segment, one in special.items() if method in ("", "POST") else ():
        known: Auth = one.auth or ("address" if segment in service.public else auth)
        handler = one.make(passing, means.trusted)
        endpoint = Endpoint(handler, known, "", one.limit or limit, one.failed, label=label)
        yield Answer(0, f"{root}/{segment}", "POST", endpoint)
    if name == "billing" and not single and method in ("", "POST"):
        hook = Endpoint(Webhook(passing, f"{root}/{HOOK}"), "none", label=label)
        for segment in {HOOK, service.rewrite.get(HOOK, HOOK)}:
            yield Answer(0, f"{root}/{segment}", "POST", hook)
    whole = Endpoint(passing, auth, limit=limit, label=label)
    yield Answer(2 if method else 1, path, method, whole)


def _either(special: Mapping[str, Special], service: Service) -> dict[str, Special]:
    """Also by the service's own names for them: what one name is held to, the other must not be let off."""
    own = {service.rewrite[name]: one for name, one in special.items() if name in service.rewrite}
    return {**own, **special}


def _manner(service: Service, times: Timeouts) -> Manner:
    return Manner(
        times,
        service.attempts,
        service.max_reply_bytes,
        service.rewrite,
        service.cookies == "pass",
        service.redirects == "pass",
    )


def _declared(request: Request) -> int | None:
    """How long a body that comes will be, where its sender said so; the server sees to it that it is."""
    declared = request.header("content-length")
    return None if declared is None or isinstance(request.body, bytes) else int(declared)


async def _failed(response: Response, method: str) -> Failed:
    """What every try came to, in the gateway's own words; how long to wait is the service's to say."""
    await response.aclose()
    wait, status = (response.header("retry-after") or "").strip(), response.status
    return Failed(
        f"Every backend that might be tried failed; the last answered {status}.",
        processed="no" if status == 503 or method in IDEMPOTENT else "unknown",
        upstream_status=status,
        retry_after=float(wait) if wait.isascii() and wait.isdigit() and len(wait) < 7 else None,
    )


def _too_large(limit: int) -> TooLarge:
    return TooLarge(f"The body is larger than {limit} bytes, the most this service takes.")
