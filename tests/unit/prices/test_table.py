from __future__ import annotations

from datetime import date

import pytest

from penstock.prices import (
    CHECKED,
    FREE,
    NEURON_NANOS,
    amount_nanos,
    find,
    known,
    lookup,
    neurons_micro,
    stale,
    usd,
)
from penstock.prices.table import MODELS
from penstock.wire.chat import Usage

TODAY = "2026-11-23"
MILLION = Usage(input=10**6)


@pytest.mark.parametrize(
    ("kind", "model", "per_million"),
    [
        ("openai", "gpt-4o", ("2.5", "1.25", "2.5", "10")),
        ("openai", "gpt-4o-2024-11-20", ("2.5", "1.25", "2.5", "10")),
        ("openai", "gpt-4o-mini", ("0.15", "0.075", "0.15", "0.6")),
        ("openai", "gpt-5", ("1.25", "0.125", "1.25", "10")),
        ("openai", "gpt-6-luna", ("0.1", "0.01", "0.125", "0.5")),
        ("openai", "text-embedding-3-small", ("0.02", "0.02", "0.02", "0")),
        ("anthropic", "claude-haiku-4-5", ("1", "0.1", "1.25", "5")),
        ("anthropic", "claude-opus-4-5-20251101", ("5", "0.5", "6.25", "25")),
        ("anthropic", "claude-sonnet-5-5", ("2", "0.1", "2.5", "10")),
    ],
)
def test_prices_as_published(kind: str, model: str, per_million: tuple[str, ...]) -> None:
    price = lookup(kind, model, TODAY)
    assert price is not None
    each = (MILLION, Usage(0, 10**6), Usage(0, 0, 10**6), Usage(0, 0, 0, 10**6))
    found = tuple(usd(amount_nanos(price, usage)) for usage in each)
    assert found == per_million


def test_a_price_holds_from_its_day() -> None:
    assert lookup("openai", "gpt-4o", "2024-05-12") is None
    before, after = (
        lookup("openai", "gpt-4o", "2024-10-01"),
        lookup("openai", "gpt-4o", "2024-10-02"),
    )
    assert before is not None
    assert after is not None
    assert (before.input, after.input) == (5_000_000_000, 2_500_000_000)


def test_what_is_not_known_has_no_price() -> None:
    assert lookup("openai", "gpt-9", TODAY) is None
    assert lookup("anthropic", "gpt-4o", TODAY) is None
    assert find("openai", "claude-haiku-4-5") is None


@pytest.mark.parametrize("kind", ["local", "hashed", "sandbox"])
def test_what_runs_here_is_free(kind: str) -> None:
    assert lookup(kind, "anything", TODAY) == FREE


def test_neurons_and_their_price() -> None:
    price = lookup("workers_ai", "@cf/baai/bge-base-en-v1.5", TODAY)
    assert price is not None
    assert neurons_micro(price, MILLION) == 6_058 * 10**6
    assert amount_nanos(price, MILLION) == 6_058 * NEURON_NANOS == 66_638_000


def test_known_models_are_alive_and_cheapest_first() -> None:
    assert find("anthropic", "claude-haiku-4-5") in known("anthropic", TODAY)
    names = {model.name for model in known("openai", TODAY)}
    assert {"gpt-4o", "gpt-4o-mini", "text-embedding-3-small"} <= names
    assert "o1" not in names
    assert "o1" in {model.name for model in known("openai")}
    assert "gpt-4o" not in {model.name for model in known("openai", "2027-01-14")}
    for kind in ("openai", "anthropic", "workers_ai"):
        for verb in ("chat", "embed"):
            models = [model for model in known(kind, TODAY) if model.verb == verb]
            costs = [4 * m.prices[-1].input + m.prices[-1].output for m in models]
            assert costs == sorted(costs)


def test_the_table_is_sound() -> None:
    names = [(m.kind, name) for m in MODELS for name in (m.name, *m.aliases)]
    assert len(names) == len(set(names))
    for model in MODELS:
        days = [price.since for price in model.prices]
        assert days == sorted(set(days))
        for day in (*days, *([model.until] if model.until else [])):
            assert date.fromisoformat(day).isoformat() == day
        assert days[-1] <= CHECKED
        for price in model.prices:
            assert 0 < price.cached_input <= price.input <= price.cache_write
            assert (price.output == 0) == (model.verb == "embed")
        assert model.context > 0
        assert (model.dimension > 0) == (model.verb == "embed")


def test_stale_after_ninety_days() -> None:
    assert not stale(CHECKED)
    assert not stale("2027-02-03")
    assert stale("2027-02-04")
