"""A month of the ledger as it would be at Cloudflare's edge: so many requests of each kind a day, and what they take."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from msgspec import Struct

from penstock.ledger import days, invoices, reports, sql
from penstock.ports import Tables
from penstock.prices import Price, neurons_micro
from penstock.prices.edge import CRON_A_DAY, PASS, each, total
from penstock.wire.chat import Usage

DAILY = total([(PASS.takes, CRON_A_DAY)])
"""What each day takes, whether anything is asked or not."""
EMBED = "embed"
ASKED = ("chat", "chat_cached", "embedding", "embedding_cached")
"""The kinds that a ledger tells apart: a stream is a chat there, and a refusal leaves no row."""

Priced = Callable[[str, str, str], Price | None]
"""The price of a provider's model on a day, where it counts neurons."""


class Day(Struct, frozen=True):
    """One UTC day: its requests by kind, what the models cost, and what Cloudflare would count of all that."""

    day: str
    asks: Mapping[str, int]
    cost_nanos: int
    takes: Mapping[str, int]


class Month(Struct, frozen=True):
    """The days of a month that have begun; `length` is how many it has, and `over` whether all are behind us."""

    month: str
    length: int
    over: bool
    days: tuple[Day, ...]

    @property
    def asks(self) -> dict[str, int]:
        """Requests of each kind in the month so far."""
        return {kind: sum(day.asks[kind] for day in self.days) for kind in ASKED}

    @property
    def whole(self) -> list[Mapping[str, int]]:
        """What each day of the month takes: days to come as those behind us, in turn."""
        known = self.days if self.over or len(self.days) == 1 else self.days[:-1]
        behind = [day.takes for day in self.days]
        to_come = [known[at % len(known)].takes for at in range(self.length - len(behind))]
        return [*behind, *to_come]


async def month(tables: Tables, at: int, now: int, priced: Priced) -> Month:
    """The month that an instant lies in, as far as it has begun."""
    since, until = days.span("month", at)
    end = min(until, now + 1)
    told = await reports.usage(tables, owner=None, since=since, until=end, by="day")
    neurons = _neurons(await invoices.ours(tables, since, end), priced)
    texts = {
        day: (hits + misses, misses)
        for day, hits, misses in await tables.rows(
            sql.CACHE_COUNTS_OF, EMBED, days.day(since), days.day(end - 1)
        )
    }
    begun = [days.day(start) for start in range(since, end, days.DAY_MS)]
    found = tuple(
        _day(
            day,
            [row for row in told["rows"] if row["period"] == day],
            texts.get(day, (0, 0)),
            neurons.get(day, 0),
        )
        for day in begun
    )
    length = (until - since) // days.DAY_MS
    return Month(begun[0][:7], length, end == until, found)


def _day(day: str, rows: Sequence[Mapping[str, Any]], texts: tuple[int, int], neurons: int) -> Day:
    asks = _asks(rows)
    takes = total([(DAILY, 1), *((each(kind), number) for kind, number in asks.items())])
    # One text a request is in what a request takes; a batch looks each of its texts up, and keeps what it bought.
    looked_up, missed = texts
    takes["kv_reads"] = takes.get("kv_reads", 0) + max(
        0, looked_up - asks["embedding"] - asks["embedding_cached"]
    )
    takes["kv_writes"] = takes.get("kv_writes", 0) + max(0, missed - asks["embedding"])
    takes["neurons"] = neurons
    return Day(day, asks, sum(row["cost_nanos"] for row in rows), takes)


def _asks(rows: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    asks = dict.fromkeys(ASKED, 0)
    for row in rows:
        kind = "embedding" if row["service"] == "embeddings" else "chat"
        asks[kind] += row["requests"] - row["cached"]
        asks[f"{kind}_cached"] += row["cached"]
    return asks


def _neurons(rows: Sequence[invoices.Ours], priced: Priced) -> dict[str, int]:
    """Millionths of a neuron by day."""
    found: dict[str, int] = {}
    for row in rows:
        price = priced(row.provider, row.model, row.day)
        if price is not None:
            took = neurons_micro(price, Usage(input=row.used.input, output=row.used.output))
            found[row.day] = found.get(row.day, 0) + took
    return found
