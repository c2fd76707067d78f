"""The HTTP cache: a `Fetch` before a `Fetch`. It does what `states` decides."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from penstock.cache.generations import Generations
from penstock.cache.http import conditions, entries, fields, keys, replies, rules, states
from penstock.cache.http.collecting import Collection, Room
from penstock.cache.http.entries import Entry
from penstock.cache.http.flights import Flight, Flights
from penstock.cache.http.freshness import Terms
from penstock.cache.http.keys import Place
from penstock.cache.http.rules import Came, Rules
from penstock.cache.http.shelves import Shelves
from penstock.cache.http.states import Freshen, Instead, Miss, Pass, Refuse, Serve, Validate, Wish
from penstock.errors import Error, Failed, Unavailable
from penstock.ports import Clock, Fetch, Spawn
from penstock.wire import dates
from penstock.wire.http import Headers, Request, Response, Timeouts, collect, header

TURNS = 3
"""How often a request waits for another that then leaves, before it goes itself."""
MOST_REFRESHES = 64
"""Replies that are asked about behind the requests that got them, at once."""
Forward = Miss | Validate
T = TypeVar("T")


class Visit(Struct, frozen=True):
    """One request at the cache: what it asks, where its replies are kept, and what was found there."""

    request: Request
    asked: Wish
    place: Place
    entry: Entry | None
    mark: bytes
    flight: Flight | None = None


class HttpCache:
    """A shared cache by RFC 9111 for one route, before its origin.

    `owner` names whose request it is, empty where nobody's; with `key = "shared"` it is not asked. `flights` is None
    where requests may not wait for each other (`Platform.shared_loop`). `request.notes["cache"]` says `hit`, `miss` or
    `bypass` afterwards. What a reply lacks of a content-length, the server knows by its body.
    """

    def __init__(
        self, fetch: Fetch, settings: Rules, *, shelves: Shelves, clock: Clock, spawn: Spawn,
        generations: Generations, owner: Callable[[Request], str], flights: Flights | None,
        room: Room | None = None,
    ) -> None:  # fmt: skip
        self._fetch = fetch
        self._settings = settings
        self._shelves = shelves
        self._clock = clock
        self._spawn = spawn
        self._generations = generations
        self._owner = owner
        self._flights = flights
        self._room = room
        self._places = keys.Places(settings.name, shelves.secret)
        self._refreshing: set[str] = set()

    async def __call__(self, request: Request) -> Response:
        asked = states.wish(request)
        if (aside := states.passed(request, asked)) is not None:
            return await self._pass(request, aside)
        place = await self._place(request)
        entry, varied, mark = await self._shelves.find(place, request)
        visit = Visit(request, asked, place, entry, mark)
        state = states.begin(request, asked, entry, self._clock.now(), varied=varied)
        request.notes["cache"] = "hit" if isinstance(state, Serve) else "miss"
        if isinstance(state, Serve):
            return self._serve(visit, state)
        if isinstance(state, Refuse):
            return replies.refused()
        return await self._forward(visit, state)

    def forget(self) -> None:
        """Whatever is being asked again may be asked again: on Workers a request that is killed never says that it ended."""
        self._refreshing.clear()

    async def _place(self, request: Request) -> Place:
        if self._generations.old:
            await self._generations.read()
        owner = "" if self._settings.key == "shared" else self._owner(request)
        return self._places.of(request, owner, self._generations.numbers)

    async def _pass(self, request: Request, state: Pass) -> Response:
        request.notes["cache"] = "bypass"
        if request.method not in states.SAFE:
            return await self._change(request)
        response = await self._fetch(request)
        status = replies.forwarded(state.why)
        response.headers = replies.with_status(response.headers, status)
        return response

    async def _change(self, request: Request) -> Response:
        """A request that may change things: what is kept of them is taken back, unless it surely changed none."""
        try:
            response = await self._fetch(request)
        except Failed as failure:
            if failure.processed != "no":
                await self._shelves.invalidate(request, [*keys.affected(request, ())])
            raise
        if response.status < 400:
            targets = [*keys.affected(request, response.headers)]
            await _or_close(response, self._shelves.invalidate(request, targets))
        return response

    def _serve(self, visit: Visit, state: Serve) -> Response:
        if state.refresh:
            self._refresh(visit, state.entry)
        now = self._clock.now()
        status = replies.hit(state.entry.terms.left(now))
        return replies.served(visit.request, state.entry, self._settings, now, status)

    # Going to the origin, alone or for others.

    async def _forward(self, visit: Visit, state: Forward) -> Response:
        flights, name = self._flights, visit.place.name
        if flights is None or not _joinable(visit, state):
            return await self._go(visit, state)
        for _ in range(TURNS):
            flight = flights.find(name)
            if flights.alone(name):
                break
            if flight is None:
                return await self._lead(visit, state, flights)
            if (joined := await self._join(visit, state, flight)) is not None:
                return joined
            if flight.reply is not None or not flight.heard:
                break
        return await self._go(visit, state)

    async def _lead(self, visit: Visit, state: Forward, flights: Flights) -> Response:
        name = visit.place.name
        flight = flights.begin(name)
        try:
            return await self._go(replace(visit, flight=flight), state)
        except Error as failure:
            flight.fail(failure)
            raise
        finally:
            flight.fail(None)
            if flight.collection is None:
                flights.end(name, flight)

    async def _join(self, visit: Visit, state: Forward, flight: Flight) -> Response | None:
        """The reply another is getting, if it is this request's too."""
        patience = (visit.request.timeouts or Timeouts()).first_byte
        try:
            async with self._clock.timeout(patience):
                entry = await flight.hear()
        except TimeoutError:
            return None
        request, secret = visit.request, self._shelves.secret
        if entry is None or entry.variant != keys.selected(request, entry.varies, secret):
            return None
        now, status = self._clock.now(), replies.forwarded(state.why, collapsed=True)
        response = replies.served(request, entry, self._settings, now, status)
        if flight.collection is None or response.status == 304:
            return response
        reader = flight.collection.reader()
        return None if reader is None else Response(response.status, response.headers, reader)

    async def _go(self, visit: Visit, state: Forward) -> Response:
        request, sent = visit.request, self._clock.now()
        if isinstance(state, Validate):
            request = replace(request, headers=conditions.about(request, state.entry.headers))
        try:
            response = await self._fetch(request)
        except (Failed, Unavailable):
            instead = states.failed(visit.asked, visit.entry, self._clock.now())
            if instead is None:
                raise
            return self._instead(visit, state, instead, 0)
        return await _or_close(response, self._took(visit, state, response, sent))

    async def _took(
        self, visit: Visit, state: Forward, response: Response, sent: float
    ) -> Response:
        """What a request gets, now that its origin has replied."""
        came = _dated(response, sent, self._clock.now())
        next_state = states.answered(
            visit.request, visit.asked, visit.entry, came, self._settings,
            asked_about=isinstance(state, Validate), owned=visit.place.owned,
        )  # fmt: skip
        match next_state:
            case Freshen():
                await response.aclose()
                return await self._freshened(visit, state, next_state)
            case Instead():
                await response.aclose()
                return self._instead(visit, state, next_state, came.status)
        if visit.request.method == "HEAD":
            await self._saw_head(visit, came)
        if next_state.terms is None or not self._fits(response):
            return self._relay(visit, state, response)
        return await self._keeping(visit, state, response, came, next_state.terms)

    # What was decided about the reply.

    async def _freshened(self, visit: Visit, state: Forward, fresh: Freshen) -> Response:
        entry = await self._renew(visit, fresh)
        status = replies.forwarded(state.why, status=304, stored=fresh.terms is not None)
        self._tell(visit, entry if fresh.terms is not None else None)
        return replies.served(visit.request, entry, self._settings, self._clock.now(), status)

    async def _renew(self, visit: Visit, fresh: Freshen) -> Entry:
        """Keeps the entry as its origin now describes it, or forgets it."""
        if fresh.terms is None:
            await self._shelves.forget(visit.place, fresh.entry)
            stale = replace(fresh.entry.terms, since=fresh.came.at, age=0.0)
            return replace(fresh.entry, headers=rules.kept(fresh.came.headers), terms=stale)
        entry = self._made(visit, fresh.came, fresh.entry.body, fresh.terms)
        await self._shelves.keep(visit.place, entry)
        return entry

    def _instead(self, visit: Visit, state: Forward, found: Instead, status: int) -> Response:
        visit.request.notes["cache"] = "hit"
        self._tell(visit, found.entry)
        said = replies.forwarded(state.why, status=status, detail="served-stale")
        return replies.served(visit.request, found.entry, self._settings, self._clock.now(), said)

    def _relay(self, visit: Visit, state: Forward, response: Response) -> Response:
        """The origin's reply, which is kept by nobody."""
        if visit.flight is not None and self._flights is not None:
            self._flights.useless(visit.place.name)
        self._tell(visit, None)
        status = replies.forwarded(state.why, status=response.status)
        response.headers = replies.with_status(response.headers, status)
        return response

    async def _keeping(
        self, visit: Visit, state: Forward, response: Response, came: Came, found: Terms
    ) -> Response:
        """The origin's reply, which is kept once it is whole; others may read it meanwhile."""
        if self._flights is not None:
            self._flights.useful(visit.place.name)
        status = replies.forwarded(state.why, status=came.status, stored=True)
        body = response.body if isinstance(response.body, bytes) else b""
        entry = self._made(visit, came, body, found)
        headers = came.headers
        if entry.told:
            headers = rules.told(headers, self._settings, owned=visit.place.owned)
        headers = replies.with_status(headers, status)
        if isinstance(response.body, bytes):
            await self._shelves.keep(visit.place, entry)
            self._tell(visit, entry)
            return Response(came.status, headers, response.body, response.ended)
        collection = self._collection(visit, entry, response)
        reader = collection.reader()
        assert reader is not None, "a new collection has its beginning"
        self._tell(visit, entry, collection)
        return Response(came.status, headers, reader)

    def _collection(self, visit: Visit, entry: Entry, response: Response) -> Collection:
        assert not isinstance(response.body, bytes)
        declared = header(response.headers, "content-length")

        async def keep(body: bytes) -> None:
            if declared is None or declared == str(len(body)):
                await self._shelves.keep(visit.place, replace(entry, body=body))

        def done() -> None:
            if self._flights is not None and visit.flight is not None:
                self._flights.end(visit.place.name, visit.flight)
            if response.ended is not None:
                response.ended()

        return Collection(response.body, self._settings.max_bytes, keep, done, self._room)

    async def _saw_head(self, visit: Visit, came: Came) -> None:
        """A reply to HEAD renews the entry for GET, or shows that it is not the same thing any more (§4.3.5)."""
        entry = visit.entry
        if entry is None or came.status != entry.status:
            return
        if not entries.agrees(entry, came.headers):
            await self._shelves.forget(visit.place, entry)
            return
        got = replace(visit.request, method="GET")
        fresh = states.renewed(got, entry, came, self._settings, owned=visit.place.owned)
        await self._renew(replace(visit, request=got), fresh)

    # Behind a stale reply.

    def _refresh(self, visit: Visit, entry: Entry) -> None:
        name = f"{visit.place.name}.{entry.variant}"
        if name not in self._refreshing and len(self._refreshing) < MOST_REFRESHES:
            self._refreshing.add(name)
            self._spawn(self._ask_again(name, visit, entry))

    async def _ask_again(self, name: str, visit: Visit, entry: Entry) -> None:
        """Asks the origin about an entry that went out stale; what goes wrong leaves it as it is."""
        headers = conditions.about(visit.request, entry.headers)
        quiet = replace(visit.request, method="GET", headers=headers, notes={})
        try:
            await self._go_quietly(replace(visit, request=quiet), Validate(entry, "stale"))
        except Error:
            return
        finally:
            self._refreshing.discard(name)

    async def _go_quietly(self, visit: Visit, state: Validate) -> None:
        sent = self._clock.now()
        response = await self._fetch(visit.request)
        try:
            got = await self._took(visit, state, response, sent)
            if not isinstance(got.body, bytes):
                try:
                    await collect(got.body, self._settings.max_bytes)
                finally:
                    await got.aclose()
        finally:
            await response.aclose()

    # Small parts.

    def _made(self, visit: Visit, came: Came, body: bytes, found: Terms) -> Entry:
        return entries.made(
            visit.request, came, body, found, place=visit.place, marked=visit.mark,
            settings=self._settings, secret=self._shelves.secret,
        )  # fmt: skip

    def _tell(self, visit: Visit, reply: Entry | None, of: Collection | None = None) -> None:
        if visit.flight is not None:
            visit.flight.tell(reply, of)

    def _fits(self, response: Response) -> bool:
        most = self._settings.max_bytes
        if isinstance(response.body, bytes):
            return len(response.body) <= most
        declared = fields.number(header(response.headers, "content-length") or "")
        return declared is None or declared <= most


def _joinable(visit: Visit, state: Forward) -> bool:
    """Whether another's reply could be this request's: it wants the whole thing, of whatever age."""
    request = visit.request
    if request.method != "GET" or visit.asked.no_cache:
        return False
    if isinstance(state, Validate):
        return header(request.headers, "range") is None
    return conditions.plain(request)


def _dated(response: Response, sent: float, now: float) -> Came:
    """The head of a reply, with the Date that one without gets on its way (RFC 9110 §6.6.1)."""
    headers: Headers = response.headers
    if dates.parse(header(headers, "date") or "", now) is None:
        rest = [pair for pair in headers if pair[0] != "date"]
        headers = [*rest, ("date", dates.write(now))]
    return Came(response.status, headers, sent, now)


async def _or_close(response: Response, work: Coroutine[Any, Any, T]) -> T:
    """What `work` makes of a response, which is closed where it fails."""
    try:
        return await work
    except BaseException:
        await response.aclose()
        raise
