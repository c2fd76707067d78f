"""Services behind the gateway: requests to their paths, passed on to one of their backends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from msgspec.structs import replace

from penstock.config import Config
from penstock.config.services import METHODS, OWN, PREFIXES, VARIABLES, cache_of, one_below, split
from penstock.errors import Unavailable
from penstock.gateway.exchange import Exchange
from penstock.gateway.routes import Endpoint
from penstock.ports import Platform
from penstock.wire.http import Response

if TYPE_CHECKING:
    from penstock.gateway import Gateway
    from penstock.gateway.caching import Replies
    from penstock.gateway.lasting import Lasting
    from penstock.gateway.tunnels import Doors
    from penstock.gateway.webhook import Webhook

Methods = Mapping[str, Endpoint]


class Answer(NamedTuple):
    """One method, or any where empty, of a path and all below it; of equal paths and methods the highest rank holds."""

    rank: int
    path: str
    method: str
    endpoint: Endpoint


class Services:
    """Which service answers a path, worked out once at start; pools and kept replies are those of the process."""

    def __init__(
        self, config: Config, kept_on: Lasting, platform: Platform, before: Services | None = None
    ) -> None:
        pools = kept_on.pools
        # On Workers nothing runs between requests that could probe: another does, and tells.
        pools.renew(config.services, platform.clock.tick(), probed=platform.shared_loop)
        self.replies = _replies(config, kept_on, platform, before)
        self.doors: Mapping[str, Doors] = {}
        self.webhook: Webhook | None = None
        answers: list[Answer] = []
        if config.services:
            from penstock.gateway import passing  # a Worker without services starts without it

            self._plain = passing.plain
            self.doors = passing.doors(config, before.doors if before is not None else {})
            means = passing.means(config, pools, self.doors, platform, self.replies)
            answers = passing.answers(config.services, means)
            self.webhook = passing.webhook(answers)
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
        if not self._named or (plain := self._plain(path)) == path:
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


def _replies(
    config: Config, kept_on: Lasting, platform: Platform, before: Services | None
) -> Replies | None:
    """Where replies are kept, if any service asks for it."""
    if not any(map(cache_of, config.services.values())):
        return None
    from penstock.gateway.caching import Replies  # a Worker that keeps none starts without it

    found = before.replies if before is not None else None
    if found is None or found.platform is not platform:
        found = Replies(platform, kept_on.generations)
    found.bound(config.cache.http_max_bytes)
    return found


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
