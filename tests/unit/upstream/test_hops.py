"""Headers on their way to a service and back, whatever a caller or a service makes of them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from penstock.upstream import hops
from penstock.upstream.hops import HOP_BY_HOP, Whence

OURS = (
    "x-forwarded-for",
    "x-forwarded-proto",
    "x-real-ip",
    "x-request-id",
    "x-gateway-version",
    "via",
    "forwarded",
)
NAMES = st.sampled_from(
    [*OURS, *HOP_BY_HOP, "host", "x-forwarded-host", "x-forwarded-port", "cookie", "authorization", "x-api-key", "accept",
     "x_real_ip", "x-original-url", "content-length", "x-penstock-target", "x-own"]
)  # fmt: skip
VALUES = st.one_of(
    NAMES, st.text(st.characters(codec="latin-1", exclude_categories=["Cc"]), max_size=20)
)
HEADERS = st.lists(st.tuples(NAMES, VALUES), max_size=20)
SOMEBODY = Whence("192.0.2.1", "192.0.2.1", "req_1")


def values(headers: list[tuple[str, str]], name: str) -> list[str]:
    return [value for key, value in headers if key == name]


@given(HEADERS)
def test_a_caller_decides_nothing_that_is_ours(headers: list[tuple[str, str]]) -> None:
    sent = hops.onward(headers, SOMEBODY, frozenset())
    names = [name for name, _ in sent]
    assert not HOP_BY_HOP & set(names)
    assert not {
        "host",
        "content-length",
        "x-forwarded-port",
        "x_real_ip",
        "x-original-url",
        "x-penstock-target",
    } & set(names)
    assert values(sent, "x-forwarded-for") == values(sent, "x-real-ip") == ["192.0.2.1"]
    assert values(sent, "x-forwarded-proto") == ["http"]
    assert values(sent, "x-request-id") == ["req_1"]
    assert all(names.count(name) == 1 for name in OURS)
    assert values(sent, "forwarded")[0].startswith("for=192.0.2.1")
    listed = {name.strip() for value in values(headers, "connection") for name in value.split(",")}
    assert not listed & (set(names) - set(OURS) - {"x-forwarded-host"})


@given(HEADERS)
def test_what_settings_keep_here_stays_here(headers: list[tuple[str, str]]) -> None:
    kept = hops.dropped(cookies=False, authorization=False, checked=True)
    names = {name for name, _ in hops.onward(headers, SOMEBODY, kept)}
    assert not {"cookie", "authorization", "x-api-key"} & names


@given(HEADERS)
def test_a_service_decides_nothing_of_our_hop(headers: list[tuple[str, str]]) -> None:
    names = {name for name, _ in hops.back(headers, sized=False, cookies=False)}
    assert not names & (
        HOP_BY_HOP | {"content-length", "set-cookie", "x-request-id", "access-control-allow-origin"}
    )


def test_forwarded_of_an_ipv6_peer_is_quoted() -> None:
    whence = Whence("2001:db8::1", "2001:db8::1", "req_1", "https")
    sent = hops.onward([("host", "a.test:1")], whence, frozenset())
    assert values(sent, "forwarded") == ['for="[2001:db8::1]";host="a.test:1";proto=https']
