"""What the admin's reports hold, as JSON Schema."""

from __future__ import annotations

from penstock.config.costs import LINES
from penstock.gateway.openapi.answers import COUNT, NUMBER, TEXT, Schema, exact, listed

WHOLE: Schema = {"type": "integer"}
NANOS: Schema = {"type": "string", "pattern": "^-?[0-9]+$", "description": "10⁻⁹ US dollars."}
SHARE: Schema = {"type": ["number", "null"], "description": "To four decimals; null of nothing."}
_SPAN = {"from": TEXT, "to": TEXT}
_SUMS: dict[str, Schema] = {
    "requests": WHOLE, "cached": WHOLE, "free": WHOLE, "estimated": WHOLE, "input": WHOLE, "output": WHOLE,
    "tokens": WHOLE, "cost": NUMBER, "costNanos": NANOS, "cachedShare": SHARE, "freeShare": SHARE,
}  # fmt: skip
_GROUPS = dict.fromkeys(("service", "provider", "model", "route", "tenant", "user"), TEXT)


def schemas() -> dict[str, Schema]:
    """The component schemas of reports."""
    return _figures() | _money() | _months()


def _figures() -> dict[str, Schema]:
    times: dict[str, Schema] = {
        name: {"type": ["number", "null"]} for name in ("p50_ms", "p90_ms", "p95_ms", "p99_ms")
    }
    latency = {"anyOf": [exact({"count": COUNT, **times}), {"type": "null"}]}
    error = exact({"status": COUNT, "code": TEXT, "number": COUNT})
    errors = exact({"number": COUNT, "share": SHARE, "by": {"type": "array", "items": error}})
    counted: Schema = {**COUNT, "type": ["integer", "null"]}
    cache = exact({"kind": TEXT, "hits": COUNT, "misses": COUNT, "share": SHARE})
    savings = exact(
        {"baseline": TEXT, "wouldCostNanos": NANOS, "costNanos": NANOS, "savedNanos": NANOS, "saved": NUMBER, "share": SHARE}
    )  # fmt: skip
    sums = exact(_SUMS, "input", "output")
    seen = {"period": TEXT, "email": TEXT, "ip": TEXT, "country": TEXT}
    tried: dict[str, Schema] = dict.fromkeys(
        ("attempts", "succeeded", "failed", "registrations"), COUNT
    )
    tried["success_share"] = SHARE
    nanos: Schema = {**NANOS, "type": ["string", "null"]}
    saved: dict[str, Schema] = {
        "wouldCostNanos": nanos, "cost": NUMBER, "costNanos": NANOS, "saved": {"type": ["number", "null"]},
        "savedNanos": nanos, "share": SHARE,
    }  # fmt: skip
    return {
        "Overview": exact(
            {
                **_SPAN,
                "totals": sums,
                "latency": latency,
                "errors": errors,
                "cache": {"type": "array", "items": cache},
                "savings": {"anyOf": [savings, {"type": "null"}]},
            },
            "errors", "cache", "savings",
        ),
        "SeriesRow": exact(
            {"period": TEXT, **_GROUPS, **_SUMS, "latency": latency, "errors": counted}, *_GROUPS, "input", "output"
        ),
        "Series": exact({**_SPAN, "by": TEXT, "of": TEXT, "rows": listed("SeriesRow")}),
        "TopRow": exact({**_GROUPS, **_SUMS}, *_GROUPS, "input", "output"),
        "Top": exact({**_SPAN, "of": TEXT, "order": TEXT, "rows": listed("TopRow")}),
        "SavingsRow": exact({"period": TEXT, **saved}),
        "Savings": exact(
            {**_SPAN, "by": TEXT, "baseline": {"type": ["string", "null"]}, "rows": listed("SavingsRow"), "totals": exact(saved)}
        ),
        "LoginsRow": exact({**seen, **tried}, *seen),
        "LoginsSeen": exact(
            {**_SPAN, "by": TEXT, "rows": listed("LoginsRow"), "totals": exact(tried), "countries": listed("LoginsRow")}
        ),
    }  # fmt: skip


def _money() -> dict[str, Schema]:
    amounts = dict.fromkeys(("cap", "reserved", "spent", "left", "forecast"), NANOS)
    texts = dict.fromkeys(("per", "name", "period", "unit", "starts", "resets"), TEXT)
    empty = {"empty_at": {"type": ["string", "null"]}}
    budget = exact({**texts, **amounts, "used_share": SHARE, "elapsed_share": SHARE, **empty})
    sums = dict.fromkeys(("to_date_nanos", "forecast_nanos", "before_nanos"), NANOS)
    line = exact(
        {
            "line": {"enum": list(LINES)},
            "parts": {"type": "array", "items": TEXT},
            "fixed_nanos": NANOS,
            "measured_nanos": NANOS,
            **sums,
            "budget_nanos": {"type": ["string", "null"]},
            "over": {"type": "boolean"},
        }
    )
    return {
        "Budgets": exact({"budgets": {"type": "array", "items": budget}}),
        "Costs": exact(
            {
                "month": TEXT,
                "lines": {"type": "array", "items": line},
                "totals": exact({**sums, "budget_nanos": NANOS}),
                "preset": {"type": "boolean", "description": "Whether the lines are the first design's."},
            }
        ),
    }  # fmt: skip


def _months() -> dict[str, Schema]:
    maybe: Schema = {"type": ["string", "null"]}
    made = exact(
        {"month": TEXT, "tenant": maybe, "state": {"enum": ["waiting", "made", "sent", "empty", "given_up"]}, "attempts": COUNT,
         "ended": maybe, "error": maybe}
    )  # fmt: skip
    texts = dict.fromkeys(("month", "from", "to", "baseline"), TEXT)
    rows: Schema = {"type": ["array", "null"]}
    sums: Schema = {"type": ["object", "null"]}
    lists = dict.fromkeys(("days", "cache", "budgets"), rows)
    tables = dict.fromkeys(
        ("before", "totals", "groups", "savings", "savings_before", "latency", "latency_before", "errors", "errors_before",
         "costs", "forecast", "logins", "logins_before"), sums,
    )  # fmt: skip
    return {
        "MonthlyReports": exact(
            {
                "reports": {"type": "array", "items": made},
                "first": maybe,
                "running": TEXT,
                "formats": {"type": "array", "items": TEXT},
                "enabled": {"type": "boolean"},
                "mailed": {"type": "boolean"},
            }
        ),
        "Monthly": exact(
            {**texts, "tenant": maybe, "over": {"type": "boolean"}, **lists, **tables}
        ),
    }
