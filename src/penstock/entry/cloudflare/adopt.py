"""The first design's tables on D1: where they stand they are kept, under names that are out of our way."""

from __future__ import annotations

from collections.abc import Iterable

from penstock.errors import Misconfigured

TABLES = (
    "usage_tracking",
    "rate_limits",
    "analytics_events",
    "user_registrations",
    "login_attempts",
    "cost_summary",
    "cache_stats",
)
KEPT = "first_"
ACCOUNT = "d1_migrations"
"""wrangler's account of what it applied; the first design's own is put aside too, before ours begins."""
OURS = "ledger"
STANDING = "select name from sqlite_master where type = 'table'"


def renames(standing: Iterable[str]) -> list[str]:
    """The statements that rename what stands of them; raises Misconfigured where a name is taken already."""
    names = {*standing}
    found = [table for table in TABLES if table in names]
    doubled = [table for table in found if KEPT + table in names]
    if doubled:
        raise Misconfigured(
            f"the database has {', '.join(doubled)} beside {KEPT}{doubled[0]}: the first design has written"
            " again after it was replaced; move those rows by hand, and drop one of the two"
        )
    if found and ACCOUNT in names and OURS not in names:
        found.append(ACCOUNT)
    return [f"alter table {table} rename to {KEPT}{table};" for table in found]


def renames_back(statements: Iterable[str]) -> list[str]:
    """The statements that undo those, for the Worker that is rolled back to; it never reads wrangler's account."""
    tables = [statement.split()[2] for statement in statements]
    return [f"alter table {KEPT}{table} rename to {table};" for table in tables if table != ACCOUNT]
