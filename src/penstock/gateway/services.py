"""Services behind the gateway: requests to their paths, passed on to one of their backends."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from penstock.auth.addresses import Networks
from penstock.config import Config, Service
from penstock.config.services import METHODS, OWN, PREFIXES, VARIABLES, one_below, split
from penstock.errors import TooLarge, Unavailable
from penstock.gateway import accounts
from penstock.gateway.accounts import SPECIAL
from penstock.gateway.bodies import bound_of
from penstock.gateway.exchange import Exchange
from penstock.gateway.routes import Auth, Endpoint
from penstock.gateway.webhook import Webhook
from penstock.limits.rates import own_limit
from penstock.ports import Fetch, Platform
from penstock.upstream import hops, paths
from penstock.upstream.forward import IDEMPOTENT, Forward, Manner, Sent
from penstock.upstream.hops import Whence
from penstock.upstream.pools import Pools
from penstock.upstream.send import bounds
from penstock.wire.http import Request, Response

if TYPE_CHECKING:
    from penstock.gateway import Gateway

REPLAYED_BYTES = 64 << 10
"""A body up to this size is read first where another backend may have to get it too."""

Methods = Mapping[str, Endpoint]


class Answer(NamedTuple):
    """One method, or any where empty, of a path and all below it; of equal paths and methods the highest rank holds."""

    rank: int
    path: str
    method: str
    endpoint: Endpoint


class Services:
    """Which service answers a path, worked out once at start; the pools are those of the process."""

    def __init__(self, config: Config, pools: Pools, platform: Platform) -> None:
        # On Workers nothing runs between requests that could probe.
        pools.renew(config.services, platform.clock.tick(), probed=platform.shared_loop)
        trusted = Networks(config.server.trusted_proxies)
        answers = [
            answer
            for name, service in config.services.items()
            for prefix in service.prefixes
            for answer in _answers(name, service, prefix, pools, trusted)
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

    def __init__(
        self, name: str, service: Service, prefix: str, pools: Pools, trusted: Networks
    ) -> None:
        self._name = name
        self._service = service
        self._prefix = prefix
        self._pools = pools
        self._trusted = trusted
        self._manner = Manner(
            bounds(service.timeouts),
            service.attempts,
            service.max_reply_bytes,
            service.rewrite,
            service.cookies == "pass",
            service.redirects == "pass",
        )
        kept = service.cookies == "pass"
        sent = service.forward_authorization
        self._dropped = hops.dropped(
            cookies=kept, authorization=sent, checked=service.auth != "none"
        )
        # What made nobody of a caller must not make somebody of them further on.
        self._dropped_refused = hops.dropped(cookies=kept, authorization=False, checked=True)

    async def __call__(self, gateway: Gateway, exchange: Exchange) -> Response:
        """The service's reply; raises BadRequest, TooLarge, Failed."""
        request, service = exchange.request, self._service
        exchange.notes["service"] = self._name
        target = paths.below(request, self._prefix, service.rewrite)
        refused = exchange.endpoint.auth == "optional" and exchange.caller.anonymous
        dropped = self._dropped_refused if refused else self._dropped
        headers = hops.onward(request.headers, self._whence(exchange), dropped)
        body = await self._body(exchange)
        onward = Request(
            request.method, target.encode("ascii"), headers=headers, body=body, notes=exchange.notes
        )
        return await self._origin(gateway)(onward)

    def _origin(self, gateway: Gateway) -> Fetch:
        """Where the service is asked. What keeps replies is a `Fetch` around this one."""
        platform = gateway.platform
        pool = self._pools.of(self._name)
        return Forward(pool, platform.fetch, platform.clock, self._manner, self._prefix)

    def _whence(self, exchange: Exchange) -> Whence:
        request = exchange.request
        known = self._trusted.look(request.client) if self._trusted else None
        scheme = "https" if request.target.startswith(b"https:") else "http"
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


def _answers(
    name: str, service: Service, prefix: str, pools: Pools, trusted: Networks
) -> Iterator[Answer]:
    """What one prefix of a service answers: it, and below it what asks for no credential."""
    method, path = split(prefix)
    passing = Passing(name, service, one_below(path) or path, pools, trusted)
    limit = "other" if service.limit is None else own_limit(name)
    auth: Auth = "address" if service.auth == "none" else service.auth
    single = one_below(path)
    root = path.rstrip("/")
    label = path if single else f"{root}/*"
    special = {} if single else SPECIAL.get(name, {})
    for segment in () if single else service.public:
        rate = special[segment].limit if segment in special else ""
        endpoint = Endpoint(passing, "address", limit=rate or limit, label=label)
        yield Answer(0, f"{root}/{segment}", method, endpoint)
    for segment, one in special.items() if method in ("", "POST") else ():
        known: Auth = "address" if segment in service.public else one.auth or auth
        handler = one.make(passing, trusted)
        endpoint = Endpoint(handler, known, "", one.limit or limit, one.failed, label=label)
        yield Answer(0, f"{root}/{segment}", "POST", endpoint)
    if name == "billing" and not single and method in ("", "POST"):
        hook = Webhook(passing, f"{root}/webhook")
        yield Answer(0, f"{root}/webhook", "POST", Endpoint(hook, "none", label=label))
    whole = Endpoint(passing, auth, limit=limit, label=label)
    yield Answer(2 if method else 1, path, method, whole)


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
