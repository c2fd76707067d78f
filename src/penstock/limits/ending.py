"""How a request's money ends in the books: the one place that writes final rows and corrections.

A live hold and the reconciler both end requests through here, so what else must happen in the same batch (a budget's
counters) is added to `statements` and `corrected`, once.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from penstock.config import Provider
from penstock.errors import Conflict, Unavailable
from penstock.ledger import book, budgets, days, sql
from penstock.ledger.book import Account, Allotment, Charged
from penstock.ports import Row, Statement, Tables
from penstock.prices import NEURON_NANOS, Price, amount_nanos, neurons_micro
from penstock.routing.offers import Offer
from penstock.wire.chat import Usage

FINAL_EXISTS = frozenset({"ledger_final", "ledger_pkey"})
"""A second final row violates the first, and the second too where it names the same attempt."""
TRIES = 5


class Bought(Struct, frozen=True):
    """What was called and at which price; `allotment` is the account that has `free_neurons` a day."""

    what: Charged
    price: Price
    allotment: str = ""
    free_neurons: int = 0


class Ending(Struct, frozen=True):
    """How one request ends. `amount` is given where the price is not to say it; `reserved` is the reserve row's."""

    account: Account
    reserved: int
    attempt: int
    ended: book.Ended
    at: int
    bought: Bought | None = None
    usage: Usage = Usage()
    amount: int | None = None
    held: tuple[budgets.Key, ...] = ()
    """What it still holds of which budgets."""
    presumed: bool = False
    """Released by hearsay: its process may still live and know better, so that its budgets are remembered."""


class Standing(Struct, frozen=True):
    """The sum of a request's final row and its corrections, and what it was."""

    ended: str
    what: Charged
    usage: Usage
    amount: int
    corrections: int


def charged(offer: Offer) -> Charged:
    """The ledger's columns of an offer."""
    name = f"{book.OWN}{offer.name}" if offer.own else offer.name
    return Charged(offer.target.provider, offer.target.model, name)


def bought(offer: Offer) -> Bought:
    """What an offer's answer is, once it was bought."""
    return Bought(charged(offer), offer.price, allotment(offer.at), offer.at.free_neurons_per_day)


def allotment(at: Provider) -> str:
    """Whose free units a provider's calls take: the vendor counts by account, whatever reaches it is called."""
    return f"{at.kind}:{at.account}"


def statements(of: Ending) -> tuple[Statement, ...]:
    """The batch that ends a request: its final row, and what it held of its budgets."""
    what = Charged() if of.bought is None else of.bought.what
    keep = of.ended == "estimated" or of.presumed
    settled = budgets.settle(of.account.request_id, of.held, keep=keep)
    free = _allotment(of)
    if free is None:
        amount = _amount(of)
        final = book.final(of.account, of.attempt, of.ended, of.at, what, of.usage, amount)
        return (final, *settled)
    final_rows = book.final_allotted(of.account, of.attempt, of.ended, of.at, what, of.usage, free)
    return (*final_rows, *settled)


async def write(tables: Tables, of: Ending) -> int:
    """Ends a request and returns its amount; raises Conflict with a name of FINAL_EXISTS where it has ended."""
    results = await tables.batch(*statements(of))
    # Where free units are taken, the tables say what was left over, in the second statement's row.
    return _amount(of) if _allotment(of) is None else int(results[1][0][0])


async def standing(tables: Tables, account: Account) -> Standing | None:
    """How a request ended and what it comes to; None while it is open."""
    rows = await tables.rows(sql.STANDING, account.request_id)
    if not rows:
        return None
    usage = Usage(*(sum(column) for column in zip(*(row[5:10] for row in rows), strict=True)))
    first = rows[0]
    corrections = sum(row[0] == "correction" for row in rows)
    return Standing(first[1], Charged(*first[2:5]), usage, _sum(rows), corrections)


async def stands_at(tables: Tables, account: Account) -> int:
    """What a request comes to so far."""
    found = await standing(tables, account)
    return 0 if found is None else found.amount


async def overtake(tables: Tables, account: Account, at: int, what: Bought, usage: Usage) -> int:
    """Corrects an ending that was only presumed by a usage that is known, and what a look-up did not know by an
    estimate too; leaves one by usage as it is."""
    found = await standing(tables, account)
    if found is None:
        return 0
    # A look-up that did not know the call has had it released, or corrected to nothing: here it is known.
    unknown = found.ended == "released" or (found.corrections and not found.amount)
    known = found.ended == "settled" or found.corrections or usage.estimated
    if known and not unknown:
        return found.amount
    amount = amount_nanos(what.price, usage)
    return await correct(tables, account, at, what.what, usage, amount)


async def correct(
    tables: Tables, account: Account, at: int, what: Charged, truth: Usage, amount: int
) -> int:
    """Posts the difference to the truth as the next numbered correction; returns the sum, which is then `amount`.

    Safe with others that do so at the same time: a number is taken once, and who comes second looks again.
    """
    for _ in range(TRIES):
        found = await standing(tables, account)
        if found is None:
            break
        if found.corrections and (found.usage, found.amount) == (_plain(truth), amount):
            return amount
        try:
            await tables.batch(*corrected(found, account, at, what, truth, amount))
        except Conflict:
            continue
        return amount
    raise Unavailable("A request's correction could not be posted: others post at the same time.")


def corrected(
    found: Standing, account: Account, at: int, what: Charged, truth: Usage, amount: int
) -> tuple[Statement, ...]:
    """The batch that corrects a request, and whatever else depends on its amount."""
    was = found.usage
    more = Usage(
        truth.input - was.input,
        truth.cached_input - was.cached_input,
        truth.cache_write - was.cache_write,
        truth.output - was.output,
        truth.reasoning - was.reasoning,
    )
    where = found.what if found.what.provider else what
    number = found.corrections + 1
    less = amount - found.amount
    return (
        book.correction(account, number, at, where, more, less),
        *budgets.correct(account.request_id, less, more.total),
    )


def _amount(of: Ending) -> int:
    if of.amount is not None:
        return of.amount
    if of.bought is None or of.ended == "released":
        return 0
    return amount_nanos(of.bought.price, of.usage)


def _allotment(of: Ending) -> Allotment | None:
    """The free units it takes; None where its amount is simply what it costs."""
    what = of.bought
    if what is None or not what.free_neurons or of.ended == "released" or of.amount is not None:
        return None
    units = neurons_micro(what.price, of.usage)
    if not units:
        return None
    cap = what.free_neurons * 1_000_000
    return Allotment(what.allotment, days.day(of.at), units, cap, NEURON_NANOS)


def _sum(rows: Sequence[Row]) -> int:
    return sum(int(row[10]) for row in rows)


def _plain(usage: Usage) -> Usage:
    return Usage(usage.input, usage.cached_input, usage.cache_write, usage.output, usage.reasoning)
