"""Providers of Workers AI: the free neurons of an account are one, and no call has more texts than its models take."""

from __future__ import annotations

import pytest

from penstock.config import Config, decode, defaults
from penstock.config.values import Provider

TWO = """
[providers.one]
kind = "workers_ai"
account = "acc"
api_key = "k"
free_neurons_per_day = 10000
[providers.two]
kind = "workers_ai"
account = "acc"
api_key = "other"
[providers.others]
kind = "workers_ai"
account = "else"
api_key = "k"
[providers.gpt]
kind = "openai"
api_key = "k"
"""
BOUND = """
platform = "cloudflare"
[auth]
issuers = [{ mode = "hs256", secret = "a-secret-of-at-least-32-bytes-for-it" }]
[providers.one]
kind = "workers_ai"
[providers.two]
kind = "workers_ai"
free_neurons_per_day = 10000
"""


def whole(text: str) -> Config:
    return defaults(decode(text, {}), {})[0]


def free(text: str) -> dict[str, int]:
    return {name: one.free_neurons_per_day for name, one in whole(text).providers.items()}


def test_providers_of_one_account_share_its_free_neurons() -> None:
    found = free(TWO)
    assert (found["one"], found["two"]) == (10_000, 10_000)
    assert (found["others"], found["gpt"]) == (0, 0)


def test_so_do_those_that_are_bound_to_the_worker() -> None:
    found = free(BOUND)
    assert (found["one"], found["two"]) == (10_000, 10_000)


@pytest.mark.parametrize(
    ("provider", "most"),
    [
        (Provider(kind="workers_ai", account="acc"), 100),
        (Provider(kind="workers_ai"), 100),
        (Provider(kind="openai"), 2048),
        (Provider(kind="local"), 2048),
        (Provider(kind="workers_ai", max_batch=7), 7),
        (Provider(kind="openai", max_batch=4_000), 4_000),
    ],
)
def test_a_call_has_as_many_texts_as_its_kind_takes(provider: Provider, most: int) -> None:
    assert provider.batch == most
