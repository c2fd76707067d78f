"""The SQL of conversations. Each statement names the owner: another's conversation is one that is not there."""

from __future__ import annotations

_COLUMNS = "id, title, model, pinned, created_at, updated_at"
_OWN = "id = {} and owner = {} and deleted_at = 0"

NEW = """
insert into conversations (id, owner, title, model, created_at, updated_at)
values ($1, $2, $3, $4, $5, $6)
"""

GET = f"select {_COLUMNS} from conversations where {_OWN.format('$1', '$2')}"

PAGE = f"""
select {_COLUMNS} from conversations
where owner = $1 and deleted_at = 0
  and (pinned < $2 or (pinned = $2 and (updated_at < $3 or (updated_at = $3 and id < $4))))
order by pinned desc, updated_at desc, id desc limit $5
"""

RENAME = f"""
update conversations set title = $1 where {_OWN.format("$2", "$3")} returning {_COLUMNS}
"""
PIN = f"""
update conversations set pinned = cast($1 as bigint) where {_OWN.format("$2", "$3")}
returning {_COLUMNS}
"""
DELETE = f"""
update conversations set deleted_at = cast($1 as bigint) where {_OWN.format("$2", "$3")}
returning id
"""

# Touching the conversation first locks it: of two exchanges at once one is numbered after the other.

TOUCH = f"""
update conversations set
  updated_at = cast($1 as bigint), model = $2,
  title = case when title = '' then $3 else title end
where {_OWN.format("$4", "$5")}
"""

SAY = f"""
insert into messages
  (id, conversation, position, role, content, model, tokens, cost_nanos, created_at)
select $1, id,
  coalesce((select max(m.position) from messages m where m.conversation = conversations.id), 0) + 1,
  $2, $3, $4, cast($5 as bigint), cast($6 as bigint), cast($7 as bigint)
from conversations where {_OWN.format("$8", "$9")}
"""

MESSAGES = f"""
select position, id, role, content, model, tokens, cost_nanos, created_at from messages
where conversation = (select id from conversations where {_OWN.format("$1", "$2")})
  and position > $3
order by position limit $4
"""

LAST_MESSAGES = f"""
select role, content from messages
where conversation = (select id from conversations where {_OWN.format("$1", "$2")})
order by position desc limit $3
"""
