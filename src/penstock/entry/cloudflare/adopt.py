"""The first design's tables on D1: where they stand they are kept, under names that are out of our way."""

from __future__ import annotations

import re
from collections.abc import Iterable

from penstock.errors import Misconfigured
from penstock.platforms.migrations import shipped

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
REPORTS = "rollup_marks"
"""A table of the migration that also makes views of some of those names, over what is kept and over ours."""
VIEW = re.compile(r"create view (\w+) as\n.*?;", re.DOTALL)
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
    kept = [f"alter table {table} rename to {KEPT}{table};" for table in found]
    # They were given back once, and their views with them: those are made anew.
    return [*kept, *(views()[table] for table in found if REPORTS in names and table in views())]


def renames_back(statements: Iterable[str]) -> list[str]:
    """The statements that undo those, for the Worker that is rolled back to; it never reads wrangler's account."""
    tables = [one.split()[2] for one in statements if one.startswith("alter")]
    given = [table for table in tables if table != ACCOUNT]
    drops = [f"drop view if exists {table};" for table in given if table in views()]
    return [*drops, *(f"alter table {KEPT}{table} rename to {table};" for table in given)]


def views() -> dict[str, str]:
    """The views that have the first design's names, by those."""
    made = {found[1]: found[0] for step in shipped() for found in VIEW.finditer(step.sql)}
    return {table: made[table] for table in TABLES if table in made}
