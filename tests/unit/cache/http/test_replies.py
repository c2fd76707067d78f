"""Replies from what is kept: whole, part, or unchanged, and Cache-Status as RFC 9211 writes it."""

from __future__ import annotations

from typing import Any

from penstock.cache.http import replies
from penstock.cache.http.entries import Entry
from penstock.cache.http.freshness import Terms
from penstock.cache.http.rules import Rules
from penstock.wire import dates
from penstock.wire.http import Response
from tests.unit.cache.http.scene import get, named

NOW = 1_800_000_000.0
CHANGED = dates.write(NOW - 1_000)
HEADERS = [
    ("content-type", "text/plain"),
    ("content-encoding", "br"),
    ("etag", '"1"'),
    ("last-modified", CHANGED),
    ("date", dates.write(NOW)),
    ("cache-control", "max-age=60"),
    ("x", "y"),
]
ENTRY = Entry("gateway.test /a", "", 200, HEADERS, b"0123456789", Terms(NOW, 5, 60))


def served(
    method: str = "GET", entry: Entry = ENTRY, rules: Rules | None = None, **asked: Any
) -> Response:
    request = get(method=method, **asked)
    return replies.served(request, entry, rules or Rules("r"), NOW + 2.5, "penstock; hit")


def test_the_whole() -> None:
    response = served()
    assert (response.status, response.body) == (200, b"0123456789")
    assert response.headers == [*HEADERS, ("age", "7"), ("cache-status", "penstock; hit")]


def test_to_head_it_says_the_same() -> None:
    assert served("HEAD", range="bytes=0-1") == served("HEAD") == served()


def test_unchanged() -> None:
    response = served(if_none_match='"1"')
    assert (response.status, response.body) == (304, b"")
    assert [name for name, _ in response.headers] == [
        "etag", "last-modified", "date", "cache-control", "x", "age", "cache-status",
    ]  # fmt: skip
    assert served("HEAD", if_none_match='"1"').status == 304
    assert served(if_none_match='"1"', range="bytes=0-1").status == 304


def test_a_part() -> None:
    response = served(range="bytes=2-4")
    assert (response.status, response.body) == (206, b"234")
    assert named(response.headers, "content-range") == ["bytes 2-4/10"]
    assert named(response.headers, "content-type") == ["text/plain"]


def test_a_part_that_is_not_there() -> None:
    response = served(range="bytes=10-")
    assert (response.status, response.body) == (416, b"")
    assert named(response.headers, "content-range") == ["bytes */10"]
    assert not named(response.headers, "content-encoding")


def test_several_parts_are_the_whole() -> None:
    assert served(range="bytes=0-1,4-5").status == 200


def test_if_range() -> None:
    assert served(range="bytes=0-1", if_range='"1"').status == 206
    assert served(range="bytes=0-1", if_range='"2"').status == 200
    assert served(range="bytes=0-1", if_range=CHANGED).status == 206


def test_no_part_of_a_failure() -> None:
    gone = Entry("gateway.test /a", "", 410, [], b"0123456789", Terms(NOW, 0, 60))
    assert served(entry=gone, range="bytes=0-1").status == 410


def test_the_route_s_lifetime_goes_out() -> None:
    told = Entry("gateway.test /a", "o", 200, HEADERS, b"", Terms(NOW, 0, 30), told=True)
    response = served(entry=told, rules=Rules("r", ttl=30))
    assert named(response.headers, "cache-control") == ["private, max-age=30"]


def test_how_it_came_about() -> None:
    assert replies.hit(30.9) == "penstock; hit; ttl=30"
    assert replies.hit(-5.5) == "penstock; hit; ttl=-5"
    assert replies.forwarded("uri-miss") == "penstock; fwd=uri-miss"
    assert (
        replies.forwarded("stale", status=304, stored=True, collapsed=True, detail="x")
        == "penstock; fwd=stale; fwd-status=304; stored; collapsed; detail=x"
    )


def test_ours_stands_behind_those_of_caches_before_us() -> None:
    headers = [("cache-status", "a; hit"), ("x", "y"), ("cache-status", "b; fwd=miss")]
    assert replies.with_status(headers, "penstock; hit") == [
        ("x", "y"),
        ("cache-status", "a; hit, b; fwd=miss, penstock; hit"),
    ]


def test_refused() -> None:
    response = replies.refused()
    assert response.status == 504
    assert isinstance(response.body, bytes)
    assert b"only-if-cached" in response.body
