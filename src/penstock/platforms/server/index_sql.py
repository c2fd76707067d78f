"""The server's index in PostgreSQL: schema and statements. Lists pass as one JSON text each; owners are hashes, ids bytes."""

from __future__ import annotations

from penstock.platforms import index

TABLES = """
create table if not exists index_models (
  number bigint generated always as identity, model text not null, dimension bigint not null,
  constraint index_models_pkey primary key (number), constraint index_models_name unique (model, dimension)
);
create table if not exists index_entries (
  number bigint generated always as identity, model bigint not null references index_models, owner bytea not null,
  id bytea not null, document bytea not null, length bigint not null,
  constraint index_entries_pkey primary key (number), constraint index_entries_id unique (model, owner, id)
);
create index if not exists index_entries_own on index_entries (model, owner, length);
create index if not exists index_entries_document on index_entries (owner, document);
create table if not exists index_postings (
  slot bytea not null, entry bigint not null references index_entries on delete cascade, count bigint not null,
  constraint index_postings_pkey primary key (slot, entry)
);
create index if not exists index_postings_entry on index_postings (entry);
"""
EXTENSION = "create extension if not exists vector"
VERSION = "select extversion from pg_extension where extname = 'vector'"
CLAIM = "insert into index_models (model, dimension) values ($1, $2) on conflict do nothing"
NUMBER = "select number from index_models where model = $1 and dimension = $2"
MODELS = """
select model, dimension, (select count(*) from index_entries where index_entries.model = index_models.number)
from index_models order by model, dimension
"""

EXACT = 20_000
"""Entries of an owner that are compared one by one: sooner than by a graph of all owners, most of which are others'."""
EF_SEARCH = 400
"""How widely the graph is searched: the recall of decision 0044."""
MOST_SCANNED = 200_000
"""Entries that a search by the graph goes through until it has enough of the owner's."""

ENTRIES = """
insert into index_entries (model, owner, id, document, length)
select $1, decode(owner, 'hex'), decode(id, 'hex'), decode(document, 'hex'), length
from jsonb_to_recordset($2::jsonb) as given (owner text, id text, document text, length bigint)
order by owner, id
on conflict (model, owner, id) do update set document = excluded.document, length = excluded.length
"""
CLEAR = """
delete from index_postings where entry in (
  select number from index_entries
  join jsonb_to_recordset($1::jsonb) as given (owner text, id text)
    on index_entries.owner = decode(given.owner, 'hex') and index_entries.id = decode(given.id, 'hex')
  where index_entries.model = $2
)
"""
POSTINGS = """
insert into index_postings (slot, entry, count)
select decode(counts.key, 'hex'), index_entries.number, counts.value::bigint
from jsonb_to_recordset($1::jsonb) as given (owner text, id text, counts jsonb)
join index_entries on index_entries.model = $2
  and index_entries.owner = decode(given.owner, 'hex') and index_entries.id = decode(given.id, 'hex')
cross join jsonb_each_text(given.counts) as counts (key, value)
"""
DELETE = """
delete from index_entries where owner = decode($1, 'hex') and (
  id in (select decode(value, 'hex') from jsonb_array_elements_text($2::jsonb) as named (value))
  or document = decode($3, 'hex')
)
"""
DROP_SOME = """
delete from index_entries where number in (
  select index_entries.number from index_entries join index_models on index_models.number = index_entries.model
  where index_models.model = $1 and index_models.dimension = $2 limit 1000
) returning 1
"""

# The counts of a term are those of all the owner's entries, whichever document is asked for.
TOLD = f"""
with found as materialized (
  select index_entries.id, index_entries.document, index_entries.length, index_postings.count,
    count(*) over (partition by index_postings.slot) as holders
  from jsonb_array_elements_text($1::jsonb) as asked (slot)
  join index_postings on index_postings.slot = decode(asked.slot, 'hex')
  join index_entries on index_entries.number = index_postings.entry
), own as (
  select count(*) as entries, avg(length)::double precision as mean from index_entries
  where model = $2 and owner = decode($3, 'hex')
)
select encode(found.id, 'hex'), round(sum(
  ln(1 + (own.entries - found.holders + 0.5) / (found.holders + 0.5))
  * found.count * {index.SATURATION + 1}
  / (found.count + {index.SATURATION}
     * ({1 - index.LENGTH_SHARE} + {index.LENGTH_SHARE} * found.length / own.mean))
)::numeric, {index.DECIMALS})::double precision as score
from own cross join found where $4::text is null or found.document = decode($4, 'hex')
group by found.id order by score desc, found.id limit $5
"""


def vectors_table(number: int, dimension: int) -> str:
    """The vectors of one model, with their graph: its name is made of a number of ours alone."""
    return f"""
create table if not exists index_vectors_{number} (
  entry bigint not null references index_entries on delete cascade, owner bytea not null, document bytea not null,
  vector vector({dimension}) not null,
  constraint index_vectors_{number}_pkey primary key (entry)
);
create index if not exists index_vectors_{number}_own on index_vectors_{number} (owner, document);
create index if not exists index_vectors_{number}_near on index_vectors_{number} using hnsw (vector vector_ip_ops);
"""


def vectors_kept(number: int) -> str:
    return f"""
insert into index_vectors_{number} (entry, owner, document, vector)
select index_entries.number, index_entries.owner, index_entries.document, given.vector::vector
from jsonb_to_recordset($1::jsonb) as given (owner text, id text, vector text)
join index_entries on index_entries.model = $2
  and index_entries.owner = decode(given.owner, 'hex') and index_entries.id = decode(given.id, 'hex')
on conflict (entry) do update set document = excluded.document, vector = excluded.vector
"""


def owned(number: int) -> str:
    """How many an owner has, as far as it decides how they are searched."""
    return f"""
select count(*) from (
  select 1 from index_vectors_{number} where owner = decode($1, 'hex') limit {EXACT + 1}
) as first
"""


def near(number: int) -> str:
    """All of the owner's, compared one by one; the vector asked for is read once, not for each of them."""
    return f"""
with own as materialized (
  select entry, vector <#> (select $1::text::vector) as apart from index_vectors_{number}
  where owner = decode($2, 'hex') and ($3::text is null or document = decode($3, 'hex'))
)
select encode(index_entries.id, 'hex'), round((-own.apart)::numeric, {index.DECIMALS})::double precision as score
from own join index_entries on index_entries.number = own.entry order by score desc, index_entries.id limit $4
"""


def nearby(number: int) -> str:
    """By the model's function, which goes through the graph until it has enough of the owner's."""
    return f"""
select encode(index_entries.id, 'hex'), round((-own.apart)::numeric, {index.DECIMALS})::double precision as score
from index_near_{number}($1::text::vector, decode($2, 'hex'), $3::bigint) as own
join index_entries on index_entries.number = own.entry order by score desc, index_entries.id
"""


def near_function(number: int, *, iterates: bool) -> str:
    """Searches by the graph; without iterative scans (pgvector before 0.8) that would lose the owner's to others', and
    all of the owner's are compared."""
    settings = (
        f"set hnsw.iterative_scan = 'strict_order' set hnsw.ef_search = {EF_SEARCH}"
        f" set hnsw.max_scan_tuples = {MOST_SCANNED}"
        if iterates
        else "set enable_indexscan = off"
    )
    return f"""
create or replace function index_near_{number}(asked vector, whose bytea, most bigint)
returns table (entry bigint, apart double precision) language sql stable {settings} as $body$
  select entry, vector <#> asked from index_vectors_{number}
  where owner = whose order by vector <#> asked limit most
$body$
"""
