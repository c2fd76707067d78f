"""Keys: what differs in owner, route, host or target is kept apart; what a purge raises is never found again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.cache.http import keys
from penstock.cache.http.keys import Place
from penstock.wire.http import Request
from tests.unit.cache.http.scene import SECRET, get


def place(request: Request, owner: str = "", numbers: dict[str, int] | None = None) -> Place:
    return keys.Places("r", SECRET).of(request, owner, numbers or {})


hosts = st.sampled_from(["a", "b", "a b", ""])
targets = st.sampled_from(["/", "/a", "/a?b", "/a?b=1", "/b /a", "/A"])
owners = st.sampled_from(["", "a", "b", "ab", "a\0b"])
routes = st.sampled_from(["r", "s", "", "ra"])
asked = st.tuples(hosts, targets, owners, routes)


@given(asked, asked)
def test_whatever_differs_is_kept_apart(one: tuple[str, ...], other: tuple[str, ...]) -> None:
    found = []
    for host, target, owner, route in (one, other):
        request = Request("GET", target.encode(), headers=[("host", host)])
        found.append(keys.Places(route, SECRET).of(request, owner, {}))
    assert (found[0].name == found[1].name) is (one == other)


def test_a_key_is_no_hash_that_another_can_make() -> None:
    other = keys.Places("r", b"t" * 32).of(get(), "", {})
    assert place(get()).name != other.name
    assert place(get()).mark != other.mark


def test_a_host_is_the_same_in_any_case() -> None:
    one, other = (Request("GET", b"/a", headers=[("host", host)]) for host in ("A.test", "a.TEST"))
    assert place(one).name == place(other).name


@pytest.mark.parametrize(
    ("target", "same"),
    [("http://gateway.test/a?b", "/a?b"), ("HTTP://gateway.test", "/"), ("*", "*")],
)
def test_an_absolute_target_is_the_same_thing(target: str, same: str) -> None:
    assert place(get(target)).name == place(get(same)).name
    assert [*keys.affected(get(target, "PUT"), [])] == [same]


def test_head_is_answered_by_what_get_has() -> None:
    assert place(get()).name == place(get(method="HEAD")).name


@pytest.mark.parametrize("scope", ["kind:http", "owner:o", "route:r", "url:/a?b"])
def test_a_purge_changes_the_key(scope: str) -> None:
    request = get("/a?b")
    assert place(request, "o", {scope: 1}).name != place(request, "o", {"owner:x": 1}).name
    assert place(request, "o", {scope: 2}).name != place(request, "o", {scope: 1}).name


@pytest.mark.parametrize("scope", ["kind:chat", "owner:p", "route:s", "url:/a", "tag:t"])
def test_a_purge_of_something_else_does_not(scope: str) -> None:
    request = get("/a?b")
    assert place(request, "o", {scope: 1}).name == place(request, "o", {"owner:x": 1}).name


def test_a_purge_of_one_key_changes_that_one() -> None:
    name = place(get()).name
    purged = {f"key:{name}": 1}
    assert place(get(), "", purged).name != name
    assert place(get(), "o", purged).name == place(get(), "o").name


def test_an_owner_s_place_is_owned_and_a_mark_is_everybody_s() -> None:
    mine, ours = place(get(), "o"), place(get())
    assert mine.owned
    assert not ours.owned
    assert mine.mark == ours.mark == keys.mark(get(method="POST"), SECRET, "/a")


@pytest.mark.parametrize(
    ("headers", "found"),
    [
        ([], ["/a/b?c"]),
        ([("location", "/x?y")], ["/a/b?c", "/x?y"]),
        ([("location", "d")], ["/a/b?c", "/a/d"]),
        ([("content-location", "http://gateway.test/x")], ["/a/b?c", "/x"]),
        ([("content-location", "https://GATEWAY.test")], ["/a/b?c", "/"]),
        ([("location", "//gateway.test/x")], ["/a/b?c", "/x"]),
        ([("location", "http://other.test/x")], ["/a/b?c"]),
        ([("location", "http://[x")], ["/a/b?c"]),
        ([("location", "")], ["/a/b?c"]),
        ([("location", "/x#part")], ["/a/b?c", "/x"]),
    ],
)
def test_what_an_unsafe_request_changed(headers: list[tuple[str, str]], found: list[str]) -> None:
    assert [*keys.affected(get("/a/b?c", "POST"), headers)] == found


@given(st.text(st.characters(max_codepoint=255)))
def test_no_location_raises(text: str) -> None:
    assert "/a" in [*keys.affected(get("/a", "POST"), [("location", text)])]


def selected(*lines: str, name: str = "foo") -> str:
    request = Request("GET", b"/", headers=[(name, line) for line in lines])
    return keys.selected(request, [name], SECRET)


def test_what_means_the_same_selects_the_same() -> None:
    assert selected("1, 2") == selected("1,2") == selected("1", "2") == selected(" 1 ,\t2 ")
    language = "accept-language"
    assert selected("en, de;q=0.5", name=language) == selected("EN,De; q=0.5", name=language)
    assert selected("a") != selected("A")
    assert selected('"a, b"') != selected('"a,b"')
    assert selected() != selected("") != selected("\0")


@given(st.lists(st.text("ab,\0 "), max_size=3), st.lists(st.text("ab,\0 "), max_size=3))
def test_two_headers_do_not_run_together(one: list[str], other: list[str]) -> None:
    def both(values: list[str]) -> str:
        headers = [(f"h{n}", value) for n, value in enumerate(values)]
        return keys.selected(Request("GET", b"/", headers=headers), ["h0", "h1", "h2"], SECRET)

    def said(values: list[str]) -> list[list[str]]:
        return [[part.strip() for part in value.split(",") if part.strip()] for value in values]

    if said(one) != said(other):
        assert both(one) != both(other)


def test_what_varies_by_nothing_has_no_variant() -> None:
    assert keys.selected(get(), [], SECRET) == ""


def test_tags_are_parted_as_each_header_parts_them_and_bounded() -> None:
    headers = [
        ("cache-tag", "a, b c"),
        ("surrogate-key", "d e"),
        ("cache-tag", "a"),
        ("cache-tag", "x" * 129),
    ]
    assert keys.tags(headers) == ["a", "b c", "d", "e"]
    many = ",".join(map(str, range(100)))
    assert len(keys.tags([("cache-tag", many)])) == keys.MOST_TAGS


def test_a_tag_s_number_is_the_sum_of_its_purges() -> None:
    numbers = {"tag:a": 2, "tag:b": 1, "tag:c": 7}
    assert keys.of_tags(numbers, ["a", "b"]) == 3
    assert keys.of_tags({}, ["a"]) == keys.of_tags(numbers, []) == 0
