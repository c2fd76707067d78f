"""Single-flight: equal misses make one request where its reply may be shared, and none waits for what is not its own."""

from __future__ import annotations

import asyncio

import pytest

from penstock.cache.http.flights import MOST_REMEMBERED, REMEMBERED_SECONDS, Flights
from penstock.errors import Broken
from penstock.platforms.memory.world import FakeClock
from penstock.wire.http import Request, Response
from tests.unit.cache.http.scene import Parts, Scene, get, reply


class Gate:
    """An origin that answers once it is told to."""

    def __init__(self, *answers: Response | Exception) -> None:
        self.answers = list(answers)
        self.open = asyncio.Event()

    async def __call__(self, request: Request) -> Response:
        await self.open.wait()
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return Response(answer.status, answer.headers, answer.body)


async def turns(count: int = 20) -> None:
    """What is ready runs."""
    for _ in range(count):
        await asyncio.sleep(0)


async def together(scene: Scene, gate: Gate, *requests: Request) -> list[Response]:
    """All of them at once, and then the origin answers."""
    tasks = [asyncio.create_task(scene(request)) for request in requests]
    await turns()
    gate.open.set()
    return [*await asyncio.gather(*tasks)]


async def test_equal_misses_make_one_request() -> None:
    gate = Gate(reply())
    scene = Scene(gate)
    replies = await together(scene, gate, get(), get(), get())
    assert [one.body for one in replies] == [b"hello"] * 3
    assert len(scene.asked) == 1
    said = [one.header("cache-status") or "" for one in replies]
    assert ["collapsed" in one for one in said] == [False, True, True]


async def test_a_stream_is_read_by_all_as_it_comes() -> None:
    parts = asyncio.Semaphore(0)
    source = Parts(b"ab", b"cd", gate=parts)
    gate = Gate(Response(200, [("cache-control", "max-age=60")], source))
    scene = Scene(gate)
    tasks = [asyncio.create_task(scene.cache(get())) for _ in range(2)]
    await turns()
    gate.open.set()
    leader, follower = await asyncio.gather(*tasks)
    late = await scene.cache(get())
    parts.release()
    bodies = [one.body for one in (leader, follower, late)]
    assert not any(isinstance(body, bytes) for body in bodies)
    assert [await anext(body) for body in bodies] == [b"ab"] * 3  # type: ignore[arg-type]  # asserted above
    await leader.aclose()
    parts.release()
    parts.release()
    assert [part async for part in bodies[1]] == [b"cd"]  # type: ignore[union-attr]  # asserted above
    await follower.aclose()
    assert not source.closed
    await late.aclose()
    assert source.closed
    assert (await scene(get())).body == b"abcd"
    assert len(scene.asked) == 1


async def test_a_follower_s_condition_is_answered_by_the_head() -> None:
    source = Parts(b"ab")
    gate = Gate(Response(200, [("cache-control", "max-age=60"), ("etag", '"1"')], source))
    scene = Scene(gate)
    leader = asyncio.create_task(scene(get()))
    await turns()
    gate.open.set()
    assert (await leader).body == b"ab"
    assert (await scene(get(if_none_match='"1"'))).status == 304


async def test_stale_entries_are_asked_about_once() -> None:
    gate = Gate(reply(etag='"1"'), reply("max-age=60", b"", 304))
    scene = Scene(gate)
    gate.open.set()
    await scene(get())
    scene.clock.advance(61)
    gate.open.clear()
    replies = await together(scene, gate, get(), get(if_none_match='"1"'), get())
    assert [one.status for one in replies] == [200, 304, 200]
    assert len(scene.asked) == 2


@pytest.mark.parametrize("control", ["private, max-age=60", "no-store", None])
async def test_what_may_not_be_shared_is_fetched_by_each(control: str | None) -> None:
    gate = Gate(reply(control))
    scene = Scene(gate)
    await together(scene, gate, get(), get(), get())
    assert len(scene.asked) == 3


async def test_of_a_place_whose_reply_could_not_be_kept_nobody_waits_for_a_while() -> None:
    gate = Gate(reply("no-store"))
    scene = Scene(gate)
    gate.open.set()
    await scene(get())
    gate.open.clear()
    tasks = [asyncio.create_task(scene(get())) for _ in range(3)]
    await turns()
    assert len(scene.asked) == 4
    gate.open.set()
    await asyncio.gather(*tasks)
    scene.clock.advance(REMEMBERED_SECONDS + 1)
    gate.open.clear()
    tasks = [asyncio.create_task(scene(get())) for _ in range(3)]
    await turns()
    assert len(scene.asked) == 5
    gate.open.set()
    await asyncio.gather(*tasks)


async def test_what_the_leader_got_for_its_own_headers_is_not_the_follower_s() -> None:
    async def origin(request: Request) -> Response:
        await gate.open.wait()
        return reply(body=(request.header("accept") or "").encode(), vary="accept")

    gate = Gate(reply())
    scene = Scene(origin)
    replies = await together(scene, gate, get(accept="a"), get(accept="b"), get(accept="a"))
    assert [one.body for one in replies] == [b"a", b"b", b"a"]
    assert len(scene.asked) == 2


async def test_owners_do_not_join_each_other() -> None:
    gate = Gate(reply())
    scene = Scene(gate)
    asked = [get(authorization=f"Bearer {who}") for who in "aabb"]
    await together(scene, gate, *asked)
    assert len(scene.asked) == 2


@pytest.mark.parametrize(
    "request_",
    [
        get(range="bytes=0-1"),
        get(if_none_match='"1"'),
        get(cache_control="no-cache"),
        get(method="HEAD"),
    ],
)
async def test_what_wants_something_of_its_own_goes_itself(request_: Request) -> None:
    gate = Gate(reply())
    scene = Scene(gate)
    await together(scene, gate, get(), request_)
    assert len(scene.asked) == 2


async def test_a_failure_is_everyone_s() -> None:
    gate = Gate(Broken())
    scene = Scene(gate)
    tasks = [asyncio.create_task(scene(get())) for _ in range(3)]
    await turns()
    gate.open.set()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(one) for one in outcomes] == [Broken] * 3
    assert len({id(one) for one in outcomes}) == 3
    assert len(scene.asked) == 1


async def test_where_the_leader_leaves_one_of_the_others_leads() -> None:
    gate = Gate(reply())
    scene = Scene(gate)
    tasks = [asyncio.create_task(scene(get())) for _ in range(3)]
    await turns()
    tasks[0].cancel()
    await turns()
    assert len(scene.asked) == 2
    gate.open.set()
    replies = await asyncio.gather(*tasks[1:])
    assert [one.body for one in replies] == [b"hello"] * 2
    assert len(scene.asked) == 2


async def test_where_the_leader_leaves_with_the_head_the_others_go_on_without_it() -> None:
    """Its stream was closed before anyone joined it: the next one asks again."""
    gate = Gate(
        Response(200, [("cache-control", "max-age=60")], Parts(b"ab")), reply(body=b"again")
    )
    scene = Scene(gate)

    async def leave() -> None:
        await (await scene.cache(get())).aclose()

    leader = asyncio.create_task(leave())
    await turns()
    follower = asyncio.create_task(scene(get()))
    await turns()
    gate.open.set()
    await leader
    assert (await follower).body in (b"ab", b"again")
    assert (await scene(get())).body in (b"ab", b"again")


async def test_nobody_waits_longer_than_for_a_first_byte() -> None:
    gate = Gate(reply())
    scene = Scene(gate)
    tasks = [asyncio.create_task(scene(get())) for _ in range(2)]
    await scene.clock.run(59)
    assert len(scene.asked) == 1
    await scene.clock.run(2)
    await turns()
    assert len(scene.asked) == 2
    gate.open.set()
    await asyncio.gather(*tasks)


async def test_where_requests_may_not_wait_for_each_other_none_does() -> None:
    gate = Gate(reply())
    scene = Scene(gate, joins=False)
    await together(scene, gate, get(), get())
    assert len(scene.asked) == 2


async def test_nothing_is_left_of_a_flight() -> None:
    gate = Gate(reply(), Broken(), reply("no-store"))
    scene = Scene(gate)
    gate.open.set()
    for target in ("/a", "/b", "/c"):
        await asyncio.gather(scene(get(target)), return_exceptions=True)
    assert scene.flights is not None
    assert scene.flights._open == {}


async def test_a_place_whose_reply_can_be_kept_again_is_waited_for_again() -> None:
    """Else one failure of an origin would let all come at once for as long as that is remembered."""
    gate = Gate(Response(500, [], b""), reply("max-age=1"))
    scene = Scene(gate)
    gate.open.set()
    assert [(await scene(get())).status for _ in range(2)] == [500, 200]
    scene.clock.advance(90 - REMEMBERED_SECONDS)
    gate.open.clear()
    await together(scene, gate, get(), get(), get())
    assert len(scene.asked) == 3


def test_useless_places_are_remembered_for_a_while_and_not_all_of_them() -> None:
    clock = FakeClock()
    flights = Flights(clock.tick)
    for number in range(MOST_REMEMBERED + 1):
        flights.useless(str(number))
    assert [flights.alone(name) for name in ("0", "1", str(MOST_REMEMBERED))] == [False, True, True]
    clock.advance(REMEMBERED_SECONDS)
    assert not flights.alone("1")
