"""The embedded index's schema and statements. An owner stands there as a hash of the owner, the model and its dimension."""

from __future__ import annotations

from penstock.platforms import index
from penstock.platforms.migrations import Migration

SCHEMA = (
    Migration(
        1,
        "index",
        """
        create table models (
          number integer primary key, model text not null, dimension integer not null,
          constraint models_name unique (model, dimension)
        );
        -- What an owner's scores rest on, kept by the triggers below; `removed` counts entries that went.
        create table owners (
          owner blob not null, model integer not null references models, entries integer not null, length integer not null,
          removed integer not null,
          constraint owners_pkey primary key (owner)
        ) without rowid;
        -- Numbers only rise: who has read an owner's entries up to one reads on from there.
        create table entries (
          number integer primary key autoincrement, owner blob not null references owners, id text not null,
          document text not null, length integer not null, vector blob,
          constraint entries_id unique (owner, id)
        );
        create index entries_own on entries (owner);
        create index entries_document on entries (owner, document);
        create trigger entries_added after insert on entries begin
          update owners set entries = entries + 1, length = length + new.length where owner = new.owner;
        end;
        create trigger entries_removed after delete on entries begin
          update owners set entries = entries - 1, length = length - old.length, removed = removed + 1
          where owner = old.owner;
        end;
        create table postings (
          slot blob not null, entry integer not null references entries on delete cascade, count integer not null,
          constraint postings_pkey primary key (slot, entry)
        ) without rowid;
        create index postings_entry on postings (entry);
        """,
    ),
)

CLAIM = "insert into models (model, dimension) values ($1, $2) on conflict (model, dimension) do nothing"
NUMBER = "select number from models where model = $1 and dimension = $2"
MODELS = "select model, dimension from models"
ENTRIES = """
select model, dimension, (select coalesce(sum(entries), 0) from owners where owners.model = models.number)
from models order by model, dimension
"""

OWN = """
insert into owners (owner, model, entries, length, removed) values ($1, $2, 0, 0, 0) on conflict (owner) do nothing
"""
REMOVE = "delete from entries where owner = $1 and id = $2"
REMOVE_DOCUMENT = "delete from entries where owner = $1 and document = $2"
ADD = "insert into entries (owner, id, document, length, vector) values ($1, $2, $3, $4, $5)"
POST = """
insert into postings (slot, entry, count)
select unhex(counts.key), entries.number, counts.value from entries, json_each($1) as counts
where entries.owner = $2 and entries.id = $3
"""
DROP_SOME = """
delete from entries where number in (
  select number from entries where owner in (
    select owner from owners where entries > 0
      and model = (select number from models where model = $1 and dimension = $2)
  ) limit 1000
) returning 1
"""
"""A part of a model: one statement for all of it would keep writers waiting for longer than they do."""

# Without numpy, and for owners that are too large to be held: all of the owner's rows are looked at.
NEAR = """
select id, cosine($1, vector) as score from entries
where owner = $2 and ($3 is null or document = $3) order by score desc, id limit $4
"""
# The counts of a term are those of all the owner's entries, whichever document is asked for.
TOLD = f"""
with found as (
  select entries.id, entries.document, entries.length, postings.count,
    count(*) over (partition by postings.slot) as holders
  from json_each($1) as asked
  cross join postings on postings.slot = unhex(asked.value)
  cross join entries on entries.number = postings.entry
), own as (
  select entries, cast(length as real) / entries as mean from owners where owner = $2
)
select found.id, round(sum(
  ln(1 + (own.entries - found.holders + 0.5) / (found.holders + 0.5))
  * found.count * {index.SATURATION + 1}
  / (found.count + {index.SATURATION}
     * ({1 - index.LENGTH_SHARE} + {index.LENGTH_SHARE} * found.length / own.mean))
), {index.DECIMALS}) as score
from own cross join found where $3 is null or found.document = $3
group by found.id order by score desc, found.id limit $4
"""

# What is held in memory of an owner, and how it is brought up to date.
STANDING = "select entries, length, removed from owners where owner = $1"
ALIVE = "select number from entries where owner = $1 order by number"
SINCE = (
    "select number, length, vector from entries where owner = $1 and number > $2 order by number"
)
POSTINGS = "select entry, count from postings where slot = unhex($1) and entry > $2 order by entry"
OF_DOCUMENT = "select number from entries where owner = $1 and document = $2 order by number"
NAMES = "select number, id from entries where number in (select value from json_each($1))"
