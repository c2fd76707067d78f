"""Why a request went where it went: one record each, and its story told again."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

from penstock.ledger import days, sql
from penstock.ports import Statement, Tables


class Decision(Struct, omit_defaults=True):
    """What was seen and chosen for one request. Prompts and credentials are not part of it."""

    request_id: str
    service: str
    caller: str = ""
    tier: str = ""
    asked: str = ""
    route: str = ""
    policy: str = ""
    arm: str = ""
    reason: str = ""
    features: dict[str, Any] = {}
    ranks: tuple[str, ...] = ()
    cache: str = ""
    cache_key: str = ""
    target: str = ""
    attempts: int = 0
    price: str = ""
    reserved_nanos: int = 0
    cost_nanos: int = 0
    status: int = 0
    error: str = ""
    total_us: int = 0
    upstream_us: int = 0
    stream: bool = False
    first_us: int = 0
    """From the request to a streamed answer's first piece, where it was bought; 0 of what was not."""
    deployment: str = ""
    """Of the target, where it has several."""
    warm: dict[str, Any] = {}
    """What was put first because this conversation's prompt is warm there: target, tokens, what that saves and in whose place."""
    trace: str = ""
    """What its spans are found by."""


_encode = msgspec.json.Encoder().encode


def row(decision: Decision, at: int, owner: str) -> Statement:
    """The record as a row for the journal."""
    return sql.DECISION, (decision.request_id, at, owner, _encode(decision).decode())


async def explain(
    tables: Tables, request_id: str, owner: str | None = None
) -> dict[str, Any] | None:
    """A request's decision and ledger rows; None where it is unknown, or somebody else's than `owner`'s."""
    decided = await tables.rows(sql.EXPLAIN, request_id)
    steps = await tables.rows(sql.STEPS, request_id)
    owners = {found[1] for found in decided} | {step[14] for step in steps}
    if not owners or (owner is not None and owners != {owner}):
        return None
    return {
        "request_id": request_id,
        "at": days.iso(decided[0][0] if decided else steps[0][3]),
        "decision": msgspec.json.decode(decided[0][2]) if decided else None,
        "ledger": [_step(step) for step in steps],
    }


_STEP = (
    "attempt", "stage", "ended", "at", "provider", "model", "target", "input", "cached_input", "cache_write", "output",
    "reasoning", "amount_nanos", "cache",
)  # fmt: skip


def _step(values: tuple[Any, ...]) -> dict[str, Any]:
    found = dict(zip(_STEP, values, strict=False))
    found["at"] = days.iso(found["at"])
    if found["stage"] == "dispatched":
        found["most_input"], found["most_output"] = found.pop("input"), found.pop("output")
    return {name: value for name, value in found.items() if value not in ("", None)}
