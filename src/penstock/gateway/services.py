"""Services behind the gateway: requests to their paths, passed on to one of their backends."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from msgspec.structs import replace

from penstock.auth.addresses import Networks
from penstock.config import Config, Service
from penstock.config.services import METHODS, OWN, PREFIXES, VARIABLES, cache_of, one_below, split
from penstock.errors import Failed, TooLarge, Unavailable
from penstock.gateway import accounts, tunnels
from penstock.gateway.accounts import SPECIAL, Special
from penstock.gateway.bodies import bound_of
from penstock.gateway.exchange import Exchange
from penstock.gateway.news import News
from penstock.gateway.routes import Auth, Endpoint
from penstock.gateway.webhook import Webhook
from penstock.limits.rates import own_limit
from penstock.ports import Fetch, Platform
from penstock.upstream import hops, paths
from penstock.upstream.forward import ELSEWHERE, IDEMPOTENT, Forward, Manner, Sent
from penstock.upstream.hops import Whence
from penstock.upstream.pools import Pools
from penstock.upstream.send import bounds
from penstock.wire import websocket
from penstock.wire.http import Request, Response, Timeouts

if TYPE_CHECKING:
    from penstock.gateway import Gateway
    from penstock.gateway.caching import Caching, Replies
    from penstock.gateway.lasting import Lasting

REPLAYED_BYTES = 64 << 10
"""A body up to this size is read first where another backend may have to get it too."""
HOOK = "webhook"

Methods = Mapping[str, Endpoint]


class Answer(NamedTuple):
    """One method, or any where empty, of a path and all below it; of equal paths and methods the highest rank holds."""

    rank: int
    path: str
    method: str
    endpoint: Endpoint


class Means(NamedTuple):
    """What all services have in common; `replies` is None where none are kept, `most` the largest of them in bytes."""

    pools: Pools
    doors: Mapping[str, tunnels.Doors]
    news: News
    trusted: Networks
    platform: Platform
    replies: Replies | None
    most: int


class Services:
    """Which service answers a path, worked out once at start; pools and kept replies are those of the process."""

    def __init__(
        self, config: Config, kept_on: Lasting, platform: Platform, before: Services | None = None
    ) -> None:
        pools = kept_on.pools
        # On Workers nothing runs between requests that could probe: another does, and tells.
        pools.renew(config.services, platform.clock.tick(), probed=platform.shared_loop)
        trusted = Networks(config.server.trusted_proxies)
        self.replies = _replies(config, kept_on, platform, before)
        self._doors = _doors(config, before)
        means = Means(
            pools,
            self._doors,
            News(pools),
            trusted,
            platform,
            self.replies,
            config.cache.max_entry_bytes,
        )
        answers = [
            answer
            for name, service in config.services.items()
            for prefix in service.prefixes
            for answer in _answers(name, service, prefix, means)
        ]
        handlers = (answer.endpoint.handler for answer in answers)
        self.webhook = next((one for one in handlers if isinstance(one, Webhook)), None)
        self._found = _nested(answers, OWN)
        named = {answer.path for answer in answers if not answer.rank}
        self._named = [place for place in self._found if place.path in named]
        self._absent = _nested(_absent(config))

    def find(self, path: str) -> Methods | None:
        """The methods of a path that is not the gateway's own: of the longest prefix that fits."""
        for places in (self._found, self._absent):
            for place in places:
                if place.has(path):
                    return self._held(path, place) or None
        return None

    def _held(self, path: str, place: Place) -> Methods:
        """Its methods. A path that a service may read as one of its named segments is held to that one's rate, and goes the
        same way; whoever had to show a credential still has to."""
        if not self._named or (plain := accounts.plain(path)) == path:
            return place.methods
        meant = next((one.methods for one in self._named if one.has(plain)), {})
        return {
            method: replace(found, handler=one.handler, limit=one.limit, failed=one.failed)
            if (one := meant.get(method))
            else found
            for method, found in place.methods.items()
        }


class Place(NamedTuple):
    """A path with all below it, or with `single` one segment below it alone, and its methods."""

    path: str
    below: str
    single: bool
    methods: Methods

    def has(self, path: str) -> bool:
        if self.single:
            return path.startswith(self.below) and "/" not in path[len(self.below) :]
        return path == self.path or path.startswith(self.below)


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
        headers = hops.onward(request.headers, self._whence(exchange), dropped)
        body = await self._body(exchange)
        onward = Request(
            request.method, target.encode("ascii"), headers=headers, body=body,
            timeouts=self._manner.timeouts, length=_declared(request), notes=exchange.notes,
        )  # fmt: skip
        if self._news is not None:
            await self._news.hear(gateway.platform)
        response = await self._answer(gateway, exchange, onward)
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


def _manner(service: Service, times: Timeouts) -> Manner:
    return Manner(
        times,
        service.attempts,
        service.max_reply_bytes,
        service.rewrite,
        service.cookies == "pass",
        service.redirects == "pass",
    )


def _replies(
    config: Config, kept_on: Lasting, platform: Platform, before: Services | None
) -> Replies | None:
    """Where replies are kept, if any service asks for it."""
    if not any(map(cache_of, config.services.values())):
        return None
    from penstock.gateway.caching import Replies  # as below

    found = before.replies if before is not None else None
    if found is None or found.platform is not platform:
        found = Replies(platform, kept_on.generations)
    found.bound(config.cache.http_max_bytes)
    return found


def _declared(request: Request) -> int | None:
    """How long a body that comes will be, where its sender said so; the server sees to it that it is."""
    declared = request.header("content-length")
    return None if declared is None or isinstance(request.body, bytes) else int(declared)


def _doors(config: Config, before: Services | None) -> dict[str, tunnels.Doors]:
    """A service's for all its prefixes; a reload does not forget who came in."""
    known = before._doors if before is not None else {}
    found = {name: known.get(name) or tunnels.Doors() for name in config.services}
    for name, doors in found.items():
        doors.most = config.services[name].websockets.per_caller
    return found


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


def _absent(config: Config) -> list[Answer]:
    """The paths of services that are known but not configured: 503 says so."""
    return [
        Answer(0, path, method, Endpoint(Absent(name), "none", slot="none", label=f"{path}/*"))
        for name, prefixes in PREFIXES.items()
        if name not in config.services
        for method, path in map(split, prefixes)
    ]


def _nested(answers: Sequence[Answer], own: Sequence[str] = ()) -> list[Place]:
    """By path, the longest first; what one does not say of a method, the one around it does."""
    table: dict[str, dict[str, Endpoint]] = {}
    for answer in sorted(answers, key=lambda one: one.rank):
        methods = [answer.method] if answer.method else METHODS
        table.setdefault(answer.path, {}).update(dict.fromkeys(methods, answer.endpoint))
    found = [Place(path, f"{path}/", False, {}) for path in own]
    for path in sorted(table, key=len):
        whole: dict[str, Endpoint] = {}
        for around in found:
            if around.has(path):
                whole |= around.methods
        whole |= table[path]
        single = one_below(path)
        root = single or path
        found.append(Place(root, "/" if root == "/" else f"{root}/", bool(single), whole))
    return sorted(found, key=lambda place: (-len(place.path), not place.single))


class Absent:
    """Says that a service is not configured."""

    def __init__(self, name: str) -> None:
        self._name = name

    async def __call__(self, gateway: Gateway, exchange: Exchange) -> Response:
        raise Unavailable(
            f"No backend is configured for the service {self._name}: set {VARIABLES[self._name]},"
            f" or services.{self._name}.backends."
        )


def _too_large(limit: int) -> TooLarge:
    return TooLarge(f"The body is larger than {limit} bytes, the most this service takes.")
