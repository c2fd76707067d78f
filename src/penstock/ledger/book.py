"""Rows of the money record: reserve → dispatched (each attempt) → final."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct, structs

from penstock.ledger import sql
from penstock.ports import Statement
from penstock.wire.chat import Usage

Ended = Literal["settled", "released", "estimated"]


OWN = "own:"
"""Before the target of a call that was made with its tenant's own key: it is on no invoice of ours."""


class Account(Struct, frozen=True):
    """Whose money and for what: the columns that every row of a request shares."""

    request_id: str
    owner: str
    tenant: str
    sub: str
    key_id: str
    route: str
    service: str


class Charged(Struct, frozen=True):
    """What was called: the columns of a target."""

    provider: str = ""
    model: str = ""
    target: str = ""


class Allotment(Struct, frozen=True):
    """Free units of an account: `units` of this answer and `cap` a day in millionths, `nanos` a whole unit beyond them."""

    account: str
    day: str
    units: int
    cap: int
    nanos: int


def part(of: Account, number: int) -> Account:
    """The account of one more call of the same request, which has a hold of its own."""
    return structs.replace(of, request_id=f"{of.request_id}.{number}")


def reserve(of: Account, at: int, lease_until: int, amount: int) -> Statement:
    """The row that reserves the worst case before anything is sent."""
    return sql.RESERVE, (
        of.request_id, at, lease_until, of.owner, of.tenant, of.sub, of.key_id, of.route, of.service, amount,
    )  # fmt: skip


def dispatched(
    of: Account, attempt: int, at: int, what: Charged, price: str, most: Usage
) -> Statement:
    """The row that says an attempt may be billed from now on, at this frozen price and for at most so much."""
    return sql.DISPATCHED, (
        of.request_id, attempt, at, of.owner, what.provider, what.model, what.target, price,
        most.total_input, most.output,
    )  # fmt: skip


def final(
    of: Account,
    attempt: int,
    ended: Ended,
    at: int,
    what: Charged,
    usage: Usage,
    amount: int,
    cache: str = "",
) -> Statement:
    """The row that ends a request: what it took and cost."""
    return sql.FINAL, (
        of.request_id, attempt, ended, at, of.owner, of.tenant, of.sub, of.key_id, of.route, of.service,
        what.provider, what.model, what.target, usage.input, usage.cached_input, usage.cache_write, usage.output,
        usage.reasoning, amount, cache,
    )  # fmt: skip


def correction(
    of: Account, number: int, at: int, what: Charged, more: Usage, amount: int
) -> Statement:
    """The row that brings an ended request's sum to the truth: `more` and `amount` are differences, often below zero."""
    return sql.CORRECTION, (
        of.request_id, number, at, of.owner, of.tenant, of.sub, of.key_id, of.route, of.service,
        what.provider, what.model, what.target, more.input, more.cached_input, more.cache_write, more.output,
        more.reasoning, amount,
    )  # fmt: skip


def final_allotted(
    of: Account, attempt: int, ended: Ended, at: int, what: Charged, usage: Usage, free: Allotment
) -> tuple[Statement, ...]:
    """The same where an account has free units: they are taken in order of settlement, what is left over is charged.

    The second statement returns the amount.
    """
    return (
        (sql.OPEN_ALLOTMENT, (free.account, free.day)),
        (sql.FINAL_ALLOTTED, (
            of.request_id, attempt, ended, at, of.owner, of.tenant, of.sub, of.key_id, of.route, of.service,
            what.provider, what.model, what.target, usage.input, usage.cached_input, usage.cache_write,
            usage.output, usage.reasoning, free.units, free.cap, free.nanos, "", free.account, free.day,
        )),
        (sql.USE_ALLOTMENT, (free.cap, free.units, free.account, free.day)),
    )  # fmt: skip
