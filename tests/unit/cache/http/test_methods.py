"""Methods: what changes a thing takes back what is kept of it, and HEAD speaks for GET."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from penstock.errors import Broken, Error, NotSent
from penstock.wire.http import Request, Response
from tests.unit.cache.http.scene import Scene, get, named, reply


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "M-SEARCH", "post"])
async def test_an_unsafe_request_takes_back_what_its_url_has(method: str) -> None:
    scene = Scene(lambda request: reply(location="/b", content_location="http://other.test/c"))
    for target in ("/a", "/b", "/c"):
        await scene(get(target))
    await scene(get("/a", method, b"body"))
    found = [await scene.says(get(target)) for target in ("/a", "/b", "/c")]
    assert ["hit" in one for one in found] == [False, False, True]


async def test_a_failed_one_takes_nothing_back() -> None:
    scene = Scene(lambda request: reply(status=200 if request.method == "GET" else 500))
    await scene(get())
    assert "cache-status" not in dict((await scene(get(method="POST"))).headers)
    assert "hit" in await scene.says(get())


@pytest.mark.parametrize(("failure", "kept"), [(NotSent(), True), (Broken(), False)])
async def test_one_whose_outcome_nobody_knows_takes_back_as_well(
    failure: Error, kept: bool
) -> None:
    def origin(request: Request) -> Response:
        if request.method == "GET":
            return reply()
        raise failure

    scene = Scene(origin)
    await scene(get())
    with pytest.raises(type(failure)):
        await scene(get(method="PUT"))
    assert ("hit" in await scene.says(get())) is kept


@pytest.mark.parametrize("method", ["OPTIONS", "TRACE", "PROPFIND"])
async def test_a_safe_one_takes_nothing_back(method: str) -> None:
    scene = Scene(lambda request: reply())
    await scene(get())
    assert await scene.says(get(method=method)) == "penstock; fwd=method"
    assert "hit" in await scene.says(get())


async def test_what_was_on_its_way_when_its_url_changed_is_not_served_later() -> None:
    gate = asyncio.Event()

    async def slowly(request: Request) -> Response:
        if request.method == "GET" and not gate.is_set():
            await gate.wait()
            return reply(body=b"old")
        return reply(body=b"new")

    scene = Scene(slowly)
    reading = asyncio.create_task(scene(get()))
    await asyncio.sleep(0)
    await scene(get(method="PUT", body=b"new"))
    gate.set()
    assert (await reading).body == b"old"
    assert (await scene(get())).body == b"new"


async def test_head_is_served_from_what_get_has() -> None:
    scene = Scene([reply()])
    await scene(get())
    response = await scene(get(method="HEAD"))
    assert (response.status, len(scene.asked)) == (200, 1)


async def test_head_is_not_kept() -> None:
    scene = Scene([reply(body=b""), reply()])
    await scene(get(method="HEAD"))
    assert (await scene(get())).body == b"hello"


async def test_head_renews_what_it_agrees_with() -> None:
    stale = reply(etag='"1"', x="old")
    seen = reply("max-age=60", b"", etag='"1"', x="new")
    seen.headers = [("content-length", "5"), *[p for p in seen.headers if p[0] != "content-length"]]
    scene = Scene([stale, seen])
    await scene(get())
    scene.clock.advance(61)
    await scene(get(method="HEAD"))
    assert named(scene.asked[1].headers, "if-none-match") == []
    response = await scene(get())
    assert (response.body, named(response.headers, "x")) == (b"hello", ["new"])
    assert len(scene.asked) == 2


@pytest.mark.parametrize(
    "seen", [{"etag": '"2"'}, {"content_length": "6"}, {"last_modified": "another day"}]
)
async def test_head_shows_that_a_thing_has_changed(seen: dict[str, Any]) -> None:
    kept = reply(etag='"1"', last_modified="one day")
    pairs = [(name.replace("_", "-"), value) for name, value in seen.items()]
    scene = Scene([kept, Response(200, pairs), reply(body=b"new")])
    await scene(get())
    scene.clock.advance(61)
    await scene(get(method="HEAD"))
    assert (await scene(get())).body == b"new"
    assert named(scene.asked[2].headers, "if-none-match") == []
