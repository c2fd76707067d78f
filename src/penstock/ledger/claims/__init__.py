"""Claims of Idempotency-Keys: one row a key, and what the ledger says of the request that made it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

from msgspec import Struct

from penstock.errors import Conflict
from penstock.ledger.claims import sql
from penstock.ports import Statement, Tables

TAKEN = "idempotency_pkey"
DISPATCHED = "idempotency_dispatches_pkey"

LIFE_MS = 24 * 3_600_000
PATIENCE_MS = 120_000
"""How long a claim without any hold is believed to be at work."""
LAST_BYTES_MS = 60_000
"""How long the reply of a request that was settled is believed to be on its way."""
TRIES = 4
SWEEP_ROWS = 500

Trouble = Literal["large", "lost"]
"""Why there is no reply to repeat: too large to keep, or nobody knows how it ended."""
Verdict = Literal["in_flight", "unknown", "large", "unstarted", "unbilled"]
"""What a claim without a kept reply comes to; the last two may be taken over."""


class Claim(Struct, frozen=True):
    """One request's use of a key; `fingerprint` is of its path and body."""

    owner: str
    key: str
    request_id: str
    fingerprint: str


class Found(NamedTuple):
    """The claim that holds a key."""

    request_id: str
    fingerprint: str
    state: str
    at: int


class Step(NamedTuple):
    """A row of the ledger, of a claim's request or of one of its later calls."""

    request_id: str
    stage: str
    ended: str
    at: int
    lease_until: int


def judge(found: Found, steps: Sequence[Step], now: int) -> Verdict:
    """What became of a request whose reply was not kept: the claim's row and the ledger tell."""
    if found.state == "large":
        return "large"
    if found.state == "lost":
        return "unknown"
    if not steps:
        return "in_flight" if now < found.at + PATIENCE_MS else "unstarted"
    ended = {step.request_id for step in steps if step.stage == "final"}
    running = [step.lease_until for step in steps if step.request_id not in ended]
    if running:
        return "in_flight" if now < max(running) else "unknown"
    billed = [step.at for step in steps if step.ended in ("settled", "estimated")]
    if not billed:
        return "unbilled"
    return "in_flight" if now < max(billed) + LAST_BYTES_MS else "unknown"


async def take(tables: Tables, claim: Claim, now: int) -> Found | None:
    """Claims the key; None where it is this request's now, else who has it. Raises Unavailable."""
    expire = (sql.EXPIRE, (claim.owner, claim.key, now))
    until = now + LIFE_MS
    of = (claim.owner, claim.key, claim.request_id, claim.fingerprint, now, until)
    for _ in range(TRIES):
        try:
            await tables.batch(expire, (sql.CLAIM, of))
        except Conflict as conflict:
            if conflict.name != TAKEN:
                raise
        else:
            return None
        rows = await tables.rows(sql.FIND, claim.owner, claim.key)
        if rows:
            return Found(*rows[0])
    # Each time it was released in between: whoever makes such a crowd asks again.
    return Found("", claim.fingerprint, "open", now)


async def verdict(tables: Tables, found: Found, now: int) -> Verdict:
    """`judge` by what the ledger says now."""
    steps = await tables.rows(sql.STEPS, found.request_id) if found.state == "open" else ()
    return judge(found, [Step(*step) for step in steps], now)


async def take_over(
    tables: Tables, claim: Claim, found: Found, now: int, *, unstarted: bool
) -> bool:
    """Whether the key is this request's now. One that was not sent yet never will be: its right to that is used up."""
    until = now + LIFE_MS
    old, whose = found.request_id, (claim.owner, claim.key, found.request_id)
    update = (sql.TAKE_OVER, (claim.request_id, now, until, *whose))
    bar = (dispatch(old, now),) if unstarted else ()
    try:
        results = await tables.batch(*bar, update)
    except Conflict as conflict:
        if conflict.name != DISPATCHED:
            raise
        return False
    return bool(results[-1])


def dispatch(request_id: str, now: int) -> Statement:
    """A request uses its right to be sent; raises Conflict(DISPATCHED) where it has none any more."""
    return sql.DISPATCH, (request_id, now + LIFE_MS)


async def mark(tables: Tables, claim: Claim, trouble: Trouble) -> None:
    """There is no reply to repeat, for as long as the key lives."""
    await tables.batch((sql.MARK, (trouble, claim.owner, claim.key, claim.request_id)))


async def release(tables: Tables, claim: Claim) -> None:
    """The key is free again: nothing was bought under it."""
    await tables.batch((sql.RELEASE, (claim.owner, claim.key, claim.request_id)))


async def sweep(tables: Tables, now: int) -> int:
    """Drops some rows whose time is over; returns how many of the more frequent kind, at most `SWEEP_ROWS`."""
    swept = await tables.batch(
        (sql.SWEEP_CLAIMS, (now, SWEEP_ROWS)), (sql.SWEEP_DISPATCHES, (now, SWEEP_ROWS))
    )
    return max(map(len, swept))
