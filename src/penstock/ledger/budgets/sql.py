"""The budgets' SQL, in the subset that SQLite, D1 and PostgreSQL share."""

from __future__ import annotations

RESERVE = """
insert into budgets (budget, starts, ends, cap, reserved) values ($1, $2, $3, $4, $5)
on conflict (budget, starts) do update
set cap = excluded.cap, beyond = 0, reserved = budgets.reserved + excluded.reserved
"""

HOLD = """
insert into budget_holds (request_id, budget, starts, unit, amount) values ($1, $2, $3, $4, $5)
"""

# The final row of the same batch says what was used. A second ending finds nothing that is not settled.
SETTLE = """
update budgets
set reserved = budgets.reserved - due.amount,
  spent = budgets.spent + due.used,
  beyond = case when budgets.reserved - due.amount + budgets.spent + due.used > budgets.cap
    then budgets.reserved - due.amount + budgets.spent + due.used - budgets.cap else budgets.beyond end
from (
  select h.amount as amount, case when h.unit = 'tokens'
    then l.input + l.cached_input + l.cache_write + l.output else l.amount_nanos end as used
  from budget_holds h join ledger l on l.request_id = h.request_id and l.stage = 'final'
  where h.request_id = $1 and h.budget = $2 and h.starts = $3 and h.settled = 0
) due
where budgets.budget = $2 and budgets.starts = $3
"""

FORGET = "delete from budget_holds where request_id = $1"

KEEP = "update budget_holds set amount = 0, settled = 1 where request_id = $1"

CORRECT = """
update budgets
set spent = budgets.spent + due.used,
  beyond = case when budgets.reserved + budgets.spent + due.used > budgets.cap
    then budgets.reserved + budgets.spent + due.used - budgets.cap else budgets.beyond end
from (
  select budget, starts, case when unit = 'tokens' then cast($1 as bigint) else cast($2 as bigint) end as used
  from budget_holds where request_id = $3 and settled = 1
) due
where budgets.budget = due.budget and budgets.starts = due.starts
"""

HELD = "select budget, starts from budget_holds where request_id = $1 and settled = 0 order by budget, starts"

STANDING = "select reserved, spent from budgets where budget = $1 and starts = $2"

CURRENT = """
select budget, starts, ends, cap, reserved, spent from budgets where ends > $1
order by budget, starts limit 100000
"""

NEAREST = """
select budget, starts, ends, cap, reserved, spent from budgets where ends > $1 and starts <= $2
order by cast(reserved + spent as double precision) / case when cap > 0 then cap else 1 end desc, budget limit $3
"""

# Those that ran for a month: of days and hours there are too many to show.
OF_A_MONTH = """
select budget, starts, ends, cap, reserved, spent from budgets where ends > $1 and starts < $2 and ends - starts > 86400000
order by cast(reserved + spent as double precision) / case when cap > 0 then cap else 1 end desc, budget limit $3
"""
