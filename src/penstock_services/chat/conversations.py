"""Conversations: each its owner's alone, listed by cursor, deleted softly."""

from __future__ import annotations

from typing import Any, NamedTuple

from penstock.auth import base64url
from penstock.errors import BadRequest, NotFound
from penstock.ports import Platform, Row
from penstock.wire.embeddings import dollars
from penstock_services.chat import sql
from penstock_services.web import now_ms

LONGEST_TITLE = 200
TITLE_LENGTH = 60
MOST_LISTED = 100
LISTED = 20
MOST_CONTEXT = 50
"""Earlier messages that go along with a new one."""
CONTEXT_CHARACTERS = 200_000
"""Of these, from the end."""
FIRST = (2, 1 << 53, "~")
"""Before everything that a list can hold."""


class Exchange(NamedTuple):
    """What was asked and answered, as it is kept."""

    asked: str
    answered: str
    model: str
    input: int
    output: int
    cost_nanos: int


class Conversations:
    """The conversations of one service; `owner` is the caller's, of token and tenant."""

    def __init__(self, world: Platform) -> None:
        self._world = world
        self._tables = world.tables

    async def begin(self, owner: str, title: str, model: str) -> dict[str, Any]:
        id, now = self._world.ids.new("con_"), now_ms(self._world)
        await self._tables.batch((sql.NEW, (id, owner, _title(title), model, now, now)))
        return await self.get(owner, id)

    async def get(self, owner: str, id: str) -> dict[str, Any]:
        """Raises NotFound, the same whether it is somebody else's, deleted or never was."""
        return _one(await self._tables.rows(sql.GET, id, owner))

    async def page(self, owner: str, cursor: str, limit: int) -> dict[str, Any]:
        """Pinned ones first, then the newest; `nextCursor` is null at the end."""
        rows = await self._tables.rows(sql.PAGE, owner, *_place(cursor), limit + 1)
        last = rows[limit - 1] if len(rows) > limit else None
        mark = None if last is None else _cursor(f"{last[3]}.{last[5]}.{last[0]}")
        return {"conversations": [_shown(row) for row in rows[:limit]], "nextCursor": mark}

    async def messages(self, owner: str, id: str, cursor: str, limit: int) -> dict[str, Any]:
        """What was said, oldest first; raises NotFound."""
        await self.get(owner, id)
        after = _number(_read(cursor)) if cursor else 0
        rows = await self._tables.rows(sql.MESSAGES, id, owner, after, limit + 1)
        mark = _cursor(str(rows[limit - 1][0])) if len(rows) > limit else None
        return {"messages": [_message(row) for row in rows[:limit]], "nextCursor": mark}

    async def change(
        self, owner: str, id: str, title: str | None, pinned: bool | None
    ) -> dict[str, Any]:
        """Renames, pins or both; raises NotFound or BadRequest."""
        if title is None and pinned is None:
            raise BadRequest("Send a title, pinned, or both.", text="Missing required fields")
        changes: list[Any] = []
        if title is not None:
            changes.append((sql.RENAME, (_title(title), id, owner)))
        if pinned is not None:
            changes.append((sql.PIN, (int(pinned), id, owner)))
        return _one((await self._tables.batch(*changes))[-1])

    async def delete(self, owner: str, id: str) -> None:
        """Nobody finds it any more; raises NotFound."""
        [rows] = await self._tables.batch((sql.DELETE, (now_ms(self._world), id, owner)))
        if not rows:
            raise missing()

    async def context(self, owner: str, id: str) -> list[dict[str, str]]:
        """The last messages, oldest first; raises NotFound."""
        await self.get(owner, id)
        rows = await self._tables.rows(sql.LAST_MESSAGES, id, owner, MOST_CONTEXT)
        said, left = [], CONTEXT_CHARACTERS
        for role, content in rows:
            left -= len(content)
            if left < 0:
                break
            said.append({"role": role, "content": content})
        return said[::-1]

    async def keep(self, owner: str, id: str, said: Exchange) -> None:
        """Writes an exchange, all or nothing; one whose conversation was deleted meanwhile is dropped."""
        now = now_ms(self._world)
        await self._tables.batch(
            (sql.TOUCH, (now, said.model, titled(said.asked), id, owner)),
            self._say("user", said.asked, said.model, said.input, 0, now, id, owner),
            self._say(
                "assistant", said.answered, said.model, said.output, said.cost_nanos, now, id, owner
            ),
        )

    def _say(self, *values: Any) -> Any:
        return (sql.SAY, (self._world.ids.new("msg_"), *values))


def missing() -> NotFound:
    return NotFound("There is no such conversation.", code="conversation_not_found")


def limited(text: str) -> int:
    """How many are asked for; raises BadRequest."""
    if not text:
        return LISTED
    number = _number(text)
    if not 0 < number <= MOST_LISTED:
        raise BadRequest(f"limit is 1 to {MOST_LISTED}.")
    return number


def titled(asked: str) -> str:
    """A title for a conversation that has none: the beginning of what was asked, cut between words."""
    line = " ".join(asked.split())
    if len(line) <= TITLE_LENGTH:
        return line
    cut = line[: TITLE_LENGTH - 1]
    return (cut[: cut.rfind(" ")] if " " in cut else cut) + "…"


def _title(title: str) -> str:
    if len(title) > LONGEST_TITLE or not (title.isprintable() or not title):
        raise BadRequest(f"A title has at most {LONGEST_TITLE} printable characters.")
    return title


def _one(rows: Any) -> dict[str, Any]:
    if not rows:
        raise missing()
    return _shown(rows[0])


def _shown(row: Row) -> dict[str, Any]:
    id, title, model, pinned, created_at, updated_at = row
    return {
        "id": id,
        "title": title,
        "model": model,
        "pinned": bool(pinned),
        "createdAt": created_at,
        "updatedAt": updated_at,
    }


def _message(row: Row) -> dict[str, Any]:
    _, id, role, content, model, tokens, cost_nanos, created_at = row
    return {
        "id": id,
        "role": role,
        "content": content,
        "model": model,
        "tokens": tokens,
        "cost": dollars(cost_nanos),
        "createdAt": created_at,
    }


def _place(cursor: str) -> tuple[int, int, str]:
    if not cursor:
        return FIRST
    pinned, _, rest = _read(cursor).partition(".")
    updated_at, _, id = rest.partition(".")
    return _number(pinned), _number(updated_at), id


def _cursor(text: str) -> str:
    return base64url.encode(text.encode())


def _read(cursor: str) -> str:
    text = (base64url.decode(cursor) or b"").decode("latin-1")
    if not text.isprintable():
        raise BadRequest("The cursor is none of ours.", code="invalid_cursor")
    return text


def _number(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 16):
        raise BadRequest("The cursor or the limit is no number of ours.", code="invalid_cursor")
    return int(text)
