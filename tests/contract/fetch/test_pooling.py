"""Which connections `Fetch` reuses, which it closes, and that it leaves none behind."""

from __future__ import annotations

import asyncio
import gc

import pytest

from penstock.errors import Broken, NotSent
from penstock.platforms.http import Http
from penstock.wire.http import Timeouts
from tests.contract.fetch.peer import (
    CHUNKED,
    END,
    HEAD,
    PATIENT,
    Call,
    Serve,
    always,
    chunk,
    content,
    get,
    peer,
    post,
    sized,
    until,
)


async def turns(count: int = 20) -> None:
    """Lets the loop see what has already happened."""
    for _ in range(count):
        await asyncio.sleep(0)


async def test_one_connection_serves_many_requests(http: Http) -> None:
    async with peer(always(sized(b"x"))) as target:
        for _ in range(20):
            assert await content(await http(post(target.url))) == b"x"
        assert target.calls == 1
        assert (http.busy, http.idle) == (0, 1)


async def test_500_at_once(http: Http) -> None:
    reply = CHUNKED + chunk(b"x" * 5_000) + END
    async with peer(always(reply[:99], reply[99:3_000], reply[3_000:])) as target:

        async def one(number: int) -> bytes:
            return await content(await http(post(target.url, b"%d" % number)))

        bodies = await asyncio.gather(*map(one, range(500)))
        assert bodies == [b"x" * 5_000] * 500
        assert http.busy == 0
        assert target.calls == http.idle <= 500
        await asyncio.gather(*map(one, range(500)))
        assert target.calls <= 500


@pytest.mark.parametrize(
    "reply",
    [
        HEAD + b"connection: close\r\ncontent-length: 1\r\n\r\nx",
        HEAD + b"Connection: Close, x\r\ncontent-length: 1\r\n\r\nx",
        b"HTTP/1.0 200 OK\r\ncontent-length: 1\r\n\r\nx",
        HEAD + b"keep-alive: timeout=1, max=9\r\ncontent-length: 1\r\n\r\nx",
        sized(b"x") + b"x",
        sized(b"x") + b"HTTP/1.1 200 O",
        sized(b"x") + sized(b"of another"),
    ],
)
async def test_what_is_not_kept(http: Http, reply: bytes) -> None:
    async with peer(always(reply)) as target:
        for calls in (1, 2):
            response = await http(post(target.url))
            assert (response.body, target.calls) == (b"x", calls)
            assert http.idle == 0


async def test_what_is_kept(http: Http) -> None:
    old = b"HTTP/1.0 200 OK\r\nconnection: keep-alive\r\ncontent-length: 1\r\n\r\nx"
    offer = sized(b"x", "keep-alive: timeout=60")
    for reply in (old, offer, b"HTTP/1.1 204 No Content\r\n\r\n"):
        async with peer(always(reply)) as target:
            await http(post(target.url))
            await http(post(target.url))
            assert target.calls == 1


async def test_bytes_between_replies_close(http: Http) -> None:
    more = asyncio.Event()

    async def serve(call: Call) -> None:
        await call.request()
        await call.send(sized(b"x"))
        await more.wait()
        await call.send(sized(b"for nobody"))
        await call.closed()
        more.clear()

    async with peer(serve) as target:
        await http(post(target.url))
        assert http.idle == 1
        more.set()
        await until(lambda: not more.is_set())
        assert http.idle == 0


async def test_a_close_seen_in_time_costs_nothing(http: Http) -> None:
    async def serve(call: Call) -> None:
        await call.request()
        await call.send(sized(b"x"))

    async with peer(serve) as target:
        for calls in range(1, 4):
            assert (await http(post(target.url))).body == b"x"
            assert target.calls == calls
            await until(lambda: not http.idle)


def closing_on_second(first: bytes = b"") -> Serve:
    """A target that answers the first request of each connection, and closes as the second one comes."""

    async def serve(call: Call) -> None:
        await call.request()
        await call.send(sized(b"x"))
        await call.request()
        await call.send(first)

    return serve


async def test_get_on_a_stale_connection_is_repeated(http: Http) -> None:
    async with peer(closing_on_second()) as target:
        for calls in (1, 2, 3):
            assert (await http(get(target.url))).body == b"x"
            assert target.calls == calls


async def test_post_on_a_stale_connection_is_not(http: Http) -> None:
    async with peer(closing_on_second()) as target:
        await http(post(target.url))
        with pytest.raises(Broken) as failed:
            await http(post(target.url))
        assert target.calls == 1
    assert failed.value.processed == "unknown"


async def test_get_that_was_answered_in_part_is_not(http: Http) -> None:
    async with peer(closing_on_second(b"HTTP/1.1 2")) as target:
        await http(get(target.url))
        with pytest.raises(Broken):
            await http(get(target.url))
        assert target.calls == 1


async def test_get_on_a_new_connection_is_not(http: Http) -> None:
    async def serve(call: Call) -> None:
        await call.request()

    async with peer(serve) as target:
        with pytest.raises(Broken):
            await http(get(target.url))
        assert target.calls == 1


async def test_kept_connections_expire() -> None:
    http = Http(kept_seconds=0.05)
    seen = asyncio.Event()

    async def serve(call: Call) -> None:
        await call.request()
        await call.send(sized(b"x"))
        await call.closed()
        seen.set()

    async with peer(serve) as target:
        await http(post(target.url))
        async with asyncio.timeout(5):
            await seen.wait()
        assert http.idle == 0
    await http.close()


class Waiting:
    """A target whose replies stop after `start`, and which tells when its client has gone."""

    def __init__(self, start: bytes) -> None:
        self.start = start
        self.came = asyncio.Event()
        self.left = asyncio.Event()

    async def __call__(self, call: Call) -> None:
        await call.request()
        try:
            await call.send(self.start)
            self.came.set()
            await call.closed()
        finally:
            self.left.set()


@pytest.mark.parametrize("start", [b"", HEAD, sized(b"abc")[:-1]])
async def test_cancelled_call_closes(http: Http, start: bytes) -> None:
    serve = Waiting(start)
    async with peer(serve) as target:
        task = asyncio.ensure_future(http(post(target.url)))
        await serve.came.wait()
        await turns()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        async with asyncio.timeout(5):
            await serve.left.wait()
        assert (http.busy, http.idle) == (0, 0)


async def test_cancelled_connecting_frees_its_place(http: Http) -> None:
    async with peer(always(sized(b"x"))) as target:
        for steps in range(12):
            task = asyncio.ensure_future(http(post(target.url)))
            await turns(steps)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await until(lambda: not http.busy)


@pytest.mark.parametrize("how", ["aclose unread", "aclose read", "forgotten", "cancelled"])
@pytest.mark.parametrize("size", [3, 4 << 20])
async def test_unwanted_body_closes(http: Http, how: str, size: int) -> None:
    serve = Waiting(CHUNKED + chunk(bytes(size)))
    async with peer(serve) as target:
        response = await http(post(target.url))
        body = response.body
        assert not isinstance(body, bytes)
        if how == "cancelled":

            async def read() -> None:
                await content(response)

            task = asyncio.ensure_future(read())
            await serve.came.wait()
            await turns()
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        if how == "aclose read":
            assert await anext(body)
        if how == "forgotten":
            del response, body
            gc.collect()
        else:
            await response.aclose()
            await response.aclose()
            with pytest.raises(StopAsyncIteration):
                await anext(body)
        async with asyncio.timeout(5):
            await serve.left.wait()
        assert (http.busy, http.idle) == (0, 0)


async def test_unread_end_does_not_hold_the_connection(http: Http) -> None:
    more = asyncio.Event()

    async def serve(call: Call) -> None:
        while await call.request():
            await call.send(CHUNKED + chunk(b"one"))
            await more.wait()
            await call.send(chunk(b"two") + END)

    async with peer(serve) as target:
        response = await http(post(target.url))
        more.set()
        await until(lambda: http.idle)
        await http(post(target.url))
        assert target.calls == 1
        assert await content(response) == b"onetwo"


async def test_places_are_bounded_and_handed_on_in_order() -> None:
    http = Http(connections=2, waiting=3)
    gate = asyncio.Semaphore(0)
    served: list[bytes] = []

    async def serve(call: Call) -> None:
        while request := await call.request():
            await gate.acquire()
            served.append(request[-1:])
            await call.send(sized(b"x"))

    async with peer(serve) as target:
        tasks = []
        for number in range(5):
            tasks.append(asyncio.ensure_future(http(post(target.url, b"%d" % number))))
            await until(lambda: http.busy == min(2, len(tasks)))
            await turns()
        with pytest.raises(NotSent, match="in use"):
            await http(post(target.url))
        tasks[3].cancel()
        await turns()
        for _ in range(4):
            gate.release()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert target.calls == 2
        assert sorted(served[:2]) == [b"0", b"1"]
        assert sorted(served[2:]) == [b"2", b"4"]
        assert http.busy == 0
    await http.close()


async def test_waiting_for_a_place_counts_as_connecting() -> None:
    http = Http(connections=1)
    serve = Waiting(b"")
    async with peer(serve) as target:
        first = asyncio.ensure_future(http(post(target.url)))
        await serve.came.wait()
        with pytest.raises(NotSent, match="connect time-out"):
            await http(post(target.url, timeouts=Timeouts(connect=0.05)))
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        await until(lambda: not http.busy)
    await http.close()


async def test_idle_connections_make_room_for_another_target() -> None:
    http = Http(connections=2)
    async with peer(always(sized(b"a"))) as one, peer(always(sized(b"b"))) as other:
        await asyncio.gather(http(post(one.url)), http(post(one.url)))
        assert http.idle == one.calls
        for _ in range(3):
            assert (await http(post(other.url))).body == b"b"
            assert http.busy + http.idle <= 2
        assert other.calls == 1
    await http.close()


async def test_close_ends_everything_and_may_be_repeated() -> None:
    http = Http(connections=1)
    serve = Waiting(CHUNKED + chunk(b"x"))
    async with peer(serve) as target:
        response = await http(post(target.url))
        queued = asyncio.ensure_future(http(post(target.url)))
        await turns()
        await asyncio.gather(http.close(), http.close())
        await http.close()
        assert (http.busy, http.idle) == (0, 0)
        await serve.left.wait()
        with pytest.raises(NotSent):
            await queued
        with pytest.raises(NotSent):
            await http(post(target.url, timeouts=PATIENT))
        assert not isinstance(response.body, bytes)
        assert await anext(response.body) == b"x"
        with pytest.raises(Broken):
            await anext(response.body)


async def test_close_before_use() -> None:
    await Http().close()
