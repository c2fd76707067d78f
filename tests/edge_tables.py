"""The tables of docs/explanation/what-the-edge-costs.md, from the price table and its arithmetic."""

from __future__ import annotations

from collections.abc import Sequence

from penstock.prices import (
    FREE_NEURONS_PER_DAY,
    Price,
    amount_nanos,
    edge,
    lookup,
    neurons_micro,
)
from penstock.prices.edge import Allotment, Line
from penstock.wire.chat import Usage

MONTH = 30
NANOS = 1_000_000_000
BAR_OF = 500
LONGEST = 20
SHOWN = 3
DAILY = edge.total([(edge.PASS.takes, edge.CRON_A_DAY)])
SMALL, MEDIUM = Usage(input=200, output=100), Usage(input=500, output=300)
ANSWERS = (
    ("@cf/ibm-granite/granite-4.0-h-micro", SMALL, "a chat of 200 tokens in, 100 out"),
    ("@cf/ibm-granite/granite-4.0-h-micro", MEDIUM, "a chat of 500 in, 300 out"),
    ("@cf/meta/llama-3.1-8b-instruct-fp8-fast", MEDIUM, "a chat of 500 in, 300 out"),
    ("@cf/meta/llama-3.3-70b-instruct-fp8-fast", MEDIUM, "a chat of 500 in, 300 out"),
    ("@cf/baai/bge-base-en-v1.5", Usage(input=250), "a text of 250 tokens"),
    ("@cf/baai/bge-m3", Usage(input=250), "a text of 250 tokens"),
)
HITS = 60
"""Of a hundred chats, those that the cache has: the first design's aim."""
VOLUMES = (30_000, 100_000, 1_000_000, 3_000_000, 10_000_000)
OPENAI_BEFORE = 155 * NANOS
FREE_OF_A_HUNDRED = 70
OTHERS = (("backend", 30, 20), ("PostgreSQL", 10, 10), ("Redis", 5, 5))
"""The first design's other lines, before and after, in dollars."""


def plans() -> Sequence[Sequence[object]]:
    """Each line's free allotment, what is included in the paid one, and the price beyond."""
    rows: list[Sequence[object]] = [
        ["", "free plan", "paid plan includes", "beyond", "where the free plan ends"]
    ]
    for line in edge.LINES:
        free = "10 ms a request" if line.free is None else _allotted(line.free, line)
        rows.append([line.what, free, _allotted(line.paid, line), _beyond(line), line.end])
    return rows


def kinds() -> Sequence[Sequence[object]]:
    """What the bindings count for a request of each kind."""
    names = ("kv_reads", "kv_writes", "d1_rows_read", "d1_rows_written", "object_requests",
             "object_rows_read", "object_rows_written", "r2_writes")  # fmt: skip
    head = ["", " KV reads", " KV writes", " D1 rows read", " D1 rows written", " object requests",
            " object rows read", " object rows written", " R2 writes"]  # fmt: skip
    known = [*edge.KINDS.values(), edge.PASS]
    return [head, *([kind.what, *(kind.takes.get(name, 0) for name in names)] for kind in known)]


def ends() -> Sequence[Sequence[object]]:
    """Where each line of the free plan ends, in bought chats a day, as bars."""
    found = edge.runs_out(1, edge.each("chat"), DAILY, MONTH)
    head = ["the free plan's", " bought chats a day", "", "above that"]
    return [head, *([line.what, f"{most:,}", _bar(most), line.end] for line, most in found)]


def neurons() -> Sequence[Sequence[object]]:
    """How many answers 10,000 neurons are, and what one costs beyond them."""
    rows: list[Sequence[object]] = [
        ["model", "what", " neurons", " a day free", " USD a thousand beyond"]
    ]
    for model, usage, what in ANSWERS:
        price = _price("workers_ai", model)
        took = neurons_micro(price, usage)
        dollars = f"{amount_nanos(price, usage) * 1_000 / NANOS:.3f}"
        rows.append(
            [
                f"`{model}`",
                what,
                f"{took / 1e6:.2f}",
                f"{FREE_NEURONS_PER_DAY * 1_000_000 // took:,}",
                dollars,
            ]
        )
    return rows


def volumes() -> Sequence[Sequence[object]]:
    """The platform's bill at so many chats a month, of which the cache has six in ten."""
    rows: list[Sequence[object]] = [
        ["chats a month", " a day", "free plan", " paid plan, USD", "most of it"]
    ]
    for number in VOLUMES:
        days = [_day(number * (100 - HITS) // 100 // MONTH, number * HITS // 100 // MONTH)] * MONTH
        charges = edge.charges(days)
        short = [one.line.what for one in edge.limits(days) if one.left < 0]
        free = "suffices" if not short else f"ends at {', '.join(short[:SHOWN])}"
        free += f" and {len(short) - SHOWN} more" if len(short) > SHOWN else ""
        dearest = max(charges, key=lambda charge: charge.nanos)
        most = (
            f"{dearest.line.what}: {dearest.nanos / NANOS:.2f}"
            if dearest.nanos
            else "the plan itself"
        )
        bill = edge.SUBSCRIPTION_NANOS + sum(charge.nanos for charge in charges)
        rows.append([f"{number:,}", f"{number // MONTH:,}", free, f"{bill / NANOS:.2f}", most])
    return rows


def first_budget() -> Sequence[Sequence[object]]:
    """The first design's month: as it said, and by our table for the traffic that its OpenAI bill stands for."""
    chat = amount_nanos(_price("openai", "gpt-4o"), MEDIUM)
    chats = OPENAI_BEFORE // chat
    bought, strong = chats * (100 - HITS) // 100, chats * (100 - FREE_OF_A_HUNDRED) // 100
    day = _day(bought // MONTH, (chats - bought) // MONTH)
    took = (
        (bought - strong)
        // MONTH
        * neurons_micro(_price("workers_ai", "@cf/ibm-granite/granite-4.0-h-micro"), MEDIUM)
    )
    charges = edge.charges([day | {"neurons": took}] * MONTH)
    over = {charge.line.name: charge.nanos for charge in charges}
    platform = edge.SUBSCRIPTION_NANOS + sum(over.values()) - over["neurons"]
    lines: list[tuple[str, float, float, float]] = [
        ("OpenAI", 155.0, 0.0, strong * chat / NANOS),
        ("Cloudflare, paid plan", 0.0, 5.0, platform / NANOS),
        ("Workers AI", 0.0, 0.0, over["neurons"] / NANOS),
        *((name, before, after, after) for name, before, after in OTHERS),
    ]
    head = ["USD a month", " before", " after, as it said", f" after, for its {chats:,} chats"]
    columns = list(zip(*(line[1:] for line in lines), strict=True))
    sums = ["all", *(f"{sum(column):.2f}" for column in columns)]
    return [head, *([line[0], *(f"{amount:.2f}" for amount in line[1:])] for line in lines), sums]


def _day(bought: int, cached: int) -> dict[str, int]:
    return edge.total([(DAILY, 1), (edge.each("chat"), bought), (edge.each("chat_cached"), cached)])


def _price(kind: str, model: str) -> Price:
    price = lookup(kind, model, edge.CHECKED)
    assert price is not None
    return price


def _allotted(of: Allotment, line: Line) -> str:
    when = {"day": " a day", "month": " a month", "ever": ""}[of.each]
    return f"{_amount(of.units, line)}{when}"


def _amount(units: int, line: Line) -> str:
    whole, rest = divmod(units, line.scale)
    return f"{units / line.scale:g} {line.unit}" if rest else f"{whole:,} {line.unit}"


def _beyond(line: Line) -> str:
    per = _amount(line.per, line).removeprefix("1 ")
    return f"{line.nanos / NANOS:g} USD for {per}{', begun ones whole' if line.whole else ''}"


def _bar(number: int) -> str:
    full = number // BAR_OF
    return "█" * min(full, LONGEST) + (" …" if full > LONGEST else "")
