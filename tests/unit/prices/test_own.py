"""The operator's prices go before the price table's, from their day on."""

from __future__ import annotations

import pytest

from penstock.config import Config, OwnPrice, Provider, Target
from penstock.prices import Price, lookup, price_of

CHEAP = Target(provider="mine", model="gpt-4o-mini")
DAY = "2026-11-20"
TABLE = lookup("openai", "gpt-4o-mini", DAY)


def at(*prices: OwnPrice, target: Target = CHEAP, on: str = DAY) -> Price | None:
    providers = {"mine": Provider(kind="openai"), "sand": Provider(kind="sandbox")}
    return price_of(Config(providers=providers, prices=prices), target, on)


def own(input: str = "1.5", since: str = "", **more: str) -> OwnPrice:
    return OwnPrice(provider="mine", model="gpt-4o-mini", input=input, since=since, **more)


def test_without_any_the_tables() -> None:
    assert at() == TABLE is not None
    assert at(target=Target(provider="mine", model="unheard-of")) is None


def test_a_price_is_read_exactly_and_input_stands_for_what_is_left_out() -> None:
    assert at(own("0.000000001", output="2.5")) == Price(1, 1, 1, 2_500_000_000)
    assert at(own(cached_input="0", cache_write="3")) == Price(1_500_000_000, 0, 3_000_000_000, 0)


@pytest.mark.parametrize(
    ("on", "expected"),
    [("2026-10-31", 0), ("2026-11-01", 1), ("2026-11-14", 1), ("2026-11-15", 2), ("2027-01-01", 2)],
)
def test_the_newest_that_holds(on: str, expected: int) -> None:
    found = at(own("2", "2026-11-15"), own("1", "2026-11-01"), on=on)
    assert found is not None
    if expected:
        assert found.input == expected * 10**9
    else:
        assert found == lookup("openai", "gpt-4o-mini", on)


def test_another_provider_of_the_same_model_keeps_its_price() -> None:
    sand = Target(provider="sand", model="gpt-4o-mini", stands_for="openai/gpt-4o-mini")
    assert at(own(), target=sand) == TABLE
