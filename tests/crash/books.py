"""What the gateway has written and what the provider has billed, each as it says so itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from load.fake_provider import FakeProvider
from penstock.ports import Tables

LEDGER = """
select request_id, attempt, stage, ended, owner, tenant, route, input, cached_input, cache_write, output,
  amount_nanos, cache, sub
from ledger
"""
BUDGETS = "select budget, reserved, spent from budgets"
CLAIMS = "select key, request_id from idempotency"
HELD = "select distinct request_id from budget_holds where settled = 0"


class Row(NamedTuple):
    """A row of the ledger."""

    request_id: str
    attempt: int
    stage: str
    ended: str
    owner: str
    tenant: str
    route: str
    input: int
    cached_input: int
    cache_write: int
    output: int
    amount: int
    cache: str
    sub: str

    @property
    def tokens(self) -> tuple[int, int, int, int]:
        return self.input, self.cached_input, self.cache_write, self.output


class Budget(NamedTuple):
    """A budget's period."""

    name: str
    reserved: int
    spent: int


@dataclass(frozen=True)
class Books:
    """The gateway's."""

    rows: Sequence[Row] = ()
    budgets: Sequence[Budget] = ()
    held: Sequence[str] = ()
    """Requests that hold of a budget."""
    claims: Mapping[str, str] = field(default_factory=dict)
    """Whose each Idempotency-Key is."""

    @property
    def open(self) -> set[str]:
        """The holds without an ending."""
        ended = {row.request_id for row in self.rows if row.stage == "final" and not row.cache}
        return {row.request_id for row in self.rows if row.stage == "reserve"} - ended


class Call(NamedTuple):
    """One call, as the provider's meter has it; `text` is what was sent."""

    hold: str
    attempt: int
    charged: int
    tokens: tuple[int, int, int, int]
    text: str


async def read_books(tables: Tables) -> Books:
    """All that stands in the tables now."""
    rows = [Row(*row) for row in await tables.rows(LEDGER)]
    budgets = [Budget(*row) for row in await tables.rows(BUDGETS)]
    claims = {str(key): str(whose) for key, whose in await tables.rows(CLAIMS)}
    return Books(rows, budgets, [str(row[0]) for row in await tables.rows(HELD)], claims)


def read_bill(fake: FakeProvider) -> list[Call]:
    """Every call of the provider's, once none runs any more and none is on its way."""
    seen = -1
    report = fake.meter()
    # What a dead client has sent was with the kernel: two rounds without anything new, and all of it was read.
    while seen != report["calls"]:
        seen = report["calls"]
        report = fake.meter(calls=seen, finished=seen)
    assert report["finished"] == report["calls"], "a call still runs"
    texts = {_header(one["headers"], "x-request-id"): one["body"] for one in fake.requests(1_000)}
    return [_call(row, texts) for row in report["rows"]]


def _call(row: dict[str, Any], texts: dict[str, str]) -> Call:
    name = row["x_request_id"]
    hold, _, attempt = name.rpartition(".")
    tokens = (row["input"], row["cached_input"], row["cache_write"], row["output"])
    return Call(hold, int(attempt), row["charged_nanos"], tokens, texts[name])


def _header(headers: Sequence[Sequence[str]], name: str) -> str:
    return next((value for key, value in headers if key.lower() == name), "")
