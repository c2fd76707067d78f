"""One run: a gateway under load dies at a fail-point, another takes its place, and the books are compared with the bill."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from random import Random

from msgspec import structs

from load.fake_provider import FakeProvider
from penstock.config import Provider
from penstock.entry.settings import load
from penstock.platforms.http import Http
from penstock.upstream.reconcile import Done, Reconciler
from tests.crash import points
from tests.crash.asks import Ask, asks, probe
from tests.crash.audit import Case, Finding, Kind, audit
from tests.crash.books import Books, read_bill, read_books
from tests.crash.callers import Callers, Told
from tests.crash.config import configuration
from tests.crash.doomed import Ahead
from tests.crash.homes import Place
from tests.crash.points import Mode, Point
from tests.crash.process import Process

DEATH_SECONDS = 20.0
LEASE_SECONDS = 1_200.0
"""More than any lease of the tests' routes."""


@dataclass(frozen=True)
class Spec:
    """What happens in a run, all of it drawn from its seed: where it dies, what the provider tells, who ends its holds."""

    number: int
    seed: str
    point: Point
    mode: Mode
    passing: int
    turns: int
    first: Point | None
    by_itself: bool
    attempt: int
    """`first` is where the process before dies, if another does; `by_itself`: whether the next gateway's own reconciler ends
    the holds, its clock ahead, else one beside it; `attempt` counts loads that did not reach the point."""

    def __str__(self) -> str:
        own = "itself" if self.by_itself else "beside"
        return f"point={self.point.name} passing={self.passing} mode={self.mode} ended={own} seed={self.seed}"


def spec(seed: int, number: int, point: Point, attempt: int = 0) -> Spec:
    """The same for the same numbers; another attempt at a point that was not reached dies at its first passing."""
    name = f"{seed}:{number}" + (f":{attempt}" if attempt else "")
    random = Random(name)
    first = random.choice(points.first_of(point) or ("",))
    return Spec(
        number, name, point, random.choice(point.modes), 1 if attempt else random.randint(1, point.most),
        random.randint(0, 60), points.BY_NAME.get(first), random.random() < 0.5, attempt,
    )  # fmt: skip


@dataclass
class Result:
    """What came of a run: the fail-points where it died, and what is wrong."""

    spec: Spec
    died: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    asked: int = 0
    billed: int = 0

    @property
    def reached(self) -> bool:
        return self.spec.point.name in self.died

    @property
    def faults(self) -> list[str]:
        """All that is wrong, and that it did not die where it should."""
        found = [f"{kind}: {what}" for kind, what in self.findings]
        return found if self.reached else [*found, f"died at {self.died or 'no point'}"]


class Run:
    """One run's processes and what is known of them."""

    def __init__(self, spec: Spec, place: Place, fake: FakeProvider) -> None:
        self._spec = spec
        self._place = place
        self._fake = fake
        self._config = place.folder / "penstock.toml"
        self._crashed: list[Books] = []
        self._told: list[Told] = []
        self._repeats: list[Told] = []
        self.result = Result(spec)

    async def __call__(self) -> Result:
        spec = self._spec
        self._fake.reset()
        self._fake.fault("503", "0", path="/flaky")
        self._config.write_text(
            self._place.config + configuration(self._fake.url, looked_up=spec.mode != "silent")
        )
        serving = spec.first or spec.point
        if not await self._serve(serving) or (spec.first and not await self._next()):
            return self.result
        await self._recover()
        await self._judge()
        return self.result

    async def _serve(self, point: Point) -> bool:
        """The first process, killed under load at a serving point; whether it came to that."""
        passing = self._spec.passing if point is self._spec.point else min(point.most, 4)
        async with self._process(point, passing) as process:
            callers = Callers(process.url)
            crowd = asyncio.create_task(callers.crowd(asks(self._spec.seed), process.ended))
            died = await process.died_at(DEATH_SECONDS)
            await crowd
        self._told, self.result.asked = callers.told, len(callers.told)
        return await self._dead(process, died, point)

    async def _next(self) -> bool:
        """The second process, killed while it reconciles or while keys are repeated at it."""
        point = self._spec.point
        reconciling = point.when == "reconciling"
        options = ["--ahead", str(LEASE_SECONDS), *["--reconciling"] * reconciling]
        async with self._process(point, self._spec.passing, *options) as process:
            if not reconciling:
                await self._until_ended()
                await self._repeat(process)
            died = await process.died_at(DEATH_SECONDS)
        return await self._dead(process, died, point)

    async def _recover(self) -> None:
        """The last process: it serves, keys are repeated at it, every hold is ended, and it stops in order."""
        if self._spec.mode == "late":
            await self._reconcile(LEASE_SECONDS, silent=True)
        ahead = 2 * LEASE_SECONDS if self._spec.by_itself else 0.0
        async with AsyncExitStack() as stack:
            process = await stack.enter_async_context(self._process(None, 1, "--ahead", str(ahead)))
            if self._spec.by_itself:
                await self._until_ended()
            [served] = await Callers(process.url).each([probe(self._spec.number)])
            if served.status != 200:
                self._find("stuck", f"the next gateway answers {served.status} {served.broke}")
            self._repeats = await self._repeat(process)
            if not self._spec.by_itself:
                await self._reconcile(3 * LEASE_SECONDS)
            await process.stop()
        self._complain(process)
        await self._reconcile(4 * LEASE_SECONDS)
        again = await self._reconcile(4 * LEASE_SECONDS)
        if again.ended or again.corrected:
            self._find("wrong", f"reconciled twice: {again}")

    async def _judge(self) -> None:
        bill = read_bill(self._fake)
        self.result.billed = sum(1 for call in bill if call.charged)
        case = Case(
            self._spec.mode, self._crashed, await self._books(), bill, self._told, self._repeats,
            late=self._spec.by_itself,
        )  # fmt: skip
        self.result.findings += audit(case)

    async def _repeat(self, process: Process) -> list[Told]:
        """Every request under a key once more."""
        keyed: list[Ask] = [told.ask for told in self._told if told.ask.key]
        return await Callers(process.url).each(keyed)

    async def _until_ended(self) -> None:
        """Until the gateway's own reconciler has left no hold open: another process sends no event."""
        async with asyncio.timeout(DEATH_SECONDS), self._place.tables() as tables:
            while (await read_books(tables)).open:  # noqa: ASYNC110 - its events are in another process
                await asyncio.sleep(0.01)  # between two looks

    async def _reconcile(self, ahead: float, *, silent: bool = False) -> Done:
        """A pass beside the gateway, after the leases' end; `silent`: as if no provider could be asked."""
        providers: Mapping[str, Provider] = load(str(self._config), {}).config.providers
        if silent:
            providers = {
                name: structs.replace(one, usage_lookup="") for name, one in providers.items()
            }
        http = Http()
        try:
            async with self._place.tables() as tables:
                return await Reconciler(tables, http, Ahead(ahead), providers).once()
        finally:
            await http.close()

    async def _dead(self, process: Process, died: str, point: Point) -> bool:
        self._complain(process)
        if died:
            self.result.died.append(died)
        # All that was on its way is with the provider, so that nothing is asked of it too early.
        read_bill(self._fake)
        self._crashed.append(await self._books())
        return died == point.name

    async def _books(self) -> Books:
        async with self._place.tables() as tables:
            return await read_books(tables)

    def _process(self, point: Point | None, passing: int, *options: str) -> Process:
        fatal: tuple[str, ...] = ()
        if point is not None:
            turns = str(self._spec.turns)
            fatal = ("--point", point.name, "--passing", str(passing), "--turns", turns)
        return Process(self._config, *fatal, *options)

    def _complain(self, process: Process) -> None:
        for line in process.complaints:
            self._find("wrong", line)

    def _find(self, kind: Kind, what: str) -> None:
        self.result.findings.append(Finding(kind, what))
