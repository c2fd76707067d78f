"""The SQL of accounts and sessions, in the subset that SQLite and PostgreSQL share."""

from __future__ import annotations

_USER = "users.id, users.tenant, users.email, users.username, users.role, users.tier"
_LETTER_OF = """
select user_id from letters where hash = {} and purpose = '{}' and expires_at > cast({} as bigint)
"""

# Registering is one batch, whether the address is new, waits for its letter, or is somebody's.

NEW_USER = """
insert into users (id, tenant, email, email_lower, username, password_hash, role, tier, created_at)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
on conflict (email_lower) do update
set username = excluded.username, password_hash = excluded.password_hash
where users.verified_at = 0
"""

VERIFY_LETTER = """
insert into letters (hash, user_id, purpose, password_hash, username, expires_at)
select $1, id, 'verify', password_hash, username, cast($2 as bigint) from users
where email_lower = $3 and verified_at = 0
  and (select count(*) from letters l where l.user_id = users.id and l.purpose = 'verify') < 5
"""

RESET_LETTER = """
insert into letters (hash, user_id, purpose, expires_at)
select $1, id, 'reset', cast($2 as bigint) from users
where email_lower = $3
  and (select count(*) from letters l where l.user_id = users.id and l.purpose = 'reset') < 5
"""

NOTICE_LETTER = """
insert into letters (hash, user_id, purpose, expires_at)
select $1, id, 'notice', cast($2 as bigint) from users
where email_lower = $3 and verified_at <> 0
  and (select count(*) from letters l where l.user_id = users.id and l.purpose = 'notice') < 5
"""

WRITTEN = """
select l.purpose, users.email, users.username from letters l join users on users.id = l.user_id
where l.hash = $1
"""
STALE_LETTERS = "delete from letters where expires_at <= $1"

# The password is that of the registration whose letter was read: who registered somebody else's address has no part in it.

VERIFY = f"""
update users set
  verified_at = cast($1 as bigint),
  password_hash = (select l.password_hash from letters l where l.hash = $2),
  username = (select l.username from letters l where l.hash = $2)
where verified_at = 0 and id = ({_LETTER_OF.format("$2", "verify", "$1")})
returning id
"""

RESET = f"""
update users set
  password_hash = $1, failed_logins = 0, locked_until = 0,
  verified_at = case when verified_at = 0 then cast($2 as bigint) else verified_at end
where id = ({_LETTER_OF.format("$3", "reset", "$2")})
returning id
"""

END_ALL_SESSIONS = f"""
update sessions set ended_at = cast($1 as bigint)
where ended_at = 0 and user_id = ({_LETTER_OF.format("$2", "reset", "$1")})
"""

SPEND_LETTERS = """
delete from letters where user_id = (select l.user_id from letters l where l.hash = $1)
"""

# A login is counted before its password is checked: no number of logins at once makes more guesses than that.

ATTEMPT = f"""
update users set
  failed_logins = case when locked_until <= $1 then 1 else failed_logins + 1 end,
  locked_until = case when locked_until <= $1 then cast($2 as bigint) else locked_until end
where email_lower = $3
returning {_USER}, password_hash, verified_at, failed_logins
"""

ADMIT = """
update users set
  failed_logins = 0, locked_until = 0, last_login_at = cast($1 as bigint), password_hash = $2
where id = $3 and password_hash = $4
returning id
"""

# Not where the password was reset since it was checked.
NEW_SESSION = """
insert into sessions (id, user_id, created_at, expires_at)
select $1, id, cast($2 as bigint), cast($3 as bigint) from users where id = $4 and password_hash = $5
"""
NEW_REFRESH = "insert into refresh_tokens (hash, session, expires_at) values ($1, $2, $3)"
STALE_SESSIONS = "delete from sessions where expires_at <= $1"
STALE_REFRESH = "delete from refresh_tokens where expires_at <= $1"

# One batch: of two that show the same refresh token at once one gets its successor, and the other ends the session.

ROTATE = """
update refresh_tokens set successor = $1
where hash = $2 and successor = '' and expires_at > $3
  and exists (
    select 1 from sessions s
    where s.id = refresh_tokens.session and s.ended_at = 0 and s.expires_at > $3
  )
returning session
"""

SUCCESSOR = """
insert into refresh_tokens (hash, session, expires_at)
select successor, session, cast($1 as bigint) from refresh_tokens
where hash = $2 and successor = $3
"""

END_REUSED = """
update sessions set ended_at = cast($1 as bigint)
where ended_at = 0 and id = (
  select session from refresh_tokens where hash = $2 and successor <> '' and successor <> $3
)
"""

BY_REFRESH = f"""
select {_USER}, s.id from users join sessions s on s.user_id = users.id
where s.id = (select session from refresh_tokens where hash = $1)
"""

BY_SESSION = f"""
select {_USER} from users join sessions s on s.user_id = users.id
where s.id = $1 and s.ended_at = 0 and s.expires_at > $2
"""

END_SESSION = "update sessions set ended_at = cast($1 as bigint) where id = $2 and ended_at = 0"
END_REFRESHED = """
update sessions set ended_at = cast($1 as bigint)
where ended_at = 0 and id = (select session from refresh_tokens where hash = $2)
"""

# Told by the billing service; what was decided earlier never undoes what was decided later.

SET_TIER = """
update users set tier = $1, tier_version = cast($2 as bigint)
where id = $3 and tier_version < cast($2 as bigint)
"""
USER_EXISTS = "select 1 from users where id = $1"

KEYS = "select number, kid, public, sealed, created_at from signing_keys order by number"
NEW_KEY = """
insert into signing_keys (number, kid, public, sealed, created_at) values ($1, $2, $3, $4, $5)
"""
DROP_KEY = "delete from signing_keys where number = $1"
