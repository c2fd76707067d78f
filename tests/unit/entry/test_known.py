"""The price table's models as default targets."""

from __future__ import annotations

import pytest

from penstock.config import defaults
from penstock.config.standing import CHOICES, RETIRED, STOOD_FOR
from penstock.entry.known import known_models
from penstock.prices import lookup

TODAY = "2026-11-23"
ENV = {
    "OPENAI_API_KEY": "k",
    "ANTHROPIC_API_KEY": "k",
    "CLOUDFLARE_ACCOUNT_ID": "a",
    "CLOUDFLARE_API_TOKEN": "t",
}


@pytest.mark.parametrize("kind", STOOD_FOR)
def test_what_auto_and_embed_are_made_of_is_known_and_alive(kind):
    choice = CHOICES[kind]
    alive = {(model.model, model.verb) for model in known_models(TODAY)[kind]}
    chats = {(part[0], "chat") for part in (choice.simple, choice.medium, choice.strong) if part}
    assert chats | {(model, "embed") for model in choice.embed} <= alive


def test_a_choice_that_has_ended_is_followed_by_one_that_has_not():
    config, _ = defaults(None, {"OPENAI_API_KEY": "k"}, known_models("2027-02-01"))
    auto = config.routes["auto"]
    assert (auto.simple, auto.strong) == ("openai/gpt-5.4-mini", "openai/gpt-5.4")


def test_the_retired_models_are_not_alive():
    assert not set(RETIRED) & {model.model for model in known_models(TODAY)["workers_ai"]}


@pytest.mark.parametrize("env", [ENV, {}])
def test_every_default_target_has_a_price_and_bounds(env):
    config, _ = defaults(None, env, known_models(TODAY))
    assert len(config.targets) > 10
    for target in config.targets:
        own = f"{config.providers[target.provider].kind}/{target.model}"
        kind, _, model = (target.stands_for or own).partition("/")
        assert lookup(kind, model, TODAY) is not None, target.name
        assert target.context > 0
        assert 0 < target.default_max_output <= 4096
        assert (target.dimension > 0) == (target.verb == "embed"), target.name
