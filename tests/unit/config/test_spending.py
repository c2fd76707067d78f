"""Amounts as people write them, and what is wrong with budgets and prices."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.config import decode, defaults
from penstock.config.spending import MOST_NANOS, nanos
from penstock.errors import Misconfigured
from penstock.prices import usd


@given(st.integers(0, MOST_NANOS))
def test_what_is_shown_reads_as_the_same(amount: int) -> None:
    assert nanos(usd(amount)) == amount


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1,5",
        "$1",
        "-1",
        "+1",
        "1e3",
        ".5",
        "1.",
        "0.0000000001",
        "9007200",
        "NaN",
        " 1",
        "1 ",
        "\u0661",
    ],
)
def test_what_is_no_amount(text: str) -> None:
    assert nanos(text) is None


PROVIDER = '[providers.own]\nkind = "openai"\nbase_url = "http://own.test/v1"\n'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[[budgets]]\nper = "user"\nperiod = "day"', "budgets[0] allows nothing"),
        (
            '[[budgets]]\nper = "user"\nperiod = "day"\nmoney = "0.00"',
            "budgets[0].money is no amount",
        ),
        (
            '[[budgets]]\nper = "user"\nperiod = "day"\nmoney = "5 $"',
            "budgets[0].money is no amount",
        ),
        (
            '[[budgets]]\nper = "user"\nperiod = "day"\nmoney = 5.0',
            "budgets[0].money must be a string",
        ),
        (
            '[[budgets]]\nper = "team"\nperiod = "day"\ntokens = 5',
            "budgets[0].per must be one of key, route, tenant, user",
        ),
        ('[[budgets]]\nperiod = "day"\ntokens = 5', "budgets[0].per is missing"),
        (
            '[[budgets]]\nper = "route"\nperiod = "day"\ntokens = 5\ntier = "pro"',
            "budgets[0].tier goes with",
        ),
        (
            '[[budgets]]\nper = "user"\nperiod = "day"\ntokens = 5\n' * 2,
            "budgets[1] says tokens of the same again",
        ),
        ('[[prices]]\nprovider = "x"\nmodel = "m"\ninput = "1"', "prices[0].provider names no"),
        (
            '[[prices]]\nprovider = "own"\nmodel = "m"\ninput = "1 $"',
            "prices[0].input is no amount",
        ),
        ('[[prices]]\nprovider = "own"\nmodel = "m"\ninput = ""', "prices[0].input is no amount"),
        (
            '[[prices]]\nprovider = "own"\nmodel = "m"\ninput = "1"\nsince = "2026-13-01"',
            "prices[0].since is no day",
        ),
        (
            '[[prices]]\nprovider = "own"\nmodel = "m"\ninput = "1"\nsince = "20261101"',
            "prices[0].since is no day",
        ),
        (
            '[[prices]]\nprovider = "own"\nmodel = "m"\ninput = "1"\n' * 2,
            "prices[1] says the same model",
        ),
    ],
)
def test_what_is_wrong(text: str, said: str) -> None:
    with pytest.raises(Misconfigured) as caught:
        defaults(decode(f"{PROVIDER}{text}\n", {}), {})
    assert said in caught.value.message


def test_different_budgets_of_one_kind_go_together() -> None:
    text = '[[budgets]]\nper = "user"\nperiod = "day"\n'
    whole, _ = defaults(
        decode(f'{text}money = "1"\n{text}tokens = 5\n{text}money = "2"\ntier = "pro"\n', {}), {}
    )
    assert len(whole.budgets) == 3
