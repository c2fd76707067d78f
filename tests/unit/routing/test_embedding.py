"""Embeddings offers by the fields they can express."""

from __future__ import annotations

from typing import Any

import pytest

from penstock.config import Kind, Provider, Target
from penstock.errors import BadRequest
from penstock.prices import Price
from penstock.routing.offers import Offer, make
from penstock.routing.policies import embedding


def offer(kind: Kind, name: str = "p", dimension: int = 4) -> Offer:
    target = Target(provider=name, model="m", verb="embed", dimension=dimension)
    return make(target, Provider(kind=kind), Price())


@pytest.mark.parametrize(
    ("kind", "fields", "foreign"),
    [
        ("openai", {"user": "u", "dimensions": 9, "made_up": None}, ""),
        ("sandbox", {"user": "u", "dimensions": 9, "made_up": 1}, ""),
        ("hashed", {"user": "u", "dimensions": 9}, ""),
        ("hashed", {"dimensions": 9, "made_up": 1}, "made_up"),
        ("workers_ai", {"user": "u", "dimensions": 4}, ""),
        ("workers_ai", {"dimensions": 9}, "dimensions"),
        ("workers_ai", {"made_up": None}, "made_up"),
        ("local", {"user": "u", "dimensions": 4}, ""),
        ("local", {"dimensions": 9}, "dimensions"),
        ("anthropic", {}, "model"),
    ],
)
def test_an_offer_takes_what_it_can_express(kind: Kind, fields: Any, foreign: str) -> None:
    one = offer(kind)
    if not foreign:
        assert embedding(fields, [one]) == [one]
        return
    with pytest.raises(BadRequest) as refusal:
        embedding(fields, [one])
    assert refusal.value.param == foreign


def test_those_that_cannot_are_left_out_in_order() -> None:
    offers = [offer("workers_ai", "a"), offer("openai", "b"), offer("sandbox", "c")]
    assert embedding({}, offers) == offers
    assert embedding({"made_up": 1}, offers) == offers[1:]
