"""Alerts in the tables: whose turn it is to judge, what fires, what is told, and whether it arrived.

A turn is written by one batch that moves its version from where it was read: however many processes judge, and wherever one is
killed, each change of a state is made once, and told by one notice. Sending it is at least once, in order for each channel.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from penstock.ledger import days
from penstock.ledger.alerts import sql
from penstock.ledger.alerts.states import State
from penstock.ledger.alerts.turns import Notice, Turned
from penstock.ports import Statement, Tables

MOVED = "alert_turns_moved"
"""The constraint that refuses a turn which another one was quicker to take."""
TURN_MS = 60_000
"""How long whoever has a turn may take for it."""
AHEAD_MS = days.HOUR_MS
"""Nothing is put off for longer: a time beyond that is of a clock that was ahead, and is taken as past."""
LEASE_MS = 120_000
"""How long whoever sends a notice has for it; then it is another's."""
BACKOFF_MS = (15_000, 30_000, 60_000, 120_000, 300_000, 600_000, 1_800_000)
"""After the first, second, third … failure; after the last of them always so long."""
PATIENCE_MS = days.DAY_MS
"""After that it is given up, and counted."""
MOST_ATTEMPTS = 100
"""And after so many, whatever the clock says; a day has about 52."""
MOST_WAITING = 500
"""Notices that wait for one channel."""
KEPT_MS = 40 * days.DAY_MS
WORDS_MS = days.HOUR_MS
SWEEP_ROWS = 100
LONGEST_STATUS = 60

_encode = msgspec.json.Encoder().encode
_state = msgspec.json.Decoder(State).decode
_notice = msgspec.json.Decoder(Notice).decode


class Turn(Struct, frozen=True):
    """Somebody's turn to judge, with the samples that the last ones kept (JSON)."""

    version: int
    samples: str


class Delivery(Struct, frozen=True):
    """One notice on its way to one channel; `attempts` counts the one that is due now."""

    id: str
    notice: str
    channel: str
    at: int
    attempts: int


async def turn(tables: Tables, now: int) -> Turn | None:
    """This process's turn; None where it is not due, or another's."""
    found = await tables.rows(sql.TURN)
    version, due_at, lease_until, samples = found[0] if found else (0, 0, 0, "[]")
    if any(now < at <= now + AHEAD_MS for at in (due_at, lease_until)):
        return None
    [taken] = await tables.batch((sql.CLAIM, (version, now + TURN_MS, now, now + AHEAD_MS)))
    return Turn(version, samples) if taken else None


async def states(tables: Tables) -> dict[tuple[str, str], State]:
    """All that is pending or firing."""
    rows = await tables.rows(sql.STATES)
    return {(rule, subject): _state(state) for rule, subject, state in rows}


async def write(
    tables: Tables, taken: Turn, done: Turned, due_at: int, samples: str, channels: Sequence[str]
) -> None:
    """Ends a turn with all that it came to, at once; raises Conflict(MOVED) where another one did meanwhile."""
    made: list[Statement] = [(sql.MOVE, (taken.version, due_at, samples))]
    for (rule, subject), state in done.changes.items():
        if state is None:
            made.append((sql.DROP_STATE, (rule, subject)))
        else:
            made.append((sql.SET_STATE, (rule, subject, _encode(state).decode())))
    for one in done.notices:
        text = _encode(one).decode()
        made.append((sql.ADD_NOTICE, (one.id, one.at, one.rule, one.event, text)))
        for channel in [name for name in one.to or channels if name in channels]:
            # In the order of turns, whatever the clocks of those who had them say.
            id = f"{taken.version:012}:{one.id}:{channel}"
            made.append((sql.ADD_DELIVERY, (MOST_WAITING, id, one.id, channel, one.at)))
    await tables.batch(*made)


async def due(tables: Tables, now: int) -> bool:
    """Whether anything is to be sent."""
    return bool(await tables.rows(sql.DUE, now, now + AHEAD_MS))


async def claim(tables: Tables, now: int) -> tuple[Delivery, Notice] | None:
    """The delivery that is due longest, for whoever asked first; None where none is."""
    [rows] = await tables.batch((sql.DELIVER, (now + LEASE_MS, now, now + AHEAD_MS)))
    if not rows:
        return None
    delivery = Delivery(*rows[0])
    found = await tables.rows(sql.NOTICE, delivery.notice)
    if not found:  # somebody deleted it by hand
        await failed(tables, delivery, "no_notice", now, for_good=True)
        return None
    return delivery, _notice(found[0][0])


async def delivered(tables: Tables, delivery: Delivery, status: str, now: int) -> None:
    """It is there."""
    await tables.batch((sql.END, ("delivered", status[:LONGEST_STATUS], now, delivery.id)))


async def failed(
    tables: Tables, delivery: Delivery, status: str, now: int, *, for_good: bool = False
) -> bool:
    """It is not: it is due again later, or (then this is true) given up."""
    status = status[:LONGEST_STATUS]
    if for_good or now - delivery.at >= PATIENCE_MS or delivery.attempts >= MOST_ATTEMPTS:
        await tables.batch((sql.END, ("given_up", status, now, delivery.id)))
        return True
    after = now + BACKOFF_MS[min(delivery.attempts, len(BACKOFF_MS)) - 1]
    await tables.batch((sql.AGAIN, (after, status, delivery.id, delivery.attempts)))
    return False


async def tell(tables: Tables, words: Mapping[str, int], now: int) -> None:
    """What this process saw fail, and how often."""
    minute = now // 60_000
    await tables.batch(*[(sql.WORD, (one, minute, words[one])) for one in sorted(words)])


async def words(tables: Tables, since: int) -> dict[str, int]:
    """What all processes saw fail from that minute on."""
    return {row[0]: row[1] for row in await tables.rows(sql.WORDS, since // 60_000)}


async def sweep(tables: Tables, now: int) -> bool:
    """Drops some that ended long ago; whether there may be more."""
    before = (now - KEPT_MS, SWEEP_ROWS)
    _, *swept = await tables.batch(
        (sql.FORGET_WORDS, ((now - WORDS_MS) // 60_000,)), (sql.SWEEP_DELIVERIES, before), (sql.SWEEP_NOTICES, before),
    )  # fmt: skip
    return any(len(rows) == SWEEP_ROWS for rows in swept)


async def last(tables: Tables, most: int) -> list[tuple[Notice, list[dict[str, Any]]]]:
    """The newest notices first, with what became of each at its channels."""
    sent: dict[str, list[dict[str, Any]]] = {}
    for notice, channel, attempts, status, outcome in await tables.rows(sql.DELIVERIES, most):
        told = {"channel": channel, "attempts": attempts, "status": status, "outcome": outcome or "waiting"}  # fmt: skip
        sent.setdefault(notice, []).append(told)
    found = [_notice(row[0]) for row in await tables.rows(sql.LAST, most)]
    return [(one, sent.get(one.id, [])) for one in found]


async def counts(tables: Tables) -> dict[str, dict[str, int]]:
    """How many deliveries of each channel wait, arrived, were given up or had no room."""
    found: dict[str, dict[str, int]] = {}
    for channel, outcome, number in await tables.rows(sql.COUNTS):
        found.setdefault(channel, {})[outcome or "waiting"] = number
    return found
