"""What must be so: the ledger, the budgets' counters and the providers' own meters tell one story."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from penstock.limits.rates import PARALLEL
from penstock.ports import Demand, Lease
from tests.simulation.air import now_of
from tests.simulation.settings import SETTINGS

if TYPE_CHECKING:
    from tests.simulation.callers import Told
    from tests.simulation.world import World

LEDGER = """
select request_id, attempt, stage, ended, at, owner, tenant, key_id, route, provider,
  input + cached_input + cache_write + output, amount_nanos, lease_until from ledger where cache <> 'hit'
"""
BUDGETS = "select budget, starts, ends, cap, reserved, spent, beyond from budgets"
HELD = "select request_id, budget, starts, unit, amount from budget_holds where settled = 0"
LEFT_MS = 30_000
"""How long before its lease's end a call arrives at the latest: a minute less what it may be on its way."""


@dataclass
class Books:
    """One request's rows."""

    reserved: list[Any] = field(default_factory=list)
    dispatched: list[Any] = field(default_factory=list)
    final: list[Any] = field(default_factory=list)
    corrections: list[Any] = field(default_factory=list)

    @property
    def ended(self) -> str:
        return self.final[0][3] if self.final else ""

    @property
    def denied(self) -> bool:
        """Whether its provider may have said that there was no such call."""
        return self.ended == "released" or bool(self.corrections)

    @property
    def unforeseen(self) -> bool:
        """Whether its provider did not know it when it was asked, and its own process then told otherwise."""
        return bool(self.corrections) and (self.ended == "released" or len(self.corrections) > 1)

    @property
    def nanos(self) -> int:
        return sum(row[11] for row in (*self.final, *self.corrections))

    @property
    def tokens(self) -> int:
        return sum(row[10] for row in (*self.final, *self.corrections))


def announced(world: World, mark: str) -> list[str]:
    """A call that comes to a provider stands in the books, and its hold's lease still runs."""
    request_id, _, attempt = mark.rpartition(".")
    rows = _rows(
        world, "select stage, attempt, lease_until from ledger where request_id = $1", request_id
    )
    if ("dispatched", int(attempt)) not in {row[:2] for row in rows}:
        return [f"{mark} was sent without a dispatched row"]
    left = max(row[2] for row in rows) - world.clock.now() * 1000
    if left < LEFT_MS:
        return [f"{mark} came {left} ms before the end of its lease"]
    return []


def settled_before_told(world: World, told: Told) -> list[str]:
    """Where the stores work, who has seen the end of an answer that it paid for finds its final row."""
    if not told.whole or told.status != 200 or told.cache == "hit" or told.replayed:
        return []
    rows = _rows(
        world, "select ended from ledger where request_id = $1 and stage = 'final'", told.id
    )
    return [] if len(rows) == 1 else [f"{told.id} was answered before it was settled"]


def quiet(world: World) -> list[str]:
    """Where the stores work, a living process whose callers have gone has no place and no hold any more."""
    if world.temper.refuse or world.temper.lose:
        return []
    requests = {} if world.dead else _requests(world)
    found = [
        f"{id} is still held though nothing runs" for id, one in requests.items() if not one.final
    ]
    return found + [
        f"{place.holder} did not give back {place.lease.demands}" for place in world.meter.held()
    ]


def books(world: World, *, at_rest: bool) -> list[str]:
    """All that is wrong; `at_rest` when nothing runs any more and every lease is over."""
    requests = _requests(world)
    found = [
        *_ends(requests, at_rest),
        *_bills(world, requests, at_rest),
        *_counters(world, requests),
    ]
    found += _keys(world, requests)
    return found + (_at_rest(world) if at_rest else [])


def _requests(world: World) -> dict[str, Books]:
    requests: dict[str, Books] = defaultdict(Books)
    for row in _rows(world, LEDGER):
        one = requests[row[0]]
        stages = {
            "reserve": one.reserved,
            "dispatched": one.dispatched,
            "final": one.final,
            "correction": one.corrections,
        }
        stages[row[2]].append(row)
    return requests


def _ends(requests: dict[str, Books], at_rest: bool) -> list[str]:
    """One reserve, one final row, and no row of one that has no reserve."""
    found = []
    for id, one in requests.items():
        if len(one.reserved) != 1 or len(one.final) > 1:
            found.append(f"{id} has {len(one.reserved)} reserves and {len(one.final)} final rows")
        elif at_rest and not one.final:
            found.append(f"{id} holds after its lease")
        elif one.corrections and one.ended == "settled":
            found.append(f"{id} was settled and then corrected")
    return found


def _bills(world: World, requests: dict[str, Books], at_rest: bool) -> list[str]:
    """What providers charged is what the books say: equal where it is settled or corrected, not less where estimated."""
    charged: dict[str, int] = defaultdict(int)
    for mark, bill in world.providers.bills.items():
        charged[mark.rpartition(".")[0]] += 0 if bill.open else bill.nanos
    found = [f"{id} was charged and is in no book" for id in charged if id not in requests]
    for id, one in requests.items():
        if one.final:
            found += _bill(world, id, one, charged[id], at_rest)
    return found


def _bill(world: World, id: str, one: Books, charged: int, at_rest: bool) -> list[str]:
    said = f"{id} is {one.ended} at {one.nanos} and was charged {charged}"
    if one.denied and one.nanos < charged:
        return [said] if at_rest and _heard(world) else []
    if one.unforeseen:
        return []
    if one.ended == "settled" or one.corrections:
        return [] if one.nanos == charged else [said]
    told = at_rest and one.ended == "estimated" and "usage_lookup" in SETTINGS[one.final[0][9]]
    return [said] if one.nanos < charged else [f"{said}, never corrected"] if told else []


def _heard(world: World) -> bool:
    """Whether every process lived to tell of calls that their providers denied while they ran, and could tell it."""
    temper = world.temper
    return not (temper.forgetful and (world.dead or temper.refuse or temper.lose))


def _counters(world: World, requests: dict[str, Books]) -> list[str]:
    """Each budget's row is the sum of its requests: open ones reserved, ended ones spent; never beyond its cap."""
    held: dict[tuple[str, int], dict[str, int]] = defaultdict(dict)
    found = []
    for id, budget, starts, unit, amount in _rows(world, HELD):
        held[budget, starts][id] = amount
        if not requests[id].reserved or requests[id].final:
            found.append(f"{id} holds of {budget} and is not open")
        elif unit == "nanos" and amount != requests[id].reserved[0][11]:
            found.append(
                f"{id} holds {amount} of {budget} and reserved {requests[id].reserved[0][11]}"
            )
    for budget, starts, ends, cap, reserved, spent, beyond in _rows(world, BUDGETS):
        per, _, unit, whose = budget.split(":", 3)
        mine = {id: one for id, one in requests.items() if _counts(one, per, whose, starts, ends)}
        used = sum(one.nanos if unit == "nanos" else one.tokens for one in mine.values())
        both = held.pop((budget, starts), {})
        if {id for id, one in mine.items() if not one.final} != set(both):
            found.append(f"{budget} is not held by whom is open")
        if (reserved, spent) != (sum(both.values()), used):
            found.append(
                f"{budget} says {reserved} + {spent}, its rows {sum(both.values())} + {used}"
            )
        surprised = any(one.unforeseen for one in mine.values())
        if reserved + spent > cap + beyond or (beyond and not surprised):
            found.append(f"{budget} is overspent: {reserved} + {spent} > {cap}")
    return found + [f"{budget} is held and has no row" for budget in held]


def _counts(one: Books, per: str, whose: str, starts: int, ends: int) -> bool:
    """Whether a request is of this budget's period."""
    if not one.reserved:
        return False
    row = one.reserved[0]
    name = {"user": row[5], "tenant": row[6], "key": row[7], "route": row[8]}[per]
    return bool(name == whose and starts <= row[4] < ends)


def _keys(world: World, requests: dict[str, Books]) -> list[str]:
    """Under one key at most one request was charged, and whoever got its answer got the same bytes."""
    charged = {mark.split(".")[0] for mark, bill in world.providers.bills.items() if bill.nanos}
    found = []
    for ask in world.asks:
        if not ask.key:
            continue
        paid = {str(request.notes.get("id")) for request in ask.requests} & charged
        # A provider that denied a running call has made its key free; no other may have been paid twice.
        denied = world.temper.forgetful and any(requests[id].denied for id in paid)
        if len(paid) > 1 and not denied:
            found.append(f"{ask} was charged twice: {sorted(paid)}")
        # Who stood still with its claim may be overtaken by a repeat: then neither may be charged, but both are answered.
        bought = [told for told in ask.told if told.cache != "hit" or not world.temper.freeze]
        whole = {told.data for told in bought if told.status == 200 and told.good}
        if len(whole) > 1:
            found.append(f"{ask} was answered in two ways")
    return found


def _at_rest(world: World) -> list[str]:
    """Nothing is left of all that ran: no place taken, no stream open, nothing waited for."""
    found = []
    limit = world.config.tiers["free"].parallel
    for owner in {ask.owner for ask in world.asks} if limit else ():
        whole = Demand("parallel", PARALLEL, f"{PARALLEL}:{{{owner}}}", limit, 1, limit)
        if not isinstance(now_of(world.platform.meter.take([whole])), Lease):
            found.append(f"{owner} still has a place among its parallel calls")
    found += _unrecorded(world)
    found += [f"{mark} still runs" for mark, bill in world.providers.bills.items() if bill.open]
    for replica in (*world.replicas, *world.dead):
        if replica.tasks:
            found.append(
                f"{replica} still runs {len(replica.tasks)} tasks: {next(iter(replica.tasks))}"
            )
    for replica in world.replicas:
        kept = replica.gateway.lasting
        if kept.purchases.open or kept.journal.dropped or replica.replies:
            found.append(f"{replica} still holds something")
    return found


def _unrecorded(world: World) -> list[str]:
    """Answers of living processes without a decision record. Whoever left while the books were out of reach for longer
    than anybody tries to write its final row may have none."""
    recorded = {row[0] for row in _rows(world, "select request_id from decisions")}
    answered = [told for ask in world.asks for told in ask.told if told.status == 200]
    kept = [told for told in answered if told.whole or not world.temper.refuse]
    missing = [told for told in kept if not (told.by.dead or told.replayed or told.id in recorded)]
    return [f"{told.id} has no record" for told in missing]


def _rows(world: World, sql: str, *args: Any) -> list[Any]:
    return list(now_of(world.platform.tables.rows(sql, *args)))
