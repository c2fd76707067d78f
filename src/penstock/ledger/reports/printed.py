"""A month's figures as a paper for people: what matters first, amounts as one reads them, and what they rest on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from penstock.ledger import budgets, days
from penstock.ledger.reports.monthly import Monthly, Sums, rest
from penstock.wire.paper import (
    Block,
    Chart,
    Figure,
    Figures,
    Paper,
    Prose,
    Section,
    Series,
    Table,
    shown,
)

NANOS = 10**9
NONE = "\N{EN DASH}"
MINUS = "\N{MINUS SIGN}"
BY_DAY = "by-day"
MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
          "November", "December")  # fmt: skip
_LINES = {"edge": "Edge", "models": "Models", "backend": "Backend", "databases": "Databases"}
_HEADS = {
    "model": ("By model", ("Service", "Provider", "Model")),
    "provider": ("By provider", ("Provider",)),
    "route": ("By route", ("Service", "Route")),
    "tenant": ("By tenant", ("Tenant",)),
    "user": ("By user", ("User",)),
}
_SUMMED = ("Requests", "From cache", "Free", "Tokens", "Spent", "Of spent")


def paper(found: Monthly) -> Paper:
    """The same for the same figures: it holds no time of its own making."""
    asked = found.asking
    year, number = asked.month.split("-")
    name = f"{MONTHS[int(number) - 1]} {year}"
    whose = f", tenant {shown(asked.tenant)}" if asked.tenant else ""
    nothing = () if found.totals["requests"] else (Prose("Nothing was asked in this time."),)
    sections = (
        Section("At a glance", (Figures(glance(found)), *nothing)),
        Section("Day by day", (_spent(found), _requests(found))),
        *([_bill(found)] if found.bill else []),
        *([_budgets(found.budgets)] if found.budgets else []),
        Section("Who and what it went to", tuple(_group(of, found) for of in found.groups)),
        *([_errors(found)] if found.errors else []),
        *([_seen(found)] if found.logins else []),
        Section("The days in figures", (_by_day(found),), BY_DAY),
        Section("What these figures rest on", tuple(Prose(text) for text in _rest_on(found))),
    )
    state = "the whole month" if asked.over else f"so far: up to {days.day(asked.until - 1)}"
    return Paper(f"Penstock, {name}{whose}", f"{days.day(asked.since)} to {days.day(asked.until - 1)} (UTC), {state}", sections)  # fmt: skip


def dollars(nanos: int) -> str:
    """As one reads it: cents from a dollar on, below that the first digits that are not 0."""
    sign, amount = MINUS if nanos < 0 else "", abs(nanos)
    if amount >= NANOS or not amount:
        cents = (amount + NANOS // 200) // (NANOS // 100)
        return f"{sign}${cents // 100:,}.{cents % 100:02d}"
    places = 2 if amount >= NANOS // 10 else next(n for n in range(3, 12) if amount * 10**n >= NANOS * 10)  # fmt: skip
    places = min(9, max(places, 4))
    shift: int = 10 ** (9 - places)
    told = (amount + shift // 2) // shift
    return f"{sign}$0.{told:0{places}d}" if told < 10**places else f"{sign}$1.00"


def percent(part: int, of: int) -> str:
    """To a tenth; an en dash of nothing."""
    if not of:
        return NONE
    tenths = (abs(part) * 2000 + of) // (2 * of)
    return f"{MINUS if part < 0 and tenths else ''}{tenths // 10:,}.{tenths % 10} %"


def change(now: int, before: int) -> str:
    """What it is against before: `+12.5 %`, `new`, or an en dash where both are nothing."""
    if not before:
        return "new" if now else NONE
    told = percent(now - before, abs(before))
    return told if told.startswith(MINUS) else f"+{told}" if now != before else "unchanged"


def glance(found: Monthly) -> tuple[Figure, ...]:
    """What is read first."""
    told, before = found.totals, found.before
    hits, hits_before = told["cached"], before["cached"]
    unpaid, unpaid_before = hits + told["free"], before["cached"] + before["free"]
    items = [
        _saved(found),
        Figure("Spent", dollars(told["cost_nanos"]), _before(dollars(before["cost_nanos"]), change(told["cost_nanos"], before["cost_nanos"]))),
        Figure("Requests", f"{told['requests']:,}", _before(f"{before['requests']:,}", change(told["requests"], before["requests"]))),
        Figure("Tokens paid for", f"{told['tokens']:,}", _before(f"{before['tokens']:,}", change(told["tokens"], before["tokens"]))),
        Figure("Cache hits", percent(hits, told["requests"]), _before(percent(hits_before, before["requests"]))),
        Figure("Served free", percent(unpaid, told["requests"]), _before(percent(unpaid_before, before["requests"]))),
    ]  # fmt: skip
    if found.latency is not None:
        then = found.latency_before or {}
        items.append(Figure("Latency p50", _took(found.latency, "p50_ms"), _before(_took(then, "p50_ms"))))  # fmt: skip
        items.append(Figure("Latency p95", _took(found.latency, "p95_ms"), _before(_took(then, "p95_ms"))))  # fmt: skip
    if found.errors is not None:
        then = found.errors_before or {}
        items.append(Figure("Failed", _share(found.errors.get("share")), _before(_share(then.get("share")))))  # fmt: skip
    return tuple(items)


def _saved(found: Monthly) -> Figure:
    if found.saved is None:
        why = "no baseline is configured" if not found.baseline else "the baseline has no price"
        return Figure("Saved", NONE, why)
    part = percent(found.saved["saved_nanos"], found.saved["would_cost_nanos"])
    then = found.saved_before
    note = f"{part} of {dollars(found.saved['would_cost_nanos'])} at {shown(found.baseline)}"
    if then is not None:
        note += f"; before {dollars(then['saved_nanos'])}"
    return Figure("Saved", dollars(found.saved["saved_nanos"]), note)


def _before(value: str, changed: str = "") -> str:
    return f"before {value}" + (f", {changed}" if changed not in ("", NONE, "new") else "")


def _took(latency: Mapping[str, Any], name: str) -> str:
    value = latency.get(name)
    if value is None:
        return NONE
    return f"{value / 1000:,.1f} s" if value >= 10_000 else f"{value:,.0f} ms" if value >= 10 else f"{value:.1f} ms"  # fmt: skip


def _share(value: float | None) -> str:
    return NONE if value is None else percent(round(value * 10_000), 10_000)


def _spent(found: Monthly) -> Chart:
    values = tuple(max(0, sums["cost_nanos"]) for _, sums in found.by_day)
    return Chart("Spent by day, US dollars", _labels(found), (Series("spent", values),), "usd", BY_DAY)  # fmt: skip


def _requests(found: Monthly) -> Chart:
    free = tuple(sums["free"] for _, sums in found.by_day)
    cached = tuple(sums["cached"] for _, sums in found.by_day)
    paid = tuple(max(0, sums["requests"] - sums["free"] - sums["cached"]) for _, sums in found.by_day)  # fmt: skip
    series = Series("paid", paid), Series("free", free), Series("from cache", cached)
    return Chart("Requests by day", _labels(found), series, "number", BY_DAY)


def _labels(found: Monthly) -> tuple[str, ...]:
    return tuple(str(int(day[8:])) for day, _ in found.by_day)


def _bill(found: Monthly) -> Section:
    bill, forecast = found.bill or {}, found.forecast
    over = found.asking.over
    guessed = {line["line"]: line["forecast_nanos"] for line in (forecast or {}).get("lines", ())}
    columns = ["Line", "Fixed", "Came to" if over else "So far", "Budget"]
    columns += ["Of budget"] if over else ["Forecast", "Of budget"]
    columns += ["Forecast at mid-month"] if forecast else []
    columns += ["Before Penstock"]
    rows = []
    for line in (*bill["lines"], {"line": "Total", "fixed_nanos": sum(one["fixed_nanos"] for one in bill["lines"]), **bill["totals"]}):  # fmt: skip
        end = line["to_date_nanos"] if over else line["forecast_nanos"]
        budget = line["budget_nanos"]
        row = [
            _LINES.get(line["line"], line["line"]),
            dollars(line["fixed_nanos"]),
            dollars(line["to_date_nanos"]),
        ]
        row.append(NONE if budget is None else dollars(budget))
        row += ([] if over else [dollars(end)]) + [NONE if budget is None else percent(end, budget)]
        if forecast:
            row.append(dollars(guessed.get(line["line"], forecast["totals"]["forecast_nanos"])))
        rows.append((*row, dollars(line["before_nanos"])))
    blocks: list[Block] = [Table("The bill by line", tuple(columns), tuple(rows), total=True)]
    late = [_LINES[line["line"]] for line in bill["lines"] if line["over"]]
    if late:
        blocks.append(Prose(f"Over budget{'' if over else ' as things go'}: {', '.join(late)}."))
    if bill["preset"]:
        blocks.append(Prose("No costs are configured: fixed amounts, budgets and what stood before are the first design's own"
                            " figures. Set [[costs]] to have yours."))  # fmt: skip
    return Section("The bill", tuple(blocks))


def _budgets(found: Sequence[budgets.Standing]) -> Section:
    rows = tuple(
        (f"{one.per} {shown(one.name)}".strip(), one.unit.replace("nanos", "dollars"), _amount(one, one.spent), _amount(one, one.cap),
         percent(one.spent + one.reserved, one.cap))
        for one in found
    )  # fmt: skip
    return Section("Monthly budgets", (Table("Those that went furthest", ("Of", "Counts", "Spent", "Cap", "Used"), rows, 2),))  # fmt: skip


def _amount(one: budgets.Standing, value: int) -> str:
    return dollars(value) if one.unit == "nanos" else f"{value:,}"


def _group(of: str, found: Monthly) -> Table:
    title, names = _HEADS[of]
    rows = [
        (*(shown(name) or NONE for name in key), *_row(sums, found.totals))
        for key, sums in found.groups[of]
    ]
    others = rest(found.groups[of], found.totals)
    if any(others.values()):
        rows.append(("The others", *([""] * (len(names) - 1)), *_row(others, found.totals)))
    rows.append(("All", *([""] * (len(names) - 1)), *_row(found.totals, found.totals)))
    return Table(title, (*names, *_SUMMED), tuple(rows), len(names), total=True)


def _row(sums: Sums, totals: Sums) -> tuple[str, ...]:
    counts = (f"{sums[name]:,}" for name in ("requests", "cached", "free", "tokens"))
    return (*counts, dollars(sums["cost_nanos"]), percent(sums["cost_nanos"], totals["cost_nanos"]))


def _errors(found: Monthly) -> Section:
    errors = found.errors or {}
    if not errors["number"]:
        return Section("What failed", (Prose("Nothing."),))
    rows = [(str(one["status"]), shown(one["code"]) or NONE, f"{one['number']:,}", percent(one["number"], errors["number"])) for one in errors["by"]]  # fmt: skip
    left = errors["number"] - sum(one["number"] for one in errors["by"])
    if left:
        rows.append(("The others", "", f"{left:,}", percent(left, errors["number"])))
    return Section("What failed", (Table("By status and code", ("Status", "Code", "Requests", "Share"), tuple(rows), 2),))  # fmt: skip


def _seen(found: Monthly) -> Section:
    seen, before = found.logins or {}, found.logins_before or {}
    told = seen["totals"]
    items = (
        Figure("Sign-ups", f"{told['registrations']:,}", _before(f"{before['registrations']:,}", change(told["registrations"], before["registrations"]))),
        Figure("Logins", f"{told['attempts']:,}", _before(f"{before['attempts']:,}", change(told["attempts"], before["attempts"]))),
        Figure("Succeeded", percent(told["succeeded"], told["attempts"]), _before(percent(before["succeeded"], before["attempts"]))),
    )  # fmt: skip
    rows = tuple(
        (shown(one["country"]) or "unknown", f"{one['registrations']:,}", f"{one['attempts']:,}", percent(one["succeeded"], one["attempts"]))
        for one in seen["countries"]
    )  # fmt: skip
    table = (Table("By country", ("Country", "Sign-ups", "Logins", "Succeeded"), rows),) if rows else ()  # fmt: skip
    return Section("Sign-ups and logins", (Figures(items), *table))


def _by_day(found: Monthly) -> Table:
    rows = [(day, *_row(sums, found.totals)) for day, sums in found.by_day]
    rows.append(("All", *_row(found.totals, found.totals)))
    return Table("By day", ("Day (UTC)", *_SUMMED), tuple(rows), total=True)


def _rest_on(found: Monthly) -> tuple[str, ...]:
    asked = found.asking
    estimated = found.totals["estimated"]
    told = [
        "Spent is the sum of the ledger's rows, exact to a billionth of a dollar and rounded here to be read. Days and months are"
        " UTC's. What a provider corrected later counts on the day of the correction.",
        f"{estimated:,} of {found.totals['requests']:,} requests were estimated, at the most that they can have cost, because no"
        " report of their usage came." if estimated else "No request was estimated: each was priced by the usage that its provider reported.",
        f"Before is {days.day(asked.before[0])} to {days.day(max(asked.before) - 1)}"
        + (", the month before." if asked.over else ", as many days of the month before."),
    ]  # fmt: skip
    if found.saved is not None:
        told.append(f"Saved is what all chats would have cost at {shown(found.baseline)} on their own tokens, hits of the cache included,"
                    " at that target's price of each day, less what they did cost. Another target might have written shorter or longer; what was estimated is in neither.")  # fmt: skip
    told.append("Served free are hits of the cache, and what a free allotment or a model without a price answered.")  # fmt: skip
    if found.latency is not None:
        told.append("Latencies are within 2 % of what they were, of requests that were answered; what failed is counted beside them.")  # fmt: skip
    if asked.tenant:
        told.append("Latency, failures, the caches' counts, the bill, budgets and logins are kept for all tenants together, and left out here.")  # fmt: skip
    if found.forecast is not None:
        told.append("The forecast at mid-month is made anew from the rows up to then: what had been spent, and the week before it continued.")  # fmt: skip
    return tuple(told)
