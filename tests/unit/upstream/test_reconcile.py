"""Expired holds end exactly once, as their own process would have ended them; late truths correct estimates."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.config import Deployment, Provider
from penstock.errors import Conflict, NotSent, Unavailable
from penstock.ledger import book, reports
from penstock.ledger.budgets import Held
from penstock.limits import ending
from penstock.limits.hold import Hold
from penstock.platforms import memory
from penstock.platforms.memory import MemoryPlatform
from penstock.prices import amount_nanos
from penstock.upstream import reconcile
from penstock.upstream.reconcile import Done, Reconciler
from penstock.wire.chat import Usage
from penstock.wire.http import Request, Response
from tests.unit.limits.test_hold import MOST, NEURONS, PRICE, USED, account, offer, rows

LOOKED_UP = {
    "p": Provider(
        kind="openai", base_url="http://x.test/v1", api_key="sk", usage_lookup="/usage/{id}"
    )
}
ALONE = {"p": Provider(kind="openai", base_url="http://x.test/v1")}
LEASE = 601.0 + 60.0


class Books:
    """What the provider says of each mark: a usage, None for what it never took, or a failure."""

    def __init__(self, said: dict[str, Any] | None = None) -> None:
        self.said = said or {}
        self.asked: list[Request] = []

    def __call__(self, request: Request) -> Response:
        self.asked.append(request)
        mark = request.target.decode().rpartition("/")[2]
        said = self.said.get(mark)
        if isinstance(said, Exception):
            raise said
        if isinstance(said, Usage):
            usage = {"prompt_tokens": said.input, "completion_tokens": said.output}
            return Response(200, (), json.dumps({"usage": usage}).encode())
        if isinstance(said, bytes):
            return Response(200, (), said)
        return Response(404, (), b"{}")


def reconciler(platform: MemoryPlatform, providers: dict[str, Provider] = ALONE) -> Reconciler:
    return Reconciler(platform.tables, platform.fetch, platform.clock, providers)


async def crashed(platform: MemoryPlatform, number: int = 1, attempts: int = 1) -> Hold:
    """A hold whose process ended after so many attempts were dispatched."""
    hold = Hold(platform.tables, platform.meter, platform.clock, account(number), 1_000_000, None)
    await hold.open(offer(), 600, MOST)
    for attempt in range(1, attempts + 1):
        await hold.dispatch(attempt, offer(), MOST)
    return hold


async def reserved(platform: MemoryPlatform, number: int = 1) -> None:
    now = int(platform.clock.now() * 1000)
    await platform.tables.batch(book.reserve(account(number), now, now + 660_000, 1_000_000))


async def test_a_look_up_asks_each_deployment_until_one_knows_the_call() -> None:
    def books(request: Request) -> Response:
        if b"b.test" not in request.target:
            return Response(404, (), b"{}")
        assert request.header("authorization") == "Bearer sk-b"
        usage = {"prompt_tokens": USED.input, "completion_tokens": USED.output}
        return Response(200, (), json.dumps({"usage": usage}).encode())

    several = Provider(
        kind="openai",
        base_url="http://x.test/v1",
        usage_lookup="/usage/{id}",
        deployments=tuple(
            Deployment(url=f"http://{name}.test/v1", key=f"sk-{name}") for name in "abc"
        ),
    )
    platform = memory.platform(books)
    await crashed(platform)
    platform.clock.advance(LEASE)
    assert (await reconciler(platform, {"p": several}).once()).settled == 1
    hosts = [request.target.decode().split("/")[2] for request in platform.fetch.requests]
    assert hosts == ["a.test", "b.test"]


async def test_a_running_hold_is_left_alone() -> None:
    platform = memory.platform()
    await crashed(platform)
    platform.clock.advance(LEASE - 2)
    assert await reconciler(platform).once() == Done()


async def test_what_was_never_dispatched_is_released() -> None:
    platform = memory.platform()
    await reserved(platform)
    platform.clock.advance(LEASE)
    assert (await reconciler(platform).once()).released == 1
    assert (await rows(platform))[-1] == (0, "final", "released", 0)


async def test_without_a_look_up_it_is_estimated_as_its_own_process_would_have() -> None:
    crash, alive = memory.platform(), memory.platform()
    await crashed(crash)
    own = await crashed(alive)
    await own.close()
    crash.clock.advance(LEASE)
    assert (await reconciler(crash).once()).estimated == 1
    columns = (
        "select request_id, attempt, stage, ended, owner, tenant, sub, key_id, route, service, provider, model,"
        " target, input, cached_input, cache_write, output, reasoning, amount_nanos, cache"
        " from ledger where stage = 'final'"
    )
    assert await crash.tables.rows(columns) == await alive.tables.rows(columns)


async def test_a_row_without_a_bound_is_estimated_at_its_reserve() -> None:
    platform = memory.platform()
    await crashed(platform)
    await platform.tables.batch(("update ledger set input = 0, output = 0", ()))
    platform.clock.advance(LEASE)
    await reconciler(platform).once()
    assert (await rows(platform))[-1] == (1, "final", "estimated", 1_000_000)


async def test_free_neurons_are_taken_by_an_estimate_too() -> None:
    platform = memory.platform()
    hold = Hold(platform.tables, platform.meter, platform.clock, account(1), 1_000_000, None)
    await hold.open(offer(NEURONS, free=10_000), 600, MOST)
    platform.clock.advance(LEASE)
    at = {"p": Provider(kind="workers_ai", account="acc", free_neurons_per_day=10_000)}
    await reconciler(platform, at).once()
    assert (await rows(platform))[-1] == (1, "final", "estimated", 0)
    assert await platform.tables.rows("select account, used > 0 from allotments") == [
        ("workers_ai:acc", 1)
    ]


@pytest.mark.parametrize(
    ("said", "ended", "amount"),
    [
        ({"req_1.1": USED}, "settled", amount_nanos(PRICE, USED)),
        ({"req_1.2": USED}, "settled", amount_nanos(PRICE, USED)),
        ({"req_1.1": USED, "req_1.2": MOST}, "settled", amount_nanos(PRICE, USED) + amount_nanos(PRICE, MOST)),
        ({}, "released", 0),
        ({"req_1.1": Usage()}, "released", 0),
        ({"req_1.1": USED, "req_1.2": NotSent("Down.")}, "estimated", amount_nanos(PRICE, MOST)),
        ({"req_1.1": b'{"usage": null}'}, "estimated", amount_nanos(PRICE, MOST)),
        ({"req_1.1": b"<html>"}, "estimated", amount_nanos(PRICE, MOST)),
    ],
)  # fmt: skip
async def test_the_provider_is_asked_by_each_attempts_mark(
    said: dict[str, Any], ended: str, amount: int
) -> None:
    books = Books(said)
    platform = memory.platform(books)
    await crashed(platform, attempts=2)
    platform.clock.advance(LEASE)
    await reconciler(platform, LOOKED_UP).once()
    assert (await rows(platform))[-1] == (2, "final", ended, amount)
    assert books.asked[0].target == b"http://x.test/v1/usage/req_1.1"
    assert books.asked[0].header("authorization") == "Bearer sk"


async def test_a_provider_that_is_down_is_not_asked_for_each_hold() -> None:
    books = Books({f"req_{number}.1": NotSent("Down.") for number in range(20)})
    platform = memory.platform(books)
    for number in range(20):
        await crashed(platform, number)
    platform.clock.advance(LEASE)
    assert (await reconciler(platform, LOOKED_UP).once()).estimated == 20
    assert len(books.asked) == 3


async def test_a_late_truth_corrects_an_estimate_once_and_reports_add_up() -> None:
    books = Books({"req_1.1": NotSent("Down.")})
    platform = memory.platform(books)
    await crashed(platform)
    platform.clock.advance(LEASE)
    first, second = reconciler(platform, LOOKED_UP), reconciler(platform, LOOKED_UP)
    await first.once()
    books.said = {"req_1.1": USED}
    platform.clock.advance(86_000)
    assert (await first.once()).corrected == 1
    assert (await first.once()).corrected == (await second.once()).corrected == 0
    truth = amount_nanos(PRICE, USED)
    assert (await rows(platform))[-1] == (
        1,
        "correction",
        "settled",
        truth - amount_nanos(PRICE, MOST),
    )
    now = int(platform.clock.now() * 1000)
    for by in reports.BY:
        found = await reports.usage(platform.tables, owner=None, since=0, until=now + 1, by=by)
        assert found["totals"] == {
            "requests": 1,
            "tokens": USED.total,
            "cost_nanos": truth,
            "cached": 0,
        }


async def test_an_estimate_that_was_right_is_asked_for_once() -> None:
    books = Books({"req_1.1": USED})
    platform = memory.platform(books)
    hold = await crashed(platform)
    await hold.settle(Usage(input=USED.input, output=USED.output, estimated=True))
    platform.clock.advance(10)
    once = reconciler(platform, LOOKED_UP)
    assert (await once.once()).corrected == 1
    assert (await once.once()).corrected == 0
    assert len(books.asked) == 1
    assert (await rows(platform))[-1] == (1, "correction", "settled", 0)


async def test_estimates_are_asked_for_in_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconcile, "ESTIMATES", 2)
    books = Books({f"req_{number}.1": b'{"usage": null}' for number in range(3)})
    platform = memory.platform(books)
    for number in range(3):
        await (await crashed(platform, number)).close()
        platform.clock.advance(10)
    once = reconciler(platform, LOOKED_UP)
    await once.once()
    await once.once()
    asked = [request.target.decode()[-3:] for request in books.asked]
    assert asked == ["0.1", "1.1", "2.1"]


async def test_a_hold_that_outlived_its_lease_corrects_what_was_presumed() -> None:
    platform = memory.platform()
    hold = await crashed(platform)
    platform.clock.advance(LEASE)
    await reconciler(platform).once()
    assert await hold.settle(USED) == amount_nanos(PRICE, USED)
    assert [row[1:3] for row in await rows(platform)][-2:] == [
        ("correction", "settled"),
        ("final", "estimated"),
    ]
    found = await ending.standing(platform.tables, account(1))
    assert found is not None
    assert (found.amount, found.usage) == (amount_nanos(PRICE, USED), USED)


async def test_two_attempt_numbers_are_still_one_ending() -> None:
    platform = memory.platform()
    hold = await crashed(platform)
    await hold.settle(USED)
    what = ending.Bought(book.Charged("p", "m", "p/m"), PRICE)
    with pytest.raises(Conflict) as refused:
        await ending.write(
            platform.tables, ending.Ending(account(1), 1, 2, "estimated", 0, what, MOST)
        )
    assert refused.value.name == "ledger_final"


@given(st.lists(st.sampled_from(["open", "reserved", "ended"]), max_size=12), st.integers(1, 4))
async def test_pages_leave_nothing_out_whoever_runs_beside(kinds: list[str], page: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reconcile, "PAGE", page)
        platform = memory.platform()
        for number, kind in enumerate(kinds):
            if kind == "reserved":
                await reserved(platform, number)
            else:
                hold = await crashed(platform, number)
                if kind == "ended":
                    await hold.settle(USED)
        platform.clock.advance(LEASE)
        both = reconciler(platform), reconciler(platform)
        done = await asyncio.gather(*(one.once() for one in both))
        assert sum(one.ended for one in done) == len(kinds) - kinds.count("ended")
        found = await platform.tables.rows("select count(*) from ledger where stage = 'final'")
        assert found == [(len(kinds),)]
        assert [(await one.once()).ended for one in both] == [0, 0]
        # What is reserved later is found by those that have been here before.
        await crashed(platform, 99)
        platform.clock.advance(LEASE)
        assert (await both[0].once()).ended == 1


async def test_tables_out_of_reach_end_the_pass_and_the_next_goes_on() -> None:
    platform = memory.platform()
    await crashed(platform)
    platform.clock.advance(LEASE)
    once = reconciler(platform)
    batch = platform.tables.batch

    async def refuse(*statements: Any) -> Any:
        raise Unavailable("Gone.")

    platform.tables.batch = refuse  # type: ignore[method-assign]  # a store that is down
    with pytest.raises(Unavailable):
        await once.once()
    platform.tables.batch = batch  # type: ignore[method-assign]  # and back
    assert (await once.once()).estimated == 1


@pytest.mark.parametrize("asked", ["once", "too late"])
@pytest.mark.parametrize("known", [True, False])
async def test_a_call_that_its_provider_denied_is_charged_by_its_own_process(
    known: bool, asked: str
) -> None:
    books = Books({} if asked == "once" else {"req_1.1": NotSent("Down.")})
    platform = memory.platform(books)
    held = (Held("user:day:nanos:u", 0, 10**15, "nanos", 10**9, 1_000_000),)
    hold = Hold(platform.tables, platform.meter, platform.clock, account(1), 1_000_000, None, held)
    await hold.open(offer(), 600, MOST)
    await hold.dispatch(1, offer(), MOST)
    platform.clock.advance(LEASE)
    # Released at once, or estimated and then corrected to nothing.
    once = reconciler(platform, LOOKED_UP)
    await once.once()
    books.said = {}
    platform.clock.advance(10)
    await once.once()
    assert await ending.stands_at(platform.tables, account(1)) == 0
    amount = amount_nanos(PRICE, USED if known else MOST)
    assert await (hold.settle(USED) if known else hold.close()) == amount
    assert await ending.stands_at(platform.tables, account(1)) == amount
    assert await platform.tables.rows("select reserved, spent from budgets") == [(0, amount)]
