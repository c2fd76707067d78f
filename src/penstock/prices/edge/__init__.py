"""What Cloudflare bills for a gateway at its edge: a dated table, what each kind of request takes, and a month's bill."""

from __future__ import annotations

from penstock.prices.edge.bill import Charge, Limit, charges, limits, runs_out
from penstock.prices.edge.table import CHECKED, LINES, SUBSCRIPTION_NANOS, Allotment, Line
from penstock.prices.edge.taken import CRON_A_DAY, KINDS, PASS, each, total

__all__ = [
    "CHECKED",
    "CRON_A_DAY",
    "KINDS",
    "LINES",
    "PASS",
    "SUBSCRIPTION_NANOS",
    "Allotment",
    "Charge",
    "Limit",
    "Line",
    "charges",
    "each",
    "limits",
    "runs_out",
    "total",
]
