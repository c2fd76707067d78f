"""Stale replies: served while their origin is asked behind them, or where it cannot be."""

from __future__ import annotations

import pytest

from penstock.errors import Broken, Error, NotSent, Unavailable
from penstock.wire.http import Request, Response
from tests.unit.cache.http.scene import Parts, Scene, get, reply


async def test_a_stale_reply_is_served_while_its_origin_is_asked_behind_it() -> None:
    control = "max-age=60, stale-while-revalidate=10"
    stale = reply(control, etag='"1"')
    scene = Scene([stale, reply(control, b"new", etag='"2"')])
    await scene(get())
    scene.clock.advance(65)
    request = get(if_none_match='"0"', range="bytes=0-1", x="y")
    assert (await scene(request)).body == b"he"
    assert request.notes["cache"] == "hit"
    assert (await scene(get())).body == b"hello"
    await scene.world.spawn.join()
    assert (await scene(get())).body == b"new"
    assert len(scene.asked) == 2
    assert scene.asked[1].headers == [
        ("host", "gateway.test"),
        ("x", "y"),
        ("if-none-match", '"1"'),
    ]


async def test_what_is_asked_behind_a_head_is_a_get() -> None:
    control = "max-age=60, stale-while-revalidate=10"
    scene = Scene([reply(control), reply(control, b"new")])
    await scene(get())
    scene.clock.advance(65)
    await scene(get(method="HEAD"))
    await scene.world.spawn.join()
    assert scene.asked[1].method == "GET"
    assert (await scene(get())).body == b"new"


@pytest.mark.parametrize("streamed", [False, True])
async def test_what_goes_wrong_behind_a_stale_reply_leaves_it(streamed: bool) -> None:
    control = "max-age=60, stale-while-revalidate=10"
    source = Parts(b"part", Broken())

    def origin(request: Request) -> Response:
        if len(scene.asked) == 1:
            return reply(control)
        if streamed:
            return Response(200, [("cache-control", "max-age=60")], source)
        raise NotSent

    scene = Scene(origin)
    await scene(get())
    scene.clock.advance(65)
    await scene(get())
    await scene.world.spawn.join()
    assert (await scene(get())).body == b"hello"
    await scene.world.spawn.join()
    assert source.closed >= streamed


async def test_a_stream_behind_a_stale_reply_is_kept() -> None:
    control = "max-age=60, stale-while-revalidate=10"
    source = Parts(b"n", b"ew")
    scene = Scene([reply(control), Response(200, [("cache-control", control)], source)])
    await scene(get())
    scene.clock.advance(65)
    await scene(get())
    await scene.world.spawn.join()
    assert (await scene(get())).body == b"new"
    assert source.closed


@pytest.mark.parametrize("failure", [NotSent(), Broken(), Unavailable()])
async def test_a_stale_reply_stands_in_for_an_origin_out_of_reach(failure: Error) -> None:
    def origin(request: Request) -> Response:
        if len(scene.asked) == 1:
            return reply()
        raise failure

    scene = Scene(origin)
    await scene(get())
    scene.clock.advance(61)
    request = get()
    response = await scene(request)
    assert (response.body, request.notes["cache"]) == (b"hello", "hit")
    assert response.header("cache-status") == "penstock; fwd=stale; detail=served-stale"
    scene.clock.advance(60)
    with pytest.raises(type(failure)):
        await scene(get())


async def test_a_stale_reply_stands_in_for_a_5xx_where_the_origin_said_so() -> None:
    source = Parts(b"down")
    scene = Scene(
        [reply("max-age=60, stale-if-error=10"), Response(503, [], source), reply(None, status=503)]
    )
    await scene(get())
    scene.clock.advance(65)
    response = await scene(get())
    assert (response.status, response.body) == (200, b"hello")
    assert source.closed
    assert "fwd-status=503; detail=served-stale" in (response.header("cache-status") or "")
    scene.clock.advance(6)
    assert (await scene(get())).status == 503
