"""Names → offers."""

from __future__ import annotations

import pytest

from penstock.config import Config, decode, defaults
from penstock.errors import ModelNotFound
from penstock.prices import Price, lookup
from penstock.routing.routes import MOST_MADE, Routes
from tests.path.world import CONFIG

TODAY = "2026-11-01"


def routes(more: str = "", env: dict[str, str] | None = None) -> Routes:
    given: Config | None = decode(CONFIG + more, {}) if env is None else None
    config, _ = defaults(given, env or {})
    return Routes(config, TODAY)


def test_a_route_a_target_and_a_bare_name() -> None:
    found = routes()
    assert found.find("auto", "chat").policy.name == "heuristic"
    assert found.find("dear/gpt-4o", "chat").offers[0].name == "dear/gpt-4o"
    assert found.find("gpt-4o", "chat").offers[0].name == "dear/gpt-4o"


@pytest.mark.parametrize("name", ["nope", "dear/nope", "nope/gpt-4o", "", "auto/", "embed"])
def test_unknown_names(name: str) -> None:
    with pytest.raises(ModelNotFound):
        routes().find(name, "chat")


def test_a_chat_target_embeds_nothing() -> None:
    with pytest.raises(ModelNotFound):
        routes().find("gpt-4o", "embed")


def test_a_provider_of_any_model_makes_targets_and_not_without_bound() -> None:
    found = routes(
        '\n[providers.local]\nkind = "openai"\nbase_url = "http://127.0.0.1:1/v1"\nany_model = true\n'
    )
    assert found.find("local/whatever", "chat").offers[0].target.model == "whatever"
    first = found.find("local/m0", "chat")
    for number in range(1, MOST_MADE):
        found.find(f"local/m{number}", "chat")
    assert found.find("local/m0", "chat") is first
    found.find("local/one-more", "chat")
    assert found.find("local/m0", "chat") is first
    assert len(found._made) == MOST_MADE


def test_the_sandbox_stands_in_only_where_nothing_real_is_configured() -> None:
    alone = routes(env={})
    assert alone.find("gpt-4o", "chat").offers[0].target.provider == "sandbox"
    assert alone.find("gpt-4o", "chat").offers[0].price == lookup("openai", "gpt-4o", TODAY)
    with pytest.raises(ModelNotFound):
        alone.find("no-such-model", "chat")
    with pytest.raises(ModelNotFound):
        routes().find("claude-sonnet-4-5", "chat")


def test_the_retired_names_are_aliases_of_simple_and_medium() -> None:
    found, auto = routes(env={}), defaults(None, {})[0].routes["auto"]
    simple = found.find("@cf/meta/llama-2-7b-chat-int8", "chat").offers[0]
    medium = found.find("@cf/mistral/mistral-7b-instruct-v0.1", "chat").offers[0]
    assert (simple.name, medium.name) == (auto.simple, auto.medium)


def test_another_day_has_other_prices_and_the_same_names() -> None:
    found = routes(
        '\n[providers.local]\nkind = "openai"\nbase_url = "http://x.test/v1"\nany_model = true\n'
    )
    before = {name: found.find(name, "chat") for name in ("auto", "gpt-4o", "local/gpt-4o")}
    names = list(found.names())
    found.price("2024-05-13")
    assert list(found.names()) == names
    for name, way in before.items():
        for old, new in zip(way.offers, found.find(name, "chat").offers, strict=True):
            assert new.target == old.target
            assert new.price == (lookup("openai", old.target.model, "2024-05-13") or Price())
            assert old.price == lookup("openai", old.target.model, TODAY)
