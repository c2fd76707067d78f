"""Addresses are believed of trusted proxies only."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.auth.addresses import Networks, client_address, home
from penstock.errors import Misconfigured
from tests.unit.auth.signing import request_with

TRUSTED = Networks(["10.0.0.0/8", "192.0.2.1", "2001:db8::/32"])


def seen(*headers: tuple[str, str], peer: str = "10.0.0.1") -> str:
    return client_address(request_with(*headers, client=peer), TRUSTED)


def forwarded(*values: str, peer: str = "10.0.0.1") -> str:
    return seen(*(("x-forwarded-for", value) for value in values), peer=peer)


@pytest.mark.parametrize("name", ["x-forwarded-for", "cf-connecting-ip"])
def test_strangers_are_not_believed(name: str) -> None:
    assert seen((name, "1.2.3.4"), peer="203.0.113.9") == "203.0.113.9"
    assert (
        client_address(request_with((name, "1.2.3.4"), client="10.0.0.1"), Networks([]))
        == "10.0.0.1"
    )
    assert seen((name, "1.2.3.4"), peer="unix:") == "unix:"
    assert seen((name, "1.2.3.4"), peer="") == ""


@pytest.mark.parametrize(
    ("values", "address"),
    [
        (["1.2.3.4"], "1.2.3.4"),
        (["6.6.6.6, 1.2.3.4"], "1.2.3.4"),
        (["6.6.6.6, 1.2.3.4, 10.9.9.9, 192.0.2.1"], "1.2.3.4"),
        (["6.6.6.6", "1.2.3.4 , 10.9.9.9"], "1.2.3.4"),
        (["10.1.1.1, 10.2.2.2"], "10.1.1.1"),
        (["6.6.6.6, unknown, 10.9.9.9"], "10.9.9.9"),
        (["6.6.6.6,"], "10.0.0.1"),
        ([""], "10.0.0.1"),
        (["1.2.3.4:5678"], "1.2.3.4"),
        (["[2001:4860::1]:5678, 10.1.1.1"], "2001:4860::1"),
        (["::ffff:1.2.3.4"], "1.2.3.4"),
        (["1.2.3.4", "::ffff:10.0.0.9"], "1.2.3.4"),
        (["2001:db8::5, 2001:DB8:0::6"], "2001:db8::5"),
    ],
)
def test_the_nearest_address_that_is_no_proxy(values: list[str], address: str) -> None:
    assert forwarded(*values) == address


def test_cloudflare_speaks_where_nobody_else_does() -> None:
    cloudflare = ("cf-connecting-ip", "1.2.3.4")
    assert seen(cloudflare) == "1.2.3.4"
    assert seen(cloudflare, ("x-forwarded-for", "5.6.7.8")) == "5.6.7.8"
    assert seen(cloudflare, cloudflare) == "10.0.0.1"
    assert seen(("cf-connecting-ip", "nonsense")) == "10.0.0.1"


def test_long_chains_are_cut() -> None:
    assert forwarded("1.2.3.4, " + ", ".join(["10.0.0.2"] * 10_000)) == "10.0.0.2"


@given(st.text(max_size=60))
def test_no_header_crashes_or_names_more_than_an_address(value: str) -> None:
    assert forwarded(value) == "10.0.0.1" or forwarded(f"{forwarded(value)}") == forwarded(value)


@pytest.mark.parametrize("spec", ["", "proxy.example", "10.0.0.0/33", "*", "10.0.0.1-10.0.0.9"])
def test_proxies_are_addresses_or_Networks(spec: str) -> None:
    with pytest.raises(Misconfigured, match="trusted_proxies"):
        Networks([spec])


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("::1", "::/64"),
        ("unix:/run/x", "unix:/run/x"),
        ("", ""),
    ],
)
def test_a_home_is_an_address_or_a_prefix(address: str, name: str) -> None:
    assert home(address) == name
