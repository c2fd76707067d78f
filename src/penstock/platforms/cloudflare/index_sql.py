"""The statements of the index at the edge: its entries' rows, in D1. Lists pass as one JSON text each."""

from __future__ import annotations

CLAIM = """
insert into vector_index (one, model, dimension, mutation, mutated) values (1, $1, $2, '', 0)
on conflict (one) do update set model = excluded.model, dimension = excluded.dimension, mutation = '', mutated = 0
where (vector_index.model, vector_index.dimension) <> (excluded.model, excluded.dimension)
and not exists (select 1 from vectors)
"""
"""An index in which nothing is, is any model's."""
ABOUT = "select model, dimension from vector_index"

PREPARE = """
insert into vectors (key, owner, id, document, gone)
select value ->> 0, value ->> 1, value ->> 2, value ->> 3, $1 from json_each($2)
"""
"""Rows as `[key, owner, id, document]`, not found yet."""
REPLACE = """
update vectors set gone = $1
where gone = 0 and (owner, id) in (select owner, id from vectors where key in (select value from json_each($2)))
returning key
"""
SHOW = "update vectors set gone = 0 where key in (select value from json_each($1))"
RETIRE = """
update vectors set gone = $1
where owner = $2 and gone = 0 and (id in (select value from json_each($3)) or document = $4)
returning key
"""
LEFT_OVER = "select key from vectors where gone between 1 and $1 limit 1000"
"""What a Worker that ended too early did not get to."""
FORGET = "delete from vectors where gone > 0 and key in (select value from json_each($1))"
MUTATED = "update vector_index set mutation = $1, mutated = $2 where mutated <= $2"

KNOWN = """
select key, id from vectors
where key in (select value from json_each($1)) and owner = $2 and gone = 0 and ($3 is null or document = $3)
"""
ENTRIES = """
select mutation, (select count(*) from vectors where gone = 0) from vector_index
"""
MUTATION = "select mutation from vector_index"
ANY = "select owner, document from vectors where gone = 0 limit 1"
