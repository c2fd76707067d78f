"""What may be kept: what RFC 9111 §3 says, §3.5 where all share, and what a route's own lifetime changes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.cache.http import rules
from penstock.cache.http.freshness import Terms
from penstock.cache.http.rules import Came, Rules
from penstock.wire import dates
from tests.unit.cache.http.scene import get, named, reply

NOW = 1_800_000_000.0
OLD = dates.write(NOW - 10_000)
ORIGINS = Rules("r")
RULED = Rules("r", ttl=30, stale_while_revalidate=5)


def came(control: str | None = "max-age=60", status: int = 200, **headers: Any) -> Came:
    return Came(status, reply(control, **headers).headers, NOW, NOW)


def terms(
    reply: Came, *, settings: Rules = ORIGINS, owned: bool = False, **asked: Any
) -> Terms | None:
    return rules.terms(get(**asked), reply, settings, owned=owned)


@pytest.mark.parametrize(
    ("control", "headers"),
    [
        ("max-age=60", {}),
        ("s-maxage=60", {}),
        (None, {"expires": dates.write(NOW + 60)}),
        (None, {"last_modified": OLD}),
        (None, {"etag": '"1"'}),
        ("no-cache", {"etag": '"1"'}),
        ("max-age=0", {"last_modified": OLD}),
        ('private="x-mine", max-age=60', {}),
        ('no-cache="x-mine", max-age=60', {}),
        ("no-store, must-understand, max-age=60", {}),
        ("max-age=60", {"set_cookie": "a=b"}),
        ("no-store", {"cdn_cache_control": "max-age=60"}),
        ("max-age=60", {"vary": "accept, origin"}),
    ],
)
def test_kept(control: str | None, headers: dict[str, Any]) -> None:
    assert terms(came(control, **headers)) is not None


@pytest.mark.parametrize(
    ("control", "headers"),
    [
        (None, {}),
        ("max-age=0", {}),
        ("no-cache", {}),
        ("no-cache, max-age=60", {}),
        ("no-store, max-age=60", {"etag": '"1"'}),
        ("private, max-age=60", {"etag": '"1"'}),
        ("private, s-maxage=60", {}),
        ("max-age=60", {"vary": "*"}),
        ("max-age=60", {"vary": "accept, *"}),
        ("max-age=60", {"age": "60"}),
        ("max-age=60", {"cdn_cache_control": "no-store"}),
        ("max-age=60", {"cdn_cache_control": "private"}),
    ],
)
def test_not_kept(control: str | None, headers: dict[str, Any]) -> None:
    assert terms(came(control, **headers)) is None


@pytest.mark.parametrize("status", [200, 204, 299, 301, 302, 404, 500, 503, 599])
def test_any_final_status_is_kept_that_says_for_how_long(status: int) -> None:
    assert terms(came(status=status)) is not None


@pytest.mark.parametrize("status", [100, 103, 206, 304, 600, 999])
def test_what_is_no_whole_reply_is_not_kept(status: int) -> None:
    assert terms(came("max-age=60, public", status=status)) is None


@pytest.mark.parametrize(
    ("status", "control", "kept"),
    [(200, None, True), (404, None, True), (201, None, False), (403, None, False),
     (503, None, False), (599, None, False), (599, "public", True)],
)  # fmt: skip
def test_a_guess_is_made_of_some_statuses_alone(
    status: int, control: str | None, kept: bool
) -> None:
    assert (terms(came(control, status, last_modified=OLD)) is not None) is kept


def test_must_understand_keeps_what_is_understood_alone() -> None:
    control = "max-age=60, must-understand"
    assert terms(came(control, 200)) is not None
    assert terms(came(control, 599)) is None


def test_a_request_that_says_no_store_has_nothing_kept() -> None:
    assert terms(came(), cache_control="no-store") is None


@pytest.mark.parametrize("method", ["HEAD", "POST", "get"])
def test_replies_to_get_alone_are_kept(method: str) -> None:
    assert rules.terms(get(method=method), came(), ORIGINS, owned=False) is None


@pytest.mark.parametrize("credential", ["authorization", "x_api_key"])
@pytest.mark.parametrize("settings", [ORIGINS, Rules("r", ttl=30, key="shared")])
def test_what_was_asked_with_a_credential_is_shared_only_by_leave(
    credential: str, settings: Rules
) -> None:
    asked: dict[str, Any] = {credential: "secret"}
    assert terms(came(), settings=settings, **asked) is None
    for leave in rules.PERMITS:
        control = f"max-age=60, {leave}" + ("=60" if leave == "s-maxage" else "")
        assert terms(came(control), settings=settings, **asked) is not None
    assert terms(came(), settings=settings, owned=True, **asked) is not None


@pytest.mark.parametrize("control", [None, "max-age=1", "no-cache", "s-maxage=999", "max-age=x"])
def test_the_route_s_lifetime_goes_before_the_origin_s(control: str | None) -> None:
    found = terms(came(control, age="500", expires="0"), settings=RULED)
    assert found is not None
    assert (found.lifetime, found.while_revalidating, found.left(NOW)) == (30, 5, 30)


@pytest.mark.parametrize(
    "reply",
    [
        came("private, max-age=60"),
        came("no-store"),
        came(None, set_cookie="a=b"),
        came(None, status=404),
        came(None, cdn_cache_control="private"),
    ],
)
def test_the_route_makes_nothing_last_that_may_be_somebody_s(reply: Came) -> None:
    assert terms(reply, settings=RULED) is None


def test_a_cookie_asks_for_a_page_of_one_s_own() -> None:
    """Nobody is named as its owner, so neither the route nor a guess makes it last; the origin's own word does."""
    assert terms(came(None), settings=RULED, cookie="a=b") is None
    assert terms(came(None), settings=RULED, owned=True, cookie="a=b") is not None
    guessed = terms(came(None, last_modified=OLD), cookie="a=b")
    assert guessed is not None
    assert guessed.lifetime == 0
    assert terms(came(), settings=RULED, cookie="a=b") is not None
    shared = Rules("r", ttl=30, key="shared")
    assert terms(came(None), settings=shared, cookie="a=b") is not None


def test_the_route_s_lifetime_is_told() -> None:
    headers = reply("s-maxage=1, must-revalidate, public", expires="0", pragma="no-cache").headers
    out = rules.told(headers, RULED, owned=False)
    assert named(out, "cache-control") == [
        "max-age=30, stale-while-revalidate=5, must-revalidate, public"
    ]
    assert not named(out, "expires") + named(out, "pragma")
    own = rules.told(headers, RULED, owned=True)
    assert named(own, "cache-control") == [
        "private, max-age=30, stale-while-revalidate=5, must-revalidate"
    ]


def test_headers_of_this_hop_are_not_kept() -> None:
    headers = [
        ("connection", "x-one, X-Two"),
        ("x-one", "1"),
        ("x-two", "2"),
        ("x-three", "3"),
        ("transfer-encoding", "chunked"),
        ("age", "5"),
        ("content-length", "5"),
        ("cache-control", 'no-cache="x-four, x-five", private="X-Six"'),
        ("x-four", "4"),
        ("x-five", "5"),
        ("x-six", "6"),
    ]
    assert [name for name, _ in rules.kept(headers)] == ["x-three", "cache-control"]


headers = st.lists(
    st.tuples(
        st.sampled_from(
            ["cache-control", "cdn-cache-control", "expires", "age", "date", "vary", "etag",
             "last-modified", "set-cookie", "connection", "cache-tag", "surrogate-key"]
        ),
        st.text(st.characters(max_codepoint=255)),
    )
)  # fmt: skip


@given(st.integers(100, 999), headers, st.booleans())
def test_no_reply_raises(status: int, fields: list[tuple[str, str]], owned: bool) -> None:
    for settings in (ORIGINS, RULED):
        rules.terms(get(), Came(status, fields, NOW, NOW), settings, owned=owned)
        rules.told(rules.kept(fields), settings, owned=owned)


@given(headers, st.sampled_from(["no-store", "private", "No-Store", "max-age=9, private"]))
def test_what_must_not_be_kept_never_is(fields: list[tuple[str, str]], control: str) -> None:
    """Whatever else it says, for whomever; unless another header speaks to this cache in its place."""
    fields = [pair for pair in fields if pair[0] not in ("cache-control", "cdn-cache-control")]
    for owned in (False, True):
        for settings in (ORIGINS, RULED):
            reply = Came(200, [*fields, ("cache-control", control)], NOW, NOW)
            assert rules.terms(get(), reply, settings, owned=owned) is None
