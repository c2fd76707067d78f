"""The exact meter that every process shares, in Redis or Valkey."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from itertools import groupby
from typing import Any, NamedTuple

from msgspec.structs import replace
from redis.crc import key_slot
from redis.exceptions import ClusterDownError, MovedError, RedisError

from penstock.errors import Unavailable
from penstock.platforms.server import scripts
from penstock.platforms.server.pipe import Pipe, Script, unavailable
from penstock.ports import Demand, Denial, Lease, Standing

PREFIX = "penstock:"
MARKS = "penstock:{marks}:"
SENTINEL = MARKS + "loaded"
LOADING = MARKS + "loading:"
LOADING_SECONDS = 60
MOST_LOGGED = 10_000
"""The largest limit that is kept as an exact log."""
PLACE_SECONDS = 660
"""A parallel call's place, where its demand names no window, falls free after this: the longest call, and a minute."""
MOST_OWED = 10_000
"""Calls whose places are still to be given back once Redis is in reach again."""
MOST_LOADS = 5
LOAD_SECONDS = 2.0
"""A take waits so long for the marks, and is then refused; the loading goes on."""
MILLION = 1_000_000
HELD = ("parallel", "tokens")
"""What is given back when its call ends."""

Load = Callable[[], Awaitable[object]]
"""Marks every revoked credential on this meter, from the tables."""

_TAKE, _GIVE = Script(scripts.TAKE), Script(scripts.GIVE)
_LOADED, _FORGET = Script(scripts.LOADED), Script(scripts.FORGET)


class Taken(Lease, frozen=True):
    """A lease that knows its name in Redis, and when each of its demands was taken."""

    name: str
    at: tuple[int, ...]


class Answer(NamedTuple):
    """What one script said: of each of its demands what it waits, what remains, when it is whole again."""

    now: int
    denied: bool
    counts: list[tuple[int, int, int]]


class ServerMeter:
    """Counts in Redis, decided there by its clock: as MemoryMeter decides, but of all processes together.

    All demands of a take are one script. On a cluster a script reaches the keys of one slot only: the caller puts what
    belongs together under one `{hash tag}`; demands of several slots are taken one slot after another, and what was
    taken is given back where a later slot refuses, so that a take is still all or none, though others may see it come
    and go. Raises Unavailable where Redis is out of reach: what was asked may then have been counted.
    """

    def __init__(
        self,
        pipe: Pipe,
        process: str,
        *,
        cluster: bool = False,
        now: Callable[[], int] | None = None,
    ) -> None:
        self._pipe = pipe
        self._process = process
        self._cluster = cluster
        self._now = now
        self._last = 0
        self._open: set[int] = set()
        self._giving: set[asyncio.Future[None]] = set()
        self._owed: deque[tuple[str, Sequence[Demand]]] = deque()
        self._run_id = ""
        self._load: Load | None = None
        self._loading: asyncio.Task[None] | None = None
        self._suspect = False

    def load_marks_by(self, load: Load) -> None:
        """Loads by this whenever Redis has none of the marks: it is new, was emptied or was started anew."""
        self._load = load

    async def connected(self, connection: Any) -> None:
        """Before a new connection is used: a Redis that was started anew may have lost marks, so they count as missing."""
        try:
            await connection.send_command("INFO", "server")
            run_id = _run_id(await connection.read_response())
            await connection.send_command("EVAL", scripts.FORGET, 1, SENTINEL, run_id)
            await connection.read_response()
        except (MovedError, ClusterDownError):
            return  # a node of a cluster that does not hold the marks
        self._run_id = run_id

    async def take(self, demands: Sequence[Demand]) -> Lease | Denial:
        if not any(demand.kind in HELD for demand in demands):
            return await self._decide(demands)
        # Who leaves while the reply is on its way has no lease to give back, so it is given back behind them.
        deciding = asyncio.ensure_future(self._decide(demands))
        try:
            return await asyncio.shield(deciding)
        except asyncio.CancelledError:
            deciding.add_done_callback(self._abandoned)
            raise

    async def give(self, lease: Lease, used: int | None = None) -> None:
        """As the port says; where Redis is out of reach counts end by themselves, by their windows, and parallel calls' places,
        whose windows are long, are given back once it is there again."""
        if not isinstance(lease, Taken):
            raise TypeError("This lease is of another meter.")
        held = [demand.kind in HELD for demand in lease.demands]
        if any(held):
            if lease.id not in self._open:
                return
            self._open.remove(lease.id)
        places = [
            place
            for place, demand in enumerate(lease.demands)
            if demand.kind != "alive" and (used is None or held[place])
        ]
        try:
            await self._give(lease.name, lease.demands, lease.at, places, used or 0)
        except Unavailable:
            self._owe(lease.name, lease.demands)

    async def mark(self, key: str, until: float) -> None:
        """The mark goes to Redis, where every process finds it on its next take."""
        micros = round(until * MILLION)
        await self._reply("SET", MARKS + key, micros, "PXAT", -(-micros // 1000))

    # --- a take -------------------------------------------------------------------------------------

    async def _decide(self, demands: Sequence[Demand]) -> Lease | Denial:
        self._last += 1
        number = self._last
        name = f"{self._process}:{number}"
        shut = self._pipe.shut
        try:
            taken = [
                (group, await self._take(name, [demands[place] for place in group]))
                for group in self._groups(demands)
            ]
        except Unavailable:
            if not shut:
                self._owe(name, demands)  # taken or not: nobody was told of it
            raise
        self._repay()
        if any(answer.denied for _, answer in taken):
            return await self._deny(name, demands, taken)
        if any(demand.kind in HELD for demand in demands):
            self._open.add(number)
        _, standings, at = _spread(demands, taken)
        return Taken(number, tuple(demands), tuple(standings), name, tuple(at))

    def _owe(self, name: str, demands: Sequence[Demand]) -> None:
        full = len(self._owed) >= MOST_OWED
        if not full and any(demand.kind == "parallel" for demand in demands):
            self._owed.append((name, demands))

    def _repay(self) -> None:
        """Behind a take that went well, one after another; what fails is owed again."""
        if self._owed and not self._giving:
            self._behind(self._repaid())

    async def _repaid(self) -> None:
        for _ in range(len(self._owed)):
            name, demands = self._owed.popleft()
            places = [at for at, demand in enumerate(demands) if demand.kind == "parallel"]
            try:
                await self._give(name, demands, [0] * len(demands), places, 0)
            except Unavailable:
                self._owed.append((name, demands))
                return

    def _behind(self, work: Coroutine[Any, Any, None]) -> None:
        giving = asyncio.ensure_future(work)
        self._giving.add(giving)
        giving.add_done_callback(self._giving.discard)

    def _abandoned(self, deciding: asyncio.Future[Lease | Denial]) -> None:
        if deciding.cancelled() or deciding.exception() is not None:
            return
        took = deciding.result()
        if isinstance(took, Lease):
            self._behind(self.give(took))

    def _groups(self, demands: Sequence[Demand]) -> list[list[int]]:
        """The places of the demands that are taken together, marks first: asking them leaves nothing to give back."""
        places = list(range(len(demands)))
        if not self._cluster:
            return [places] if places else []
        slots = {place: key_slot(_key(demands[place]).encode()) for place in places}
        places.sort(key=lambda place: (demands[place].kind != "alive", slots[place], place))
        return [list(group) for _, group in groupby(places, key=slots.__getitem__)]

    async def _take(self, name: str, demands: Sequence[Demand]) -> Answer:
        guarded = self._load is not None and any(demand.kind == "alive" for demand in demands)
        keys = [key for demand in demands for key in _keys(demand)]
        args: list[Any] = [self._time(), name, "1" if guarded else "0"]
        for demand in demands:
            args += _args(demand)
        if guarded and self._suspect:
            await self._refill()
        for _ in range(MOST_LOADS):
            reply = await self._call(_TAKE, [*keys, SENTINEL] if guarded else keys, args)
            if reply[0] >= 0:
                some = iter(reply[2:])
                return Answer(reply[1], reply[0] == 1, list(zip(some, some, some, strict=True)))
            await self._refill()
        raise unavailable()

    async def _deny(
        self, name: str, demands: Sequence[Demand], taken: list[tuple[list[int], Answer]]
    ) -> Denial:
        """Gives back what other slots had granted, and says how all that was asked stands without it."""
        for number, (group, answer) in enumerate(taken):
            if not answer.denied:
                await self._give(name, demands, [answer.now] * len(demands), group, 0)
                asked = [replace(demands[place], amount=0) for place in group]
                taken[number] = (group, await self._take(name, asked))
        waits, standings, _ = _spread(demands, taken)
        refused = [
            (demand.policy, wait) for demand, wait in zip(demands, waits, strict=True) if wait
        ]
        return Denial(
            tuple(policy for policy, _ in refused),
            max(waits),
            tuple(standings),
            tuple(wait for _, wait in refused),
        )

    async def _give(
        self,
        name: str,
        demands: Sequence[Demand],
        at: Sequence[int],
        places: Sequence[int],
        used: int,
    ) -> None:
        for group in self._groups(demands):
            these = [place for place in group if place in places]
            if not these:
                continue
            keys = [key for place in these for key in _keys(demands[place])]
            args: list[Any] = [self._time(), name]
            for place in these:
                demand = demands[place]
                left = used if demand.kind == "tokens" else 0
                args += [*_args(demand), left, at[place], group.index(place) + 1]
            await self._call(_GIVE, keys, args)

    def _time(self) -> str:
        return "" if self._now is None else str(self._now())

    # --- the marks ----------------------------------------------------------------------------------

    async def _refill(self) -> None:
        """One load for all that wait for it."""
        if self._loading is None or self._loading.done():
            self._loading = asyncio.get_running_loop().create_task(self._reload())
            self._loading.add_done_callback(_heard)
        loading = self._loading
        try:
            async with asyncio.timeout(LOAD_SECONDS):
                await asyncio.shield(loading)
        except TimeoutError:
            raise unavailable() from None

    async def _reload(self) -> None:
        self._suspect = False
        try:
            await self._load_all()
        except BaseException:
            self._suspect = True  # what was to be loaded again still is
            raise

    async def _load_all(self) -> None:
        assert self._load is not None
        token = f"{LOADING}{self._process}"
        for _ in range(MOST_LOADS):
            if not self._run_id:
                await self._reply("GET", SENTINEL)  # whoever holds it says its name on connecting
            await self._reply("SET", token, self._run_id, "EX", LOADING_SECONDS)
            await self._load()
            if await self._call(_LOADED, [SENTINEL, token], [self._run_id]):
                return
        raise unavailable()

    async def _call(self, script: Script, keys: Sequence[str], args: Sequence[Any]) -> Any:
        return await self._told(self._pipe.call(script, keys, args))

    async def _reply(self, *command: Any) -> Any:
        return await self._told(self._pipe.run(*command))

    async def _told(self, reply: Awaitable[Any]) -> Any:
        try:
            return await reply
        except (RedisError, Unavailable) as error:
            # A mark may have been lost on its way, ours or another's: once Redis is back they are loaded again.
            self._suspect = True
            raise unavailable() from error


def _heard(loading: asyncio.Task[None]) -> None:
    """Takes note of a failure that nobody waits for any more; the next take begins anew."""
    if not loading.cancelled():
        loading.exception()


def _spread(
    demands: Sequence[Demand], taken: list[tuple[list[int], Answer]]
) -> tuple[list[float], list[Standing], list[int]]:
    """The waits of all demands, the standings of those that count, and when each was taken, in the caller's order."""
    waits, at = [0.0] * len(demands), [0] * len(demands)
    found: dict[int, Standing] = {}
    for group, answer in taken:
        for place, (wait, remaining, reset) in zip(group, answer.counts, strict=True):
            demand = demands[place]
            waits[place], at[place] = wait / MILLION, answer.now
            if demand.kind in ("rate", "tokens"):
                left = min(remaining, demand.limit)
                found[place] = Standing(
                    demand.policy, demand.limit, left, reset / MILLION, demand.window
                )
    return waits, [found[place] for place in sorted(found)], at


def _key(demand: Demand) -> str:
    """Where a demand is counted; a key without a hash tag is one as a whole."""
    if demand.kind == "alive":
        return MARKS + demand.key
    key = demand.key if "{" in demand.key and "}" in demand.key else f"{{{demand.key}}}"
    kind = _kind(demand)
    window = 0 if kind == "p" else demand.window
    return f"{PREFIX}{key}:{demand.policy}:{window}:{kind}"


def _keys(demand: Demand) -> tuple[str, str]:
    key = _key(demand)
    return key, f"{key}:sum" if demand.kind != "alive" else key


def _kind(demand: Demand) -> str:
    if demand.kind in ("rate", "tokens"):
        return "l" if demand.limit <= MOST_LOGGED else "g"
    return demand.kind[0]


def _args(demand: Demand) -> tuple[str, int, int, int]:
    window = demand.window
    if demand.kind == "parallel":
        window = window or PLACE_SECONDS
    return _kind(demand), demand.limit, window * MILLION, demand.amount


def _run_id(info: bytes) -> str:
    return info.partition(b"run_id:")[2].partition(b"\r")[0].decode()
