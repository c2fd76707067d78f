"""Work on documents that is cut off anywhere, fails, or meets its document's end: nothing half-done is ever found."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from penstock.errors import Unavailable
from penstock.gateway.ingest import AGAIN_MS
from penstock.gateway.upkeep import upkeep
from penstock.rag.documents import KEPT_FAILED_MS, LEASE_MS
from penstock.wire.http import JSON, Response
from tests.path.documents import DOCUMENTS, LONG, Documents, Halting
from tests.path.world import body, read

LEASE = LEASE_MS / 1000
BUDGET = '[[budgets]]\nper = "user"\nperiod = "day"\nmoney = "0.000001"\n'


async def the_one(world: Documents) -> Any:
    [told] = (await body(await world.get(DOCUMENTS)))["documents"]
    return told


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("at", [1, 2])
@pytest.mark.parametrize("dense", [False, True])
async def test_a_crash_in_the_middle_is_taken_up_once_the_lease_is_over(
    at: int, after: bool, dense: bool
) -> None:
    world = Documents(dense=dense)
    await world.killed(await world.halted(Halting(world.index, at, after=after)))
    assert await world.found("walrus") == []
    await world.upkeep()
    assert (await the_one(world))["status"] == "embedding"
    world.platform.clock.advance(LEASE + 1)
    await world.upkeep()
    told = await the_one(world)
    assert told["status"] == "ready"
    counts = await world.counts()
    assert counts == {"entries": told["chunks"], "documents": 1, "passages": told["chunks"]}
    assert await world.found("walrus number 299 clams", topK=1) == ["long.txt"]


async def test_what_was_embedded_before_the_crash_is_not_bought_again() -> None:
    world = Documents(dense=True)
    await world.killed(await world.halted(Halting(world.index, 2)))
    asked = world.asked
    world.platform.clock.advance(LEASE + 1)
    await world.upkeep()
    texts = world.asked
    assert len(texts) > len(asked) > 0
    assert len(texts) == len(set(texts)) == (await the_one(world))["chunks"]
    rows = [
        row[:2] for row in await world.ledger("owner, ended, amount_nanos") if row[2] and row[1]
    ]
    assert rows == [("default/alice", "settled")] * -(-len(texts) // 50)


async def test_three_tries_and_no_more() -> None:
    world = Documents()
    for _ in range(3):
        halting = Halting(world.index)
        if await world.states():
            world.on(index=halting, tables=world.mortal)
            world.mortal.dead = False
            work = asyncio.create_task(world.upkeep())
            await halting.reached.wait()
        else:
            work = await world.halted(halting)
        await world.killed(work)
        world.platform.clock.advance(LEASE + 1)
    await world.upkeep()
    told = await the_one(world)
    assert (told["status"], told["reason"]) == ("failed", "document_interrupted")
    assert "send it again" in told["message"]
    assert await world.counts() == {"entries": 0, "documents": 1, "passages": 0}


async def test_a_stop_leaves_its_work_for_the_next_start_at_once() -> None:
    world = Documents()
    halting = Halting(world.index, 2)
    sent = await world.halted(halting)
    await world.gateway.stop()
    sent.cancel()
    await asyncio.gather(sent, return_exceptions=True)
    world.on(index=world.index)
    await world.upkeep()
    assert (await the_one(world))["status"] == "ready"


async def test_what_waits_when_a_process_stops_is_the_next_ones() -> None:
    world = Documents("[rag]\nat_once = 1\n")
    halting = Halting(world.index)
    first = await world.halted(halting)
    second = asyncio.create_task(world.put("Another text.", "other.txt"))
    await world.until(lambda states: states.count("queued") == 1)
    await world.gateway.stop()
    for one in (first, second):
        one.cancel()
    await asyncio.gather(first, second, return_exceptions=True)
    world.on(index=world.index)
    for _ in range(2):  # a Worker's pass works on one
        await world.upkeep()
    assert await world.states() == ["ready", "ready"]


async def test_a_long_one_goes_on_behind_its_reply() -> None:
    world = Documents()
    halting = Halting(world.index)
    sent = await world.halted(halting)
    await world.platform.clock.run(11)
    response = await sent
    told = await body(response)
    assert (response.status, told["status"], told["chunks"]) == (202, "embedding", 0)
    again = asyncio.create_task(world.put(LONG, "long.txt", token=world.token(tier="pro")))
    await world.platform.clock.run(11)
    assert (await again).status == 202
    halting.go.set()
    await world.settled()
    assert (await world.document(told["documentId"]))["status"] == "ready"
    assert (await world.put(LONG, "long.txt", token=world.token(tier="pro"))).status == 200


async def test_it_is_found_only_once_it_is_ready() -> None:
    world = Documents()
    await world.put("An earlier walrus.", "early.txt")
    halting = Halting(world.index, 2)
    sent = await world.halted(halting)
    assert (await world.index.describe()).entries > 50
    assert await world.found("walrus") == ["early.txt"]
    halting.go.set()
    assert (await sent).status == 201
    assert "long.txt" in await world.found("walrus number 7")


@pytest.mark.parametrize("at", [1, 2])
async def test_a_document_is_deleted_while_it_is_worked_on(at: int) -> None:
    world = Documents()
    halting = Halting(world.index, at)
    sent = await world.halted(halting)
    id = (await the_one(world))["documentId"]
    assert (await world.delete(id)).status == 204
    await world.platform.clock.run(2)
    assert (await sent).status == 404
    assert await world.found("walrus") == []
    world.platform.clock.advance(3 * LEASE)
    await world.upkeep()
    assert await world.counts() == {"entries": 0, "documents": 0, "passages": 0}
    assert await world.platform.blobs.get(f"documents/{id}/0") is None


async def test_whoever_still_writes_of_a_deleted_document_leaves_nothing_behind() -> None:
    world = Documents()
    halting = Halting(world.index, 2)
    sent = await world.halted(halting)
    first = world.gateway
    id = (await the_one(world))["documentId"]
    world.on()  # another process, which cannot stop the first one's work
    assert (await world.delete(id)).status == 204
    halting.go.set()
    await asyncio.gather(sent, return_exceptions=True)
    await world.settled()
    assert first is not world.gateway
    assert await world.found("walrus") == []
    world.platform.clock.advance(3 * LEASE)
    await world.upkeep()
    assert await world.counts() == {"entries": 0, "documents": 0, "passages": 0}


async def test_a_lease_is_renewed_as_long_as_work_goes_on() -> None:
    world = Documents()
    halting = Halting(world.index)
    sent = await world.halted(halting)
    await world.platform.clock.run(3 * LEASE)
    assert (await sent).status == 202
    await upkeep(world.gateway)
    halting.go.set()
    await world.settled()
    assert (await the_one(world))["status"] == "ready"
    ((tries,),) = await world.platform.tables.rows("select tries from documents")
    assert tries == 1


async def test_out_of_budget_it_fails_with_that_reason_and_nothing_is_left() -> None:
    world = Documents(BUDGET, dense=True)
    response = await world.put(LONG, token=world.token(tier="pro"))
    told = await body(response)
    assert (response.status, told["code"]) == (429, "insufficient_quota")
    assert (await world.document(told["documentId"]))["reason"] == "insufficient_quota"
    assert await world.counts() == {"entries": 0, "documents": 1, "passages": 0}
    assert await world.platform.blobs.get(f"documents/{told['documentId']}/0") is None
    assert world.platform.fetch.requests == []


async def test_a_target_that_fails_is_asked_again_later_three_times() -> None:
    world = Documents(dense=True)
    down = Response(503, [JSON], b'{"error":{"message":"down"}}')
    world.fails = [down] * 100
    sent = asyncio.create_task(world.put("A walrus."))
    await world.platform.clock.run(11)
    assert (await sent).status == 202
    await world.platform.clock.run(AGAIN_MS / 1000)
    await world.upkeep()
    assert (await the_one(world))["status"] == "embedding"
    await world.platform.clock.run(2 * AGAIN_MS / 1000)
    await world.upkeep()
    told = await the_one(world)
    assert told["status"] == "failed"
    assert told["reason"].startswith("upstream_")


async def test_a_target_that_comes_back_makes_it_ready() -> None:
    world = Documents(dense=True)
    world.fails = [Response(503, [JSON], b"{}")] * 3
    sent = asyncio.create_task(world.put("A walrus."))
    await world.platform.clock.run(11)
    assert (await sent).status == 202
    world.fails = []
    await world.platform.clock.run(AGAIN_MS / 1000)
    await world.upkeep()
    assert (await the_one(world))["status"] == "ready"


async def test_a_failed_one_is_tried_anew_and_does_not_count() -> None:
    world = Documents("[tiers.free]\ndocuments = 1\n")
    assert (await world.send(b"\x89PNG\r\n\0\0\0\0", "walrus.txt")).status == 422
    assert (await world.put("x", "x.pdf")).status == 201
    first = (await the_one_of(world, "ready"))["documentId"]
    assert (await world.send(b"\x89PNG\r\n\0\0\0\0", "walrus.txt")).status == 403
    await world.delete(first)
    told = await body(await world.send(b"\x89PNG\r\n\0\0\0\0", "walrus.txt"))
    assert told["code"] == "document_unsupported"
    assert (await the_one(world))["documentId"] == told["documentId"]


async def the_one_of(world: Documents, state: str) -> Any:
    told = (await body(await world.get(DOCUMENTS)))["documents"]
    return next(one for one in told if one["status"] == state)


async def test_what_failed_is_forgotten_after_a_week() -> None:
    world = Documents()
    assert (await world.send(b"\0\0\0", "x.txt")).status == 422
    hour = 3600 - world.platform.clock.now() % 3600
    world.platform.clock.advance(hour + KEPT_FAILED_MS / 1000 - 3600)
    await world.upkeep()
    assert await world.states() == ["failed"]
    world.platform.clock.advance(3600)
    await world.upkeep()
    await world.upkeep()
    assert await world.states() == []


async def test_no_more_wait_than_the_operator_allows() -> None:
    world = Documents("[rag]\nat_once = 1\nmax_waiting = 2\n")
    halting = Halting(world.index)
    sent = [await world.halted(halting)]
    sent.append(asyncio.create_task(world.put("Another text.", "other.txt")))
    await world.until(lambda states: len(states) == 2)
    refused = await world.put("One more text.", "more.txt")
    assert (refused.status, (await body(refused))["code"]) == (503, "overloaded")
    halting.go.set()
    await asyncio.gather(*sent)


async def test_one_owners_many_documents_hold_up_nobodys_first() -> None:
    world = Documents(
        "[rag]\nat_once = 1\n[tiers.free]\ndocuments = 100\n[limits]\nother = '1000/h'\n"
    )
    halting = Halting(world.index)
    sent = [await world.halted(halting)]
    many = [asyncio.create_task(world.put(f"Text {n}.", f"{n}.txt")) for n in range(20)]
    await world.until(lambda states: len(states) == 21)
    bobs = asyncio.create_task(world.put("Bob's.", "bob.txt", token=world.token("bob")))
    await world.until(lambda states: len(states) == 22)
    before: list[int] = []
    bobs.add_done_callback(lambda _: before.append(sum(one.done() for one in many)))
    halting.go.set()
    await asyncio.gather(*sent, *many, bobs)
    assert await world.states() == ["ready"] * 22
    assert before[0] <= 2


class Full:
    """Blobs without room."""

    async def put(self, key: str, value: bytes, ttl: float) -> None:
        raise Unavailable("There is no room.")

    async def get(self, key: str) -> bytes | None:
        return None

    async def delete(self, key: str) -> None:
        return None


async def test_without_room_for_the_original_it_fails_and_says_so() -> None:
    world = Documents()
    blobs = world.platform.blobs
    world.on(blobs=Full())
    assert (await world.put()).status == 503
    assert (await the_one(world))["status"] == "failed"
    world.on(blobs=blobs)
    assert (await world.put()).status == 201


async def test_a_search_goes_on_by_words_where_the_model_does_not_answer() -> None:
    world = Documents(dense=True)
    assert (await world.put()).status == 201
    world.fails = [Response(503, [JSON], b"{}")] * 10
    asked = asyncio.create_task(world.search("walrus"))
    await world.platform.clock.run(30)
    told = await asked
    assert told["lexicalOnly"] is True
    assert len(told["results"]) == 1


async def test_a_key_is_done_once() -> None:
    world = Documents(dense=True)
    key = [("idempotency-key", "one")]
    first = await world.put(headers=key)
    second = await world.put(headers=key)
    assert (first.status, second.status) == (201, 201)
    assert await read(first) == await read(second)
    assert second.header("x-penstock-replayed") is not None
    assert (await world.put("Another.", headers=key)).status == 422


class Stuck:
    """Blobs that take one piece, and then no more until the caller is gone."""

    def __init__(self, blobs: Any, pieces: int) -> None:
        self._blobs = blobs
        self._left = pieces
        self.reached = asyncio.Event()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._blobs, name)

    async def put(self, key: str, value: bytes, ttl: float) -> None:
        if not self._left:
            self.reached.set()
            await asyncio.Event().wait()
        self._left -= 1
        await self._blobs.put(key, value, ttl)


async def test_who_leaves_before_the_bytes_are_kept_leaves_a_document_that_failed() -> None:
    world = Documents("[tiers.free]\ndocuments = 1\ndocument_bytes = 3_000_000\n")
    blobs, stuck = world.platform.blobs, Stuck(world.platform.blobs, 1)
    world.on(blobs=stuck)
    sent = asyncio.create_task(world.send(b"A walrus. " * 200_000))
    await stuck.reached.wait()
    sent.cancel()
    await asyncio.gather(sent, return_exceptions=True)
    world.on(blobs=blobs)
    await world.upkeep()
    assert await world.states() == ["queued"]
    world.platform.clock.advance(LEASE + 1)
    await world.upkeep()
    told = await the_one(world)
    assert (told["status"], told["reason"]) == ("failed", "document_interrupted")
    assert (await world.put()).status == 201
