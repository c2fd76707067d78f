"""Reserve before the work, settle once after it: a hold is one request's money."""

from __future__ import annotations

from asyncio import CancelledError
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import NamedTuple

from penstock.config import Provider
from penstock.errors import Conflict, Unavailable
from penstock.ledger import book, budgets
from penstock.ledger.book import Account
from penstock.ledger.budgets import Held
from penstock.limits import ending
from penstock.limits.ending import FINAL_EXISTS, Ending, bought, charged
from penstock.limits.estimate import at_most
from penstock.ports import Clock, Lease, Meter, Statement, Tables
from penstock.prices import amount_nanos
from penstock.routing.offers import Offer
from penstock.wire.chat import Usage

GRACE_MS = 60_000

Billable = tuple[Offer, Usage]
"""An attempt that may have been billed: where, and at most for what."""


class Tried(NamedTuple):
    """One attempt: where, when by the clock's ticks, and what it came to when its target answered or failed."""

    offer: Offer
    at: Provider
    deployment: str
    number: int
    began: float
    ended: float
    outcome: str


Spent = Callable[[str, Usage, int], None]
"""Told what a call was charged, once: the target by its label, what it took, and nano-dollars."""


class Hold:
    """What one request may cost, until it is settled, released or estimated: exactly one of them, once.

    A call without an output cap of its own is sent the target's where the hold is `capped`: what a budget reserves
    must be the most. Ending it again is safe: the ledger takes one final row a request, so that an ending cut off by a cancellation is
    simply ended again.
    """

    __slots__ = ("_before", "_billable", "_clock", "_lease", "_meter", "_recorded", "_send_until", "_spent", "_tables", "account",
                 "amount", "attempt", "capped", "done", "held", "most", "offer", "reserved", "tried")  # fmt: skip

    def __init__(
        self,
        tables: Tables,
        meter: Meter,
        clock: Clock,
        account: Account,
        reserved: int,
        lease: Lease | None,
        held: Sequence[Held] = (),
        *,
        capped: bool = False,
        spent: Spent | None = None,
    ) -> None:
        self._tables = tables
        self._meter = meter
        self._clock = clock
        self._lease = lease
        self._send_until = 0
        self._spent = spent
        self._recorded = 0
        self._billable: Billable | None = None
        self._before: Billable | None = None
        self.account = account
        self.reserved = reserved
        self.held = held
        self.capped = capped
        self.offer: Offer | None = None
        self.attempt = 0
        self.done = False
        self.amount = 0
        self.most = Usage()
        self.tried: list[Tried] | None = None
        """Its attempts, where somebody wants to know."""

    async def open(
        self, first: Offer, total_seconds: float, most: Usage, also: Sequence[Statement] = ()
    ) -> None:
        """Writes the reserve and the first attempt's dispatched row at once: they are one step of one request.

        `most` is what the first attempt can take, for whoever has to estimate it after a crash. Raises
        Conflict(budgets.CAP), with nothing written, where a budget does not have it.
        """
        now = self._now()
        self._send_until = now + int(total_seconds * 1000)
        lease_until = self._send_until + GRACE_MS
        await self._tables.batch(
            *also,
            *budgets.reserve(self.account.request_id, self.held),
            book.reserve(self.account, now, lease_until, self.reserved),
            self._dispatched(1, first, now, most),
        )
        self._recorded = 1

    async def abandon(self) -> None:
        """Ends a hold whose opening was cut off: its batch was written, was refused, or is still on its way.

        A hold of nothing, released at once, takes its place where it does not stand: whatever comes later is refused.
        """
        now = self._now()
        nothing = Ending(self.account, 0, 0, "released", now)
        try:
            await self._tables.batch(
                book.reserve(self.account, now, now, 0), *ending.statements(nothing)
            )
            self.done = True
        except Conflict as conflict:
            if conflict.name not in FINAL_EXISTS:
                raise
            await self.close()
        finally:
            await self._give(Usage())

    async def dispatch(self, attempt: int, offer: Offer, most: Usage) -> None:
        """Before each attempt: from here on it may be billed, at most for `most`.

        Raises Unavailable once the total time-out is over, a minute before the lease: nothing is sent that the
        reconciler could find unsent.
        """
        if attempt > self._recorded:
            await self._tables.batch(self._dispatched(attempt, offer, self._now(), most))
            self._recorded = attempt
        if self._now() >= self._send_until:
            raise Unavailable("This took longer than the route's total time-out: ask again.")
        self.attempt, self.offer, self.most = attempt, offer, most
        before = self._before = self._billable
        if before is None or _cost(offer, most) >= _cost(*before):
            self._billable = (offer, most)

    def unprocessed(self) -> None:
        """The last attempt is known to be neither done nor billed; what is unknown of those before it stays so."""
        self._billable = self._before

    @property
    def sent(self) -> bool:
        """Whether any attempt may have been billed."""
        return self._billable is not None

    async def settle(self, usage: Usage) -> int:
        """Ends with what was used; returns the amount in nano-dollars."""
        return await self._end("estimated" if usage.estimated else "settled", usage)

    async def close(self) -> int:
        """Ends it however it stands: settled already, released if nothing can have been billed, else estimated at
        the most of the dearest attempt that may have been."""
        if self.done:
            return self.amount
        if self._billable is None:
            return await self._end("released", Usage())
        self.offer, most = self._billable
        return await self._end("estimated", at_most(self.offer.price, None, most))

    async def _end(self, ended: book.Ended, usage: Usage) -> int:
        if self.done:
            return self.amount
        try:
            self.amount = await self._ended(ended, usage)
            self._told(usage)
        except CancelledError:
            # Whoever waited has left, and what they waited for may not have been written.
            self.amount = await self._ended(ended, usage)
            self._told(usage)
            raise
        finally:
            # The call is over, whether its final row could be written or not.
            await self._give(usage)
        return self.amount

    def _told(self, usage: Usage) -> None:
        self.done = True
        if self._spent is not None and self.offer is not None and (usage.total or self.amount):
            self._spent(self.offer.label, usage, self.amount)

    async def _ended(self, ended: book.Ended, usage: Usage) -> int:
        try:
            return await self._write(ended, usage)
        except Conflict as conflict:
            if conflict.name not in FINAL_EXISTS:
                raise
            return await self._after(ended, usage)

    async def _give(self, usage: Usage) -> None:
        """Gives the lease back, once; a meter out of reach forgets it by itself."""
        if self._lease is not None:
            with suppress(Unavailable):
                await self._meter.give(self._lease, usage.total)
            self._lease = None

    async def _write(self, ended: book.Ended, usage: Usage) -> int:
        what = None if self.offer is None else bought(self.offer)
        return await ending.write(
            self._tables,
            Ending(
                self.account,
                self.reserved,
                self.attempt,
                ended,
                self._now(),
                what,
                usage,
                held=tuple([one.key for one in self.held]),
            ),
        )

    async def _after(self, ended: book.Ended, usage: Usage) -> int:
        """What a request that has ended already comes to: our own row, of which only the reply was lost, or the
        reconciler's after the lease, which what is known here corrects."""
        what = bought(self.offer) if self.offer is not None and ended != "released" else None
        if what is None or what.free_neurons:
            return await ending.stands_at(self._tables, self.account)
        return await ending.overtake(self._tables, self.account, self._now(), what, usage)

    def _dispatched(self, attempt: int, offer: Offer, now: int, most: Usage) -> Statement:
        return book.dispatched(self.account, attempt, now, charged(offer), offer.frozen, most)

    def _now(self) -> int:
        return int(self._clock.now() * 1000)


def _cost(offer: Offer, most: Usage) -> int:
    return amount_nanos(offer.price, most)
