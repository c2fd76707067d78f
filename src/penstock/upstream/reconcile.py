"""Ends the holds whose processes did not, and lets late truths correct estimates."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from penstock.config import Provider
from penstock.errors import Conflict, Unavailable
from penstock.ledger import budgets, sql
from penstock.ledger.book import Account, Charged
from penstock.limits import ending
from penstock.limits.ending import FINAL_EXISTS, Bought, Ending
from penstock.ports import Clock, Fetch, Row, Tables
from penstock.prices import Price, dearest
from penstock.upstream.asking import Asking
from penstock.upstream.lookups import Attempt, Lookups

PAGE = 1_000
"""Reserve rows of one look at the tables."""
APART_MS = 60_000
"""How far the clocks of hosts may differ: leases that ended so lately are looked at again."""
ESTIMATES = 200
"""Estimates that are asked for in one pass; the next pass goes on behind them."""
YOUNG_MS = 5_000
"""A provider needs a moment until it can tell what a call took."""
OLD_MS = 24 * 3_600_000
"""After that an estimate is no longer asked for."""
START = (0, "")

KEPT_BACK_MS = 600_000
"""Kept progress is so much older: whoever goes on from it may have another clock than who kept it."""

_price = msgspec.json.Decoder(Price).decode


class Progress(Struct, array_like=True):
    """How far passes came: the lease behind which everything has ended, and the estimate that was asked for last."""

    behind: tuple[int, str] = START
    asked: tuple[int, str] = START


class Done(Struct):
    """What was looked at and what came of it."""

    looked_at: int = 0
    released: int = 0
    settled: int = 0
    estimated: int = 0
    corrected: int = 0

    @property
    def ended(self) -> int:
        """Holds that were ended."""
        return self.released + self.settled + self.estimated


Tell = Callable[[Done], None]
"""Told how far a pass is, after each page."""


class Reconciler:
    """Passes over the ledger; any number of them may run at once, in any number of processes.

    It remembers behind which lease everything has ended, so only its first pass walks the whole ledger, and that one
    from the `progress` it was given. What it writes is refused where another was first: the ledger takes one final row a request, and each correction's number once.
    """

    def __init__(
        self,
        tables: Tables,
        fetch: Fetch,
        clock: Clock,
        providers: Mapping[str, Provider],
        progress: Progress | None = None,
    ) -> None:
        self._tables = Asking(tables, fetch)
        self._clock = clock
        self._providers = providers
        self.progress = progress or Progress()
        self.more = False
        """Whether the last pass left something to the next."""

    async def once(self, tell: Tell | None = None, most: float = math.inf) -> Done:
        """One pass, of at most so many questions; raises Unavailable where the tables are out of reach. The next goes on from
        there."""
        self._tables.begin(most)
        self.more = False
        done, now = Done(), int(self._clock.now() * 1000)
        lookups = Lookups(self._tables.fetch, self._providers)
        more = True
        while more and not self._stop():
            more = await self._page(now, lookups, done)
            if tell is not None:
                tell(done)
        if any(provider.usage_lookup for provider in self._providers.values()):
            await self._correct(now, lookups, done)
        return done

    def _stop(self) -> bool:
        self.more = self.more or self._tables.spent
        return self.more

    async def _page(self, now: int, lookups: Lookups, done: Done) -> bool:
        """Ends the open holds among the next reserve rows whose lease is over; False after the last ones."""
        ends = await self._tables.rows(sql.LEASES_END, *self.progress.behind, now, PAGE - 1)
        full = bool(ends)
        end = (int(ends[0][0]), str(ends[0][1])) if full else (now + 1, "")
        for row in await self._tables.rows(sql.EXPIRED, *self.progress.behind, *end):
            if self._stop():
                return False  # those that have ended are found no more
            await self._end(_account(row[:7]), int(row[7]), now, lookups, done)
        done.looked_at += PAGE if full else 0
        self.progress.behind = end if full else max(self.progress.behind, (now - APART_MS, ""))
        return full

    async def _end(
        self, account: Account, reserved: int, now: int, lookups: Lookups, done: Done
    ) -> None:
        attempts = await self._attempts(account)
        ended = await self._ending(account, reserved, now, attempts, lookups)
        ended = replace(ended, held=tuple(await budgets.held(self._tables, account.request_id)))
        try:
            await ending.write(self._tables, ended)
        except Conflict as conflict:
            if conflict.name not in FINAL_EXISTS:
                raise
            return  # its own process or another reconciler was first
        setattr(done, ended.ended, getattr(done, ended.ended) + 1)

    async def _ending(
        self,
        account: Account,
        reserved: int,
        now: int,
        attempts: Sequence[Attempt],
        lookups: Lookups,
    ) -> Ending:
        """Never dispatched: released. Else as the provider says, and where it does not, the most it can have been."""
        if not attempts:
            return Ending(account, reserved, 0, "released", now)
        last = attempts[-1]
        bought = self._bought(last)
        truth = await lookups.truth(account.request_id, attempts)
        if truth is not None and not truth.usage.total:
            return Ending(account, reserved, last.number, "released", now, bought, presumed=True)
        if truth is not None:
            return Ending(
                account, reserved, last.number, "settled", now, bought, truth.usage, truth.amount
            )
        # Rows of versions before the bound was kept have none: there the reserve is the most.
        amount = None if last.most.total else reserved
        return Ending(account, reserved, last.number, "estimated", now, bought, last.most, amount)

    async def _correct(self, now: int, lookups: Lookups, done: Done) -> None:
        """Asks for the truth of estimates that have none yet, and posts what is told."""
        if self._stop():
            return
        since = max(self.progress.asked, (now - OLD_MS, ""))
        rows = await self._tables.rows(sql.ESTIMATED, *since, now - YOUNG_MS, ESTIMATES)
        for row in rows:
            if self._stop():
                return
            account = _account(row[1:])
            await self._correct_one(account, now, lookups, done)
            self.progress.asked = (int(row[0]), account.request_id)
        if len(rows) < ESTIMATES:
            self.progress.asked = START

    async def _correct_one(self, account: Account, now: int, lookups: Lookups, done: Done) -> None:
        attempts = await self._attempts(account)
        truth = await lookups.truth(account.request_id, attempts) if attempts else None
        if truth is None:
            return
        what, usage = attempts[-1].what, truth.usage
        await ending.correct(self._tables, account, now, what, usage, truth.amount)
        done.corrected += 1

    async def _attempts(self, account: Account) -> list[Attempt]:
        """The attempts that may have been billed: those at the last target, since another one follows only a failure
        that surely cost nothing."""
        rows = await self._tables.rows(sql.ATTEMPTS, account.request_id)
        found = [_attempt(row) for row in rows]
        first = len(found)
        while first and found[first - 1].what == found[-1].what:
            first -= 1
        return found[first:]

    def _bought(self, attempt: Attempt) -> Bought:
        at = self._providers.get(attempt.what.provider)
        if at is None:
            return Bought(attempt.what, attempt.price)
        return Bought(attempt.what, attempt.price, ending.allotment(at), at.free_neurons_per_day)


async def in_pieces(
    reconciler: Reconciler, most: int, pieces: int, keep: Callable[[], Awaitable[None]]
) -> None:
    """One pass after another while something is left, each of at most so many questions, and after each what `keep` does.

    For a platform that bears only so many in one go and does not say how many: what one more pass may not ask, the next
    call does. Raises Unavailable where the first is refused.
    """
    try:
        await reconciler.once(most=most)
    finally:
        # What a pass did before it failed need not be done again.
        await keep()
    with suppress(Unavailable):
        while reconciler.more and pieces > 1:
            pieces -= 1
            await reconciler.once(most=most)
            await keep()


async def progress_of(tables: Tables) -> Progress:
    """What `keep_progress` kept; all from the start where there is none."""
    found = await tables.rows(sql.PROGRESS)
    return msgspec.json.decode(found[0][0], type=Progress) if found else Progress()


async def keep_progress(tables: Tables, progress: Progress) -> None:
    """For a home whose passes share no memory."""
    behind = (max(0, progress.behind[0] - KEPT_BACK_MS), "")
    kept = msgspec.json.encode(Progress(behind, progress.asked)).decode()
    await tables.batch((sql.KEEP_PROGRESS, (kept,)))


def _account(row: Row) -> Account:
    return Account(*map(str, row))


def _attempt(row: Row) -> Attempt:
    number, provider, model, target, price, most_input, most_output = row
    frozen = _price(price) if price else Price()
    most = dearest(frozen, int(most_input), int(most_output))
    return Attempt(int(number), Charged(provider, model, target), frozen, most)
