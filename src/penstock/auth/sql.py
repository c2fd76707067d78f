"""The SQL of keys, tenants' own keys and revocations, in the subset that SQLite, D1 and PostgreSQL share."""

from __future__ import annotations

_COLUMNS = "id, hash, sub, tenant, tier, scopes, name, created_at, expires_at, revoked_at"

CREATE = f"insert into api_keys ({_COLUMNS}) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, 0)"

FIND = f"select {_COLUMNS} from api_keys where hash = $1"

PAGE = f"""
select {_COLUMNS} from api_keys
where (created_at > $1 or (created_at = $1 and id > $2))
  and (cast($3 as text) = '' or sub = $3) and (cast($4 as text) = '' or tenant = $4)
order by created_at, id limit 1000
"""

REVOKE = f"""
update api_keys
set revoked_at = case when revoked_at = 0 then cast($1 as bigint) else revoked_at end
where id = $2 returning {_COLUMNS}
"""

RECORD_KEY = """
insert into revocations (credential, until, at)
select hash, cast($1 as bigint), cast($2 as bigint) from api_keys where id = $3
on conflict (credential) do update set until = excluded.until
where excluded.until > revocations.until
"""

RECORD = """
insert into revocations (credential, until, at) values ($1, $2, $3)
on conflict (credential) do update set until = excluded.until
where excluded.until > revocations.until
"""

MARKS = """
select credential, until from revocations
where until > $1 and credential > $2
order by credential limit 1000
"""

IS_REVOKED = "select credential from revocations where credential = $1 and until > $2"

_OWN = "tenant, provider, master, sealed, last4, at"

PUT_OWN = f"""
insert into tenant_keys ({_OWN}) values ($1, $2, $3, $4, $5, $6)
on conflict (tenant, provider) do update
set master = excluded.master, sealed = excluded.sealed, last4 = excluded.last4, at = excluded.at
"""

DROP_OWN = "delete from tenant_keys where tenant = $1 and provider = $2 returning tenant"

OWN_OF = f"select {_OWN} from tenant_keys where tenant = $1 order by provider"

PAGE_OWN = f"""
select {_OWN} from tenant_keys
where (tenant > $1 or (tenant = $1 and provider > $2)) and (cast($3 as text) = '' or tenant = $3)
order by tenant, provider limit 1000
"""

RESEAL_OWN = """
update tenant_keys set master = $1, sealed = $2 where tenant = $3 and provider = $4 and sealed = $5
returning tenant
"""

SWEEP_REVOCATIONS = """
delete from revocations where credential in (select credential from revocations where until <= $1 limit $2)
returning credential
"""

NEWEST = f"""
select {_COLUMNS} from api_keys
where (cast($1 as text) = '' or id < $1) and (cast($2 as text) = '' or tenant = $2)
order by id desc limit $3
"""

BEGIN_SESSION = (
    "insert into sessions (name, sealed, created_at, expires_at) values ($1, $2, $3, $4)"
)

SESSION = "select sealed, expires_at from sessions where name = $1"

END_SESSION = "delete from sessions where name = $1"

SWEEP_SESSIONS = """
delete from sessions where name in (select name from sessions where expires_at <= $1 order by expires_at limit $2)
returning name
"""
