"""The SQL of documents and their passages, in the subset that SQLite, D1 and PostgreSQL share."""

from __future__ import annotations

MOST_READ = 40
"""Passages read at once."""

_COLUMNS = (
    "id, owner, hash, filename, declared, kind, title, bytes, shared, state, reason, message, model, chunks, done,"
    " tenant, sub, tier, key_id, at, changed_at, holder, lease_until, tries"
)
_DUE = "state in ('queued', 'parsing', 'embedding')"
_HELD = "exists (select 1 from documents where id = {id} and holder = {holder})"

FIND = f"""
select {_COLUMNS} from documents where id = $1 and owner in ($2, $3) and state <> 'deleted'
"""

SAME = f"select {_COLUMNS} from documents where owner = $1 and hash = $2"

WAITING = f"""
select count(*) from (select id from documents where {_DUE} limit $1) as waiting
"""

PAGE = f"""
select {_COLUMNS} from documents
where owner in ($1, $2) and state <> 'deleted' and (cast($3 as text) = '' or id < $3)
order by id desc limit $4
"""

EVERYBODYS = f"""
select {_COLUMNS} from documents
where (cast($1 as text) = '' or id < $1) and (cast($2 as text) = '' or tenant = $2) and state <> 'deleted'
  and (cast($3 as text) = '' or state = $3)
order by id desc limit $4
"""

STATES = """
select state, count(*) from documents where state <> 'deleted' and (cast($1 as text) = '' or tenant = $1)
group by state order by state
"""

COUNT = """
insert into document_owners (owner, count, most, version, served_at) values ($1, 1, $2, 0, 0)
on conflict (owner) do update set count = document_owners.count + 1, most = excluded.most
"""

ADD = f"""
insert into documents ({_COLUMNS})
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24)
"""

FORGET = """
update documents set state = 'deleted', hash = id, lease_until = 0 where owner = $1 and hash = $2 and state = 'failed'
"""

RELEASE = """
update documents set holder = '', lease_until = $1, tries = $2, changed_at = $3 where id = $4 and holder = $5
returning id
"""

CLAIM = f"""
update documents
set holder = $1, lease_until = $2, tries = tries + 1, changed_at = $3,
  state = case when state = 'queued' then 'parsing' else state end
where {_DUE} and lease_until <= $3 and id = (
  select d.id from documents d join document_owners o on o.owner = d.owner
  where d.{_DUE} and d.lease_until <= $3 and (cast($4 as text) = '' or d.id = $4)
  order by o.served_at, d.at, d.id limit 1
)
returning {_COLUMNS}
"""

SERVED = "update document_owners set served_at = $1 where owner = $2"

RENEW = "update documents set lease_until = $1 where id = $2 and holder = $3 returning id"

PARSED = """
update documents set state = 'embedding', kind = $1, title = $2, chunks = $3, done = $4, changed_at = $5, model = $6
where id = $7 and holder = $8 returning id
"""

DROP_FROM = f"""
delete from passages where document = $1 and number >= $2 and {_HELD.format(id="$1", holder="$3")}
"""

PASSAGE = f"""
insert into passages (id, document, number, begins, ends, text, titles)
select cast($1 as text), cast($2 as text), cast($3 as integer), cast($4 as integer), cast($5 as integer),
  cast($6 as text), cast($7 as text)
where {_HELD.format(id="$2", holder="$8")}
"""

DONE = """
update documents set done = $1, lease_until = $2, changed_at = $3 where id = $4 and holder = $5 returning id
"""

MOVE = """
update document_owners set version = version + 1
where owner = (select owner from documents where id = $1 and holder = $2)
"""

READY = """
update documents set state = 'ready', model = $1, holder = '', lease_until = 0, changed_at = $2
where id = $3 and holder = $4 returning id
"""

UNCOUNT = """
update document_owners set count = count - 1
where owner = (select owner from documents where id = $1 and holder = $2)
"""

FAIL = """
update documents
set state = 'failed', reason = $1, message = $2, chunks = 0, done = 0, holder = '', lease_until = 0, changed_at = $3
where id = $4 and holder = $5 returning id
"""

UNCOUNT_DELETED = """
update document_owners set count = count - 1
where owner = $1 and exists (
  select 1 from documents where id = $2 and owner = $1 and state not in ('failed', 'deleted')
)
"""

MOVE_DELETED = """
update document_owners set version = version + 1
where owner = $1 and exists (select 1 from documents where id = $2 and owner = $1 and state = 'ready')
"""

DELETE = """
update documents
set state = 'deleted', hash = id, holder = '', changed_at = $1,
  lease_until = case when holder = '' then 0 else cast($2 as bigint) end
where id = $3 and owner = $4 and state <> 'deleted' returning lease_until
"""

DUE = f"""
select id from documents where {_DUE} and lease_until <= $1
union all select id from documents where state = 'deleted' and lease_until <= $1
limit 1
"""

DELETED = """
select id, owner, bytes from documents where state = 'deleted' and lease_until <= $1
order by lease_until, id limit $2
"""

DROP = "delete from passages where document = $1"

REMOVE = "delete from documents where id = $1 and state = 'deleted'"

SWEEP = """
update documents set state = 'deleted', hash = id, lease_until = 0 where id in (
  select id from documents where state = 'failed' and changed_at < $1 order by changed_at limit $2
)
returning id
"""

PASSAGES = f"""
select p.id, p.document, p.text, p.titles, p.number, p.begins, p.ends, d.filename
from passages p join documents d on d.id = p.document
where d.owner in ($1, $2) and d.state = 'ready' and p.id in ({", ".join(f"${n + 3}" for n in range(MOST_READ))})
"""

VERSIONS = "select owner, version from document_owners where owner in ($1, $2)"

READY_OF = f"""
select {_COLUMNS} from documents
where state = 'ready' and id > $1 and (model <> $2 or cast($3 as integer) = 1) order by id limit $4
"""

LEFT_OF = """
select count(*) from documents where state = 'ready' and (model <> $1 or cast($2 as integer) = 1)
"""

OF_DOCUMENT = """
select id, text, titles, number from passages where document = $1 and number >= $2 order by number limit $3
"""

MOVED_TO = "update documents set model = $1 where id = $2 and state = 'ready' returning id"

MOVE_OWNER = "update document_owners set version = version + 1 where owner = $1"
