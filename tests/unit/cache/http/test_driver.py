"""The cache before an origin: what comes from where, what is kept, and what the origin is asked."""

from __future__ import annotations

from typing import Any

import pytest

from penstock.cache.generations import raise_generations
from penstock.cache.http.rules import Rules
from penstock.errors import Broken
from penstock.wire import dates
from penstock.wire.http import Response
from tests.unit.cache.http.scene import Parts, Scene, get, named, reply

TAGGED = {"etag": '"1"', "vary": "accept"}


async def test_a_miss_is_kept_and_then_served() -> None:
    scene = Scene([reply("max-age=60", age="4")])
    request = get()
    first = await scene(request)
    assert (first.body, request.notes["cache"]) == (b"hello", "miss")
    assert first.header("cache-status") == "penstock; fwd=uri-miss; fwd-status=200; stored"
    scene.clock.advance(10)
    request = get()
    second = await scene(request)
    assert (second.status, second.body, request.notes["cache"]) == (200, b"hello", "hit")
    assert second.header("cache-status") == "penstock; hit; ttl=46"
    assert named(second.headers, "age") == ["14"]
    assert named(second.headers, "content-type") == ["text/plain"]


async def test_a_reply_without_date_gets_one_and_keeps_it() -> None:
    scene = Scene([reply()])
    made = dates.write(scene.clock.now())
    await scene(get())
    scene.clock.advance(10)
    assert named((await scene(get())).headers, "date") == [made]


async def test_a_stream_passes_part_by_part_and_is_kept() -> None:
    source = Parts(b"ab", b"cd")
    scene = Scene([Response(200, [("cache-control", "max-age=60")], source)])
    response = await scene.cache(get())
    assert not isinstance(response.body, bytes)
    assert await anext(response.body) == b"ab"
    assert len(scene.world.store) == 0
    assert [part async for part in response.body] == [b"cd"]
    await response.aclose()
    assert source.closed
    assert (await scene(get())).body == b"abcd"


async def test_a_client_that_leaves_takes_the_origin_s_reply_with_it() -> None:
    source = Parts(b"ab", b"cd")
    scene = Scene([Response(200, [("cache-control", "max-age=60")], source), reply(body=b"whole")])
    response = await scene.cache(get())
    assert not isinstance(response.body, bytes)
    await anext(response.body)
    await response.aclose()
    assert source.closed
    assert (await scene(get())).body == b"whole"


@pytest.mark.parametrize("declared", [None, "9"])
async def test_nothing_partial_is_kept(declared: str | None) -> None:
    """Neither of a source that breaks off, nor of one that ends before what it said."""
    headers = [("cache-control", "max-age=60")]
    headers += [("content-length", declared)] if declared else []
    parts = Parts(b"ab") if declared else Parts(b"ab", Broken())
    scene = Scene([Response(200, headers, parts), reply(body=b"whole")])
    if declared:
        await scene(get())
    else:
        with pytest.raises(Broken):
            await scene(get())
    assert len(scene.world.store) == 0
    assert (await scene(get())).body == b"whole"


@pytest.mark.parametrize("streamed", [False, True])
async def test_what_is_larger_than_an_entry_passes(streamed: bool) -> None:
    body = b"x" * 11
    headers = [("cache-control", "max-age=60")]
    scene = Scene(
        lambda request: Response(200, headers, Parts(body[:5], body[5:]) if streamed else body),
        Rules("r", max_bytes=10),
    )
    for _ in range(2):
        assert (await scene(get())).body == body
    assert (len(scene.asked), len(scene.world.store)) == (2, 0)


async def test_what_says_that_it_is_too_large_is_not_collected() -> None:
    source = Parts(b"x" * 11)
    headers = [("cache-control", "max-age=60"), ("content-length", "11")]
    scene = Scene([Response(200, headers, source)], Rules("r", max_bytes=10))
    response = await scene.cache(get())
    assert response.body is source
    assert response.header("cache-status") == "penstock; fwd=uri-miss; fwd-status=200"
    await response.aclose()


async def test_what_is_stale_is_asked_about_and_renewed() -> None:
    stale = reply("max-age=60", b"hello", etag='"1"', x="old")
    scene = Scene([stale, reply("max-age=90", b"", 304, etag='"1"', x="new")])
    await scene(get(accept="a"))
    scene.clock.advance(61)
    response = await scene(get(accept="a", if_none_match='"other"', range="bytes=0-1"))
    assert scene.asked[1].headers == [
        ("host", "gateway.test"), ("accept", "a"), ("if-none-match", '"1"'),
    ]  # fmt: skip
    assert (response.status, response.body) == (206, b"he")
    assert response.header("cache-status") == "penstock; fwd=stale; fwd-status=304; stored"
    again = await scene(get())
    assert (again.body, named(again.headers, "x")) == (b"hello", ["new"])
    assert again.header("cache-status") == "penstock; hit; ttl=90"
    assert named(again.headers, "content-length") == []


async def test_what_is_stale_is_replaced_by_a_new_reply() -> None:
    scene = Scene([reply(etag='"1"'), reply(body=b"new", etag='"2"')])
    await scene(get())
    scene.clock.advance(61)
    assert (await scene(get())).body == b"new"
    assert (await scene(get())).body == b"new"
    assert len(scene.asked) == 2


async def test_a_304_that_forbids_keeping_is_the_last_word() -> None:
    scene = Scene([reply(etag='"1"'), reply("no-store", b"", 304), reply(body=b"new")])
    await scene(get())
    scene.clock.advance(61)
    response = await scene(get())
    assert (response.status, response.body) == (200, b"hello")
    assert response.header("cache-control") == "no-store"
    assert (await scene(get())).body == b"new"
    assert named(scene.asked[2].headers, "if-none-match") == []


async def test_a_condition_is_answered_from_what_is_kept_and_forwarded_where_nothing_is() -> None:
    scene = Scene([reply("max-age=60", b"", 304, etag='"1"'), reply(etag='"1"')])
    assert (await scene(get(if_none_match='"1"'))).status == 304
    assert named(scene.asked[0].headers, "if-none-match") == ['"1"']
    await scene(get())
    assert (await scene(get(if_none_match='"1"'))).status == 304
    assert len(scene.asked) == 2


async def test_a_part_passes_where_nothing_is_kept_and_is_not_kept() -> None:
    scene = Scene([reply("max-age=60", b"he", 206, content_range="bytes 0-1/5"), reply()])
    assert (await scene(get(range="bytes=0-1"))).status == 206
    assert named(scene.asked[0].headers, "range") == ["bytes=0-1"]
    assert (await scene(get())).body == b"hello"
    assert (await scene(get(range="bytes=3-"))).body == b"lo"
    assert (await scene(get(range="bytes=9-"))).status == 416
    assert len(scene.asked) == 2


async def test_variants() -> None:
    scene = Scene(
        lambda request: reply(body=(request.header("accept") or "-").encode(), vary="Accept")
    )
    for accept in ("a", "b", "a", "b"):
        assert (await scene(get(accept=accept))).body == accept.encode()
    assert len(scene.asked) == 2
    assert "fwd=vary-miss" in await scene.says(get(accept="c"))


async def test_each_owner_has_entries_of_its_own() -> None:
    scene = Scene(lambda request: reply(body=(request.header("authorization") or "-").encode()))
    for credential in ("Bearer a", "Bearer b", "Bearer a", "Bearer b"):
        assert (await scene(get(authorization=credential))).body == credential.encode()
    assert (await scene(get())).body == b"-"
    assert len(scene.asked) == 3


async def test_shared_entries_hold_what_may_be_shared_alone() -> None:
    scene = Scene(lambda request: reply(request.header("x-say")), Rules("r", key="shared"))
    asked: dict[str, Any] = {"authorization": "Bearer a"}
    assert "stored" not in await scene.says(get(x_say="max-age=60", **asked))
    assert "stored" in await scene.says(get(x_say="max-age=60, public", **asked))
    assert "hit" in await scene.says(get(authorization="Bearer b"))
    assert "hit" in await scene.says(get())


async def test_a_credential_of_nobody_we_know_is_not_shared() -> None:
    """A service that knows its own credentials: its replies to them have no owner here."""
    scene = Scene(lambda request: reply(), owner=lambda request: "")
    for _ in range(2):
        assert "stored" not in await scene.says(get(authorization="Basic x"))
    assert len(scene.asked) == 2


async def test_the_route_s_lifetime_goes_before_the_origin_s_and_goes_out() -> None:
    rules = Rules("r", ttl=30, stale_while_revalidate=5)
    scene = Scene(lambda request: reply("no-cache", expires="0"), rules)
    for expected in ("stored", "hit; ttl=30"):
        response = await scene(get(authorization="Bearer a"))
        assert expected in (response.header("cache-status") or "")
        assert named(response.headers, "cache-control") == [
            "private, max-age=30, stale-while-revalidate=5"
        ]
        assert named(response.headers, "expires") == []
    assert (await scene(get())).header("cache-control") == "max-age=30, stale-while-revalidate=5"
    scene.clock.advance(31)
    assert "hit; ttl=-1" in await scene.says(get())
    scene.clock.advance(5)
    assert "fwd=stale" in await scene.says(get())


async def test_the_route_s_lifetime_outlives_a_304() -> None:
    scene = Scene([reply(None, etag='"1"'), reply(None, b"", 304)], Rules("r", ttl=30))
    await scene(get(authorization="Bearer a"))
    scene.clock.advance(31)
    await scene(get(authorization="Bearer a"))
    assert "hit; ttl=30" in await scene.says(get(authorization="Bearer a"))


async def test_a_caller_s_no_cache_refreshes_the_entry() -> None:
    scene = Scene([reply(body=b"1"), reply(body=b"2")])
    await scene(get())
    assert "fwd=request" in await scene.says(get(cache_control="no-cache"))
    assert (await scene(get())).body == b"2"


async def test_a_caller_s_no_store_looks_nothing_up_and_keeps_nothing() -> None:
    scene = Scene([reply(body=b"1"), reply(body=b"2"), reply(body=b"3")])
    request = get(cache_control="no-store")
    assert await scene.says(request) == "penstock; fwd=request"
    assert request.notes["cache"] == "bypass"
    assert (await scene(get())).body == b"2"
    assert (await scene(get(cache_control="no-store"))).body == b"3"
    assert (await scene(get())).body == b"2"


async def test_only_if_cached_asks_no_origin() -> None:
    scene = Scene([reply()])
    assert (await scene(get(cache_control="only-if-cached"))).status == 504
    assert scene.asked == []
    await scene(get())
    assert (await scene(get(cache_control="only-if-cached"))).status == 200


async def test_a_condition_for_the_origin_goes_to_it() -> None:
    scene = Scene([reply(etag='"1"'), reply(None, b"", 412)])
    await scene(get())
    assert (await scene(get(if_match='"2"'))).status == 412


@pytest.mark.parametrize("scope", ["tag:t", "url:/a", "route:r", "kind:http"])
async def test_a_purge(scope: str) -> None:
    scene = Scene(lambda request: reply(cache_tag="t"))
    await scene(get())
    await scene.world.tables.batch(
        ("insert into generations (scope, number) values ($1, 1)", (scope,))
    )
    await scene.generations.read()
    assert "fwd=uri-miss" in await scene.says(get())
    assert "hit" in await scene.says(get())


async def test_an_owner_s_purge_and_one_elsewhere() -> None:
    scene = Scene(lambda request: reply())
    await scene(get(authorization="Bearer a"))
    await raise_generations(scene.world.tables, {"owner": "b"})
    scene.clock.advance(10)
    assert "hit" in await scene.says(get(authorization="Bearer a"))
    await raise_generations(scene.world.tables, {"owner": "a"})
    scene.clock.advance(10)
    assert "fwd=uri-miss" in await scene.says(get(authorization="Bearer a"))


async def test_a_failure_in_between_closes_the_origin_s_reply() -> None:
    source = Parts(b"x")
    scene = Scene([Response(200, [], source)])

    async def broken(key: str, value: bytes, ttl: float) -> None:
        raise RuntimeError("a bug")

    scene.world.store.put = broken  # type: ignore[method-assign]  # a store that has a bug
    with pytest.raises(RuntimeError):
        await scene(get(method="POST"))
    assert source.closed
