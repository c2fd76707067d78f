"""The cache's SQL: the numbers that a purge raises."""

from __future__ import annotations

GENERATIONS = "select scope, number from generations"

RAISE = """
insert into generations (scope, number) values ($1, 1)
on conflict (scope) do update set number = generations.number + 1
"""

COUNT_SINGLE = "select count(*) from generations where scope like 'url:%' or scope like 'tag:%'"

DROP_SINGLE = "delete from generations where scope like 'url:%' or scope like 'tag:%'"
