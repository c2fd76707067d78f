"""What a log's requests would have cost: by each policy, with the exact cache and without, free units counted as the ledger does."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence

from msgspec import Struct, field

from penstock.config import Config
from penstock.errors import BadRequest
from penstock.ledger import days
from penstock.ledger.book import OWN
from penstock.limits import ending
from penstock.prices import NEURON_NANOS, amount_nanos, neurons_micro
from penstock.routing.offers import Offer
from penstock.routing.policies import Heuristic, Policy
from penstock.routing.router import Router
from penstock.routing.routes import Routes, Way
from penstock.wire.chat import Usage
from penstock.wire.logs import Logged

MOST_KEPT = 500_000
"""Answers that the replayed cache holds; the oldest go first."""
LOGGED = "logged"
OWN_KEYS = "own keys"
"""What stands for the targets that tenants paid for themselves."""
MICRO = 1_000_000
MOST_DAYS = 1_000
"""Days whose prices are remembered, so that a log need not be in order."""


class Sum(Struct):
    """What a target took of a policy's requests."""

    requests: int = 0
    nanos: int = 0


class Books(Struct):
    """One policy's account. `free` are requests that took nothing but free units, `neurons` the free ones taken, in millionths."""

    requests: int = 0
    hits: int = 0
    free: int = 0
    nanos: int = 0
    neurons: int = 0
    guessed: int = 0
    """Requests of which nobody could tell where the policy sends them: counted at the strong target."""
    too_long: int = 0
    """Requests longer than the context of every target of theirs: counted at the last."""
    targets: dict[str, Sum] = field(default_factory=dict)
    used: dict[tuple[str, str], int] = field(default_factory=dict)


class Sides(Struct, frozen=True):
    """The targets between which is chosen, by name."""

    simple: str
    medium: str
    strong: str


Choose = Callable[[Logged], Sequence[str]]
"""Names of targets in the order a policy would try them; empty where it cannot tell."""


def sides(config: Config, route: str, strong: str = "", weak: str = "") -> Sides:
    """The targets of a heuristic or learned route, or those that are named; raises BadRequest where one is missing."""
    known = {target.name for target in config.targets if target.verb == "chat"}
    at = config.routes.get(route)
    chosen = at is not None and at.policy in ("heuristic", "learned")
    parts = (at.simple, at.medium or at.simple, at.strong) if at and chosen else ("", "", "")
    found = Sides(weak or parts[0], weak or parts[1], strong or parts[2])
    for name, option in ((found.strong, "--strong"), (found.simple, "--weak")):
        if name not in known:
            raise BadRequest(
                f"{option} must name a configured chat target, since the route '{route}' has none there:"
                f" one of {', '.join(sorted(known))}."
            )
    return found


def choices(
    config: Config, between: Sides, names: Iterable[str], more: Mapping[str, Choose]
) -> dict[str, Choose]:
    """Policies by name: `strong`, `weak`, `heuristic`, `logged`, `route:NAME`, or one of `more`; raises BadRequest."""
    routes = Routes(config, "9999-12-31")  # what a way's targets are; what they cost is each day's
    offers = [
        routes.find(name, "chat").offers[0]
        for name in (between.simple, between.medium, between.strong)
    ]
    plain: dict[str, Choose] = {
        "strong": lambda _: (between.strong,),
        "weak": lambda _: (between.simple,),
        "heuristic": _by_policy(Heuristic(*offers), offers, between),
        LOGGED: _as_logged({target.name for target in config.targets}),
        **more,
    }
    for name, route in config.routes.items():
        if route.verb == "chat":
            plain[f"route:{name}"] = _by_way(routes.find(name, "chat"))
    unknown = [name for name in names if name not in plain]
    if unknown:
        raise BadRequest(f"No policy is called '{unknown[0][:100]}': there are {', '.join(plain)}.")
    return {name: plain[name] for name in names}


def learned(
    config: Config,
    between: Sides,
    router: Router,
    quality: float | None,
    strong_share: float | None,
) -> Choose:
    """A router's choice between the two sides, at the threshold for this quality or share of strong calls."""
    from penstock.routing.learned import Learned  # as in routes.py

    routes = Routes(config, "9999-12-31")
    weak, strong = (
        routes.find(name, "chat").offers[0] for name in (between.simple, between.strong)
    )
    return _by_policy(Learned(weak, strong, router, quality, strong_share), (weak, strong), None)


def _by_way(way: Way) -> Choose:
    settings = way.settings
    parts = Sides(settings.simple, settings.medium, settings.strong)
    return _by_policy(way.policy, way.offers, parts)


def _by_policy(policy: Policy, offers: Sequence[Offer], between: Sides | None) -> Choose:
    """As a policy ranks; where the text is not there, as the log says that the heuristic did."""

    def choose(one: Logged) -> Sequence[str]:
        if policy.name == "fixed":
            return [offer.name for offer in offers]
        if one.ask is not None:
            return [offer.name for offer in policy.rank(one.ask, offers).offers]
        return _by_class(one, between) if between and policy.name == "heuristic" else ()

    return choose


def _by_class(one: Logged, between: Sides) -> Sequence[str]:
    parts = {"simple": between.simple, "medium": between.medium, "complex": between.strong}
    if one.line.complexity:
        return (parts[one.line.complexity],)
    # What the cache served was ranked by nobody; the kept answer's target tells as much.
    return (one.line.target,) if one.line.target in parts.values() else ()


def _as_logged(known: set[str]) -> Choose:
    def choose(one: Logged) -> Sequence[str]:
        return [name for name in (one.line.target, one.line.model) if name in known][:1]

    return choose


def _offers(config: Config, day: str) -> dict[str, Offer]:
    """Every chat target at the prices of a day."""
    routes = Routes(config, day)
    names = [target.name for target in config.targets if target.verb == "chat"]
    return {name: routes.find(name, "chat").offers[0] for name in names}


class Replay:
    """Adds requests up, in the order of their log.

    The cache is by request, and by caller unless the line's route shares answers, within that route's `ttl` seconds:
    `ttl` of a line that names none.
    """

    def __init__(
        self, config: Config, choices: Mapping[str, Choose], strong: str, ttl: float, today: int
    ) -> None:
        self._config = config
        self._choices = choices
        self._strong = strong
        self._ttl = ttl
        self._now = today
        self._day = ""
        self._offers: dict[str, Offer] = {}
        self._days: OrderedDict[str, dict[str, Offer]] = OrderedDict()
        self._kept: OrderedDict[bytes, int] = OrderedDict()
        self.plain = {name: Books() for name in choices}
        self.cached = {name: Books() for name in choices}
        self.lines = self.undated = self.hits = self.textless = self.estimated = self.own = 0
        self.back = 0
        """Lines that are older than the one before them."""
        self._newest = _offers(config, days.day(today))
        self.unpriced = {name for name, offer in self._newest.items() if not offer.priced}
        self.later: set[str] = set()
        """Targets that had no price yet on a day of the log, and are counted at today's."""
        self.first: int | None = None
        self.last: int | None = None

    def add(self, one: Logged, output: int) -> None:
        """One request more, answered in so many tokens."""
        self.lines += 1
        self._at(one)
        hit = self._found(one)
        self.hits += hit
        self.textless += one.ask is None
        self.estimated += one.line.input_tokens is None
        if one.line.target.startswith(OWN):
            self._add_own(one, hit=hit)
            return
        for name, choose in self._choices.items():
            names = choose(one)
            offer, lost = self._fit(names or (self._strong,), one.input + output)
            for books in (self.plain[name], self.cached[name]):
                books.guessed += not names
                books.too_long += lost
                books.requests += 1
            usage = one.usage(offer.name, output, believed=offer.at.believed)
            self._charge(self.plain[name], offer, usage)
            if hit:
                self.cached[name].hits += 1
            else:
                self._charge(self.cached[name], offer, usage)

    def drop_unplaced(self) -> None:
        """Forgets the policies that could place no request at all."""
        for name in [
            name for name, books in self.plain.items() if 0 < books.guessed == self.lines - self.own
        ]:
            del self.plain[name], self.cached[name]

    def _add_own(self, one: Logged, *, hit: bool) -> None:
        """A request that a tenant's own key paid for: whatever the policy, it is no cost of ours."""
        self.own += 1
        for of in (self.plain, self.cached):
            for books in of.values():
                books.requests += 1
                if hit and of is self.cached:
                    books.hits += 1
                else:
                    books.targets.setdefault(OWN_KEYS, Sum()).requests += 1

    def _at(self, one: Logged) -> None:
        """Time goes on as the log says; a line without any is at the time of the one before it."""
        if one.at is None:
            self.undated += 1
        else:
            self.back += self.last is not None and one.at < self._now
            self._now = one.at
            self.first = one.at if self.first is None else min(self.first, one.at)
            self.last = one.at if self.last is None else max(self.last, one.at)
        if (day := days.day(self._now)) != self._day:
            self._day = day
            if day not in self._days:
                self._days[day] = self._of_day(day)
                while len(self._days) > MOST_DAYS:
                    self._days.popitem(last=False)
            self._offers = self._days[day]

    def _of_day(self, day: str) -> dict[str, Offer]:
        found = _offers(self._config, day)
        # A log may be older than the table: then what holds today is nearer than nothing.
        later = {name for name, offer in found.items() if not offer.priced}
        self.later |= {name for name in later if self._newest[name].priced}
        return found | {name: self._newest[name] for name in later}

    def _found(self, one: Logged) -> bool:
        """Whether the cache would have served it; else it is kept from now on. Where the log goes back in time, the later of the two
        would have been served: that comes to the same."""
        route = self._config.routes.get(one.line.route)
        key = one.shared if route is not None and route.cache.shared else one.key
        if not key:
            return False
        ttl = self._ttl if route is None else route.cache.ttl
        since = self._kept.get(key)
        if since is not None and abs(self._now - since) < int(ttl * 1000):
            return True
        self._kept.pop(key, None)
        self._kept[key] = self._now
        while len(self._kept) > MOST_KEPT:
            self._kept.popitem(last=False)
        return False

    def _fit(self, names: Sequence[str], tokens: int) -> tuple[Offer, bool]:
        """The first target that can hold so much; the last, where none can."""
        offers = [self._offers[name] for name in names]
        fits = next((offer for offer in offers if tokens <= offer.target.context), None)
        return (fits, False) if fits is not None else (offers[-1], True)

    def _charge(self, books: Books, offer: Offer, usage: Usage) -> None:
        units, nanos = neurons_micro(offer.price, usage), 0
        if units and (cap := offer.at.free_neurons_per_day * MICRO):
            # As the ledger's statement: what is left of the day's free units first, the rest is charged, rounded up once.
            place = (ending.allotment(offer.at), self._day)
            free = min(max(0, cap - books.used.get(place, 0)), units)
            books.used[place] = books.used.get(place, 0) + free
            books.neurons += free
            books.free += free == units
            nanos = -(-(units - free) * NEURON_NANOS // MICRO)
        else:
            nanos = amount_nanos(offer.price, usage)
        of = books.targets.setdefault(offer.name, Sum())
        of.requests += 1
        of.nanos += nanos
        books.nanos += nanos
