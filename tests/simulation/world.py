"""One seed: replicas on shared stores, callers and providers, and whoever draws what happens next."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from penstock.auth import keys
from penstock.errors import Unavailable
from penstock.platforms import memory
from penstock.platforms.memory import MemoryPlatform
from penstock.ports import Tables
from tests.simulation import callers, checks, settings
from tests.simulation.air import Air, Crossing, now_of
from tests.simulation.callers import Ask, Told
from tests.simulation.provider import Providers
from tests.simulation.replica import Replica
from tests.simulation.stores import SharedMeter
from tests.simulation.temper import Temper

STARTS = (1_800_000_000.0, 1_800_057_580.0, 1_801_439_980.0)
"""The middle of an hour; just before the end of a day, and of a month."""
OLDEST = 20.0
"""Seconds that an operation is on its way at most: stores and clients give up on what takes longer."""
HEALS = 5
MOST_STEPS = 60_000


Break = Callable[[Tables], Tables]
"""Puts wrong tables in the place of the right ones."""


class Broken(AssertionError):
    """The books are wrong."""


class World:
    """Everything of one seed; `broken` puts other tables in the place of the right ones."""

    def __init__(self, seed: int, broken: Break = lambda tables: tables) -> None:
        self.rng = rng = random.Random(seed)
        self.trace: list[str] = []
        self.temper = Temper.drawn(rng)
        self.config = settings.config(settings.drawn(rng))
        self.platform: MemoryPlatform = memory.platform(now=rng.choice(STARTS), seed=seed)
        self.clock = self.platform.clock
        self.tables = broken(self.platform.tables)
        self.meter = SharedMeter(self.platform)
        self.providers = Providers(
            rng, settings.SETTINGS, self._comes, self.temper.trouble, self.temper.forgetful
        )
        self.api_key, _ = now_of(
            keys.create(
                self.platform.tables,
                self.platform.ids,
                now=self.clock.now(),
                sub="bot",
                tenant="acme",
            )
        )
        self.air = Air()
        self.replicas: list[Replica] = []
        self.asks: list[Ask] = []
        self.asking: dict[asyncio.Task[None], tuple[Ask, Replica]] = {}
        self.left: set[asyncio.Task[None]] = set()
        self.dead: list[Replica] = []
        self.healing = False
        self.outage = False
        self._failures: list[str] = []
        self._pause = 0.01
        self._repeats = 3 * self.temper.asks
        self._idle: asyncio.Future[None] | None = None

    # What the parts tell.

    def note(self, text: str) -> None:
        self.trace.append(f"{self.clock.tick():9.2f} {text}")

    def fail(self, text: str) -> None:
        self._failures.append(text)
        self.note(f"FAILURE {text}")

    def send(self, crossing: Crossing) -> None:
        self.air.crossings.append(crossing)

    def told(self, ask: Ask, told: Told) -> None:
        self.note(f"{ask} was told {told.status} {told.id} {'' if told.whole else 'in part'}")
        if not (self.temper.refuse or self.temper.lose):
            self._failures += checks.settled_before_told(self, told)

    def _comes(self, mark: str) -> None:
        self._failures += checks.announced(self, mark)
        self.note(f"{mark} came to its provider")

    def idle(self) -> None:
        """Everything that could run has run: whoever steers goes on."""
        if self._idle is None or self._idle.done():
            raise Broken("the simulation itself does not go on")
        self._idle.set_result(None)

    # What happens.

    async def run(self) -> None:
        """The whole seed; raises Broken."""
        for _ in range(self.temper.replicas):
            self._start()
        left = self.temper.asks
        for _ in range(MOST_STEPS):
            await self._quiet()
            if not left and not self.asking:
                break
            often = 0.15 if self.temper.crowd else 0.05
            if left and self.rng.random() < (often if self.air.crossings else 0.5):
                left -= 1
                self._ask()
            else:
                self._act()
        else:
            raise Broken("the callers wait for ever")
        await self._heal()
        self._check(at_rest=True)

    async def _quiet(self) -> None:
        self._idle = asyncio.get_running_loop().create_future()
        await self._idle
        if self._failures:
            raise Broken(self._failures[0])

    def _act(self) -> None:
        """One thing happens, of those that may."""
        drawn, temper = self.rng.random(), self.temper
        chances: tuple[tuple[float, Callable[[], None]], ...] = (
            (temper.crash, self._crash),
            (temper.freeze, self._freeze),
            (temper.leave, self._leave),
            (0.004, self._reconcile),
            (0.015, self._again),
            (0.02 if self.outage else temper.refuse / 20, self._fail_stores),
            (0.004, lambda: self._check(at_rest=False)),
            (0.03, self._wait),
        )
        for chance, act in chances:
            drawn -= chance
            if drawn < 0:
                act()
                return
        self._move()

    def _move(self) -> None:
        """What is on its way goes on; where nothing is, time does."""
        movable = self.air.movable()
        if not movable:
            stands = any(replica.frozen for replica in self.replicas)
            if stands and self.rng.random() < 0.3:
                self._again()
            else:
                self._wait(long=True)
            return
        self._pause = 0.01
        oldest = movable[0]
        if self.clock.tick() - oldest.since > OLDEST:
            self._step(oldest)
        else:
            self._step(self.rng.choice(movable))

    def _step(self, one: Crossing) -> None:
        if one.done:
            self.air.pop(one)
            one.tell()
            return
        store = one.place not in ("fetch", "part")
        if store and self._refused(one):
            one.refuse()
            self.note(f"{one.owner} {one.what} is refused")
            return
        one.act()
        written = one.what.startswith("tables.batch") and one.failure is None
        self.note(f"{one.owner} {one.what}{f' -> {one.failure!r}' if one.failure else ''}")
        if store and not self.healing and self.rng.random() < self.temper.lose:
            one.refuse()
            self.note(f"{one.owner} {one.what}: its reply is lost")
        if written and not self.healing and self.rng.random() < self.temper.twice:
            self._deliver_again(one)

    def _refused(self, one: Crossing) -> bool:
        if self.healing:
            return False
        return self.outage or self.rng.random() < self.temper.refuse

    def _deliver_again(self, one: Crossing) -> None:
        """The same batch arrives twice, now or later, and nobody waits for the second's outcome."""
        nobody: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        nobody.cancel()
        self.note(f"{one.owner} {one.what} will be delivered twice")
        again = Crossing(one.what, one.effect, nobody, one.owner, one.since, lambda outcome: None)
        self.air.crossings.append(again)

    def _ask(self) -> None:
        self._serve(callers.drawn(self.rng, len(self.asks), self.api_key, crowd=self.temper.crowd))

    def _serve(self, ask: Ask) -> None:
        replica = self.rng.choice(self.replicas)
        if ask not in self.asks:
            self.asks.append(ask)
        self.note(f"{ask} to {replica}: {ask.path} {ask.body.decode()}")
        task = replica.run(callers.served(replica, ask))
        self.asking[task] = (ask, replica)
        task.add_done_callback(self.asking.pop)

    def _again(self) -> None:
        """Somebody repeats what was asked under a key, whether it was answered or not."""
        waits = [ask for ask, replica in self.asking.values() if ask.key and replica.frozen]
        keyed = waits or [ask for ask in self.asks if ask.key]
        if keyed and self._repeats:
            self._repeats -= 1
            self._serve(self.rng.choice(keyed))

    def _leave(self) -> None:
        stays = [task for task in self.asking if task not in self.left]
        awake = [task for task in stays if not self.asking[task][1].frozen]
        if awake:
            task = self.rng.choice(awake)
            self.note(f"{self.asking[task][0]} leaves")
            self.left.add(task)
            task.cancel()
            self._cut_off(lambda one: one.reply.cancelled())

    def _start(self) -> None:
        replica = Replica(self, len(self.replicas) + len(self.dead), self.rng.uniform(-2, 2))
        self.replicas.append(replica)
        replica.run(replica.gateway.start())

    def _crash(self) -> None:
        replica = self.rng.choice(self.replicas)
        self.note(f"{replica} is killed")
        self.replicas.remove(replica)
        self.dead.append(replica)
        replica.kill()
        self._cut_off(lambda one: one.owner is replica)
        self._start()

    def _cut_off(self, whose: Callable[[Crossing], bool]) -> None:
        """What is on its way and nobody waits for any more: it arrives all the same, or it does not."""
        for one in [one for one in self.air.crossings if whose(one)]:
            kept = one.place == "meter" and not one.owner.dead
            if not one.done and not kept and self.rng.random() < 0.5:
                self.air.pop(one)
            elif one.done or one.place == "fetch":
                self.air.pop(one)
                if not one.done:
                    one.act()
                if one.failure is None:
                    one.lost(one.outcome)

    def _freeze(self) -> None:
        """A process stands still until the leases of its calls are over, and wakes to find what became of them."""
        # Gladly between a claim and its call, where it matters most.
        claims = [one.owner for one in self.air.crossings if "CLAIM(" in one.what]
        claiming = [replica for replica in self.replicas if replica in claims]
        replica = self.rng.choice(claiming or self.replicas)
        if replica.frozen:
            return
        self.note(f"{replica} is frozen")
        replica.freeze()
        for one in [one for one in self.air.crossings if one.owner is replica and not one.done]:
            one.act()
        asyncio.get_running_loop().create_task(
            self._thaw(replica, self.rng.choice((5.0, 150.0, 250.0)))
        )

    async def _thaw(self, replica: Replica, seconds: float) -> None:
        await self.clock.sleep(seconds)
        if not replica.dead:
            self.note(f"{replica} goes on")
            replica.thaw()

    def _fail_stores(self) -> None:
        self.outage = not self.outage
        self.note(f"the stores are {'out of reach' if self.outage else 'back'}")

    def _reconcile(self) -> None:
        for replica in self.rng.sample(self.replicas, self.rng.randint(1, len(self.replicas))):
            if not replica.frozen:
                replica.run(_passed(replica))

    def _wait(self, *, long: bool = False) -> None:
        """Time passes: a little, or, where nothing else can happen, more and more."""
        seconds = self.rng.choice((0.001, 0.1, 1.0, 4.0))
        if long:
            seconds, self._pause = self._pause, min(self._pause * 2, 30.0)
        self.clock.advance(seconds)
        self.meter.expire()

    async def _heal(self) -> None:
        """Nothing goes wrong any more: what is in the air lands, leases end, reconcilers pass, processes stop."""
        self.note("all is well again")
        self.healing, self.outage = True, False
        self.providers.trouble = 0.0
        for replica in self.replicas:
            replica.thaw()
        await self._land()
        for _ in range(HEALS):
            for _ in range(10):
                self.clock.advance(30.0)
                await self._land()
                self._failures += checks.quiet(self)
                self.meter.expire()
            for replica in self.replicas:
                replica.run(replica.reconciler.once())
            await self._land()
        for replica in self.replicas:
            replica.run(replica.gateway.stop())
        await self._land()

    async def _land(self) -> None:
        await self._quiet()
        while self.air.crossings:
            self._step(self.rng.choice(self.air.crossings))
            await self._quiet()

    def _check(self, *, at_rest: bool) -> None:
        found = checks.books(self, at_rest=at_rest)
        if found:
            raise Broken("\n".join(found))


async def _passed(replica: Replica) -> None:
    with suppress(Unavailable):  # the next pass goes on from there
        await replica.reconciler.once()
