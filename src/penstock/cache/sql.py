"""The cache's SQL: the numbers that a purge raises."""

from __future__ import annotations

GENERATIONS = "select scope, number from generations"

RAISE = """
insert into generations (scope, number) values ($1, 1)
on conflict (scope) do update set number = generations.number + 1
"""
