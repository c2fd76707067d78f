"""What a configuration says of deployments, and what is refused of it."""

from __future__ import annotations

import pytest

from penstock.config import decode, defaults
from penstock.config.reached import everywhere, reached
from penstock.errors import Misconfigured

HEAD = """
[providers.p]
kind = "openai"
base_url = "https://own.example.com/v1/"
api_key = "sk-own"
"""
TARGET = """
[[targets]]
provider = "p"
model = "m"
"""


def test_without_any_there_is_the_providers_own() -> None:
    config, _ = defaults(decode(HEAD + TARGET, {}), {})
    (one,) = reached(config.providers["p"], config.targets[0])
    assert (one.name, one.at) == ("1", config.providers["p"])


def test_a_deployment_with_an_address_of_its_own_never_gets_the_providers_key() -> None:
    text = (
        HEAD
        + 'deployments = [{ key = "${B}" }, {}, { url = "https://x.example.com/v1/" }]'
        + TARGET
    )
    config, notes = defaults(decode(text, {"B": "sk-b"}), {})
    found = [(one.name, one.at.base_url, one.at.api_key) for one in reached(config.providers["p"])]
    assert found == [
        ("1", "https://own.example.com/v1", "sk-b"),
        ("2", "https://own.example.com/v1", "sk-own"),
        ("3", "https://x.example.com/v1", ""),
    ]
    assert "provider p: openai at https://own.example.com/v1, 1 target, 3 deployments" in notes


def test_a_targets_own_stand_in_place_of_its_providers() -> None:
    text = (
        HEAD
        + 'deployments = [{ name = "a" }]'
        + TARGET
        + 'deployments = [{ name = "b", url = "https://b.example.com", weight = 3 }]'
    )
    config, _ = defaults(decode(text, {}), {})
    (one,) = reached(config.providers["p"], config.targets[0])
    assert (one.name, one.settings.weight) == ("b", 3)
    everyone = [(owner, one.name) for owner, one in everywhere(config)]
    assert everyone == [("p", "a"), ("hashed", "1"), ("p/m", "b")]


@pytest.mark.parametrize(
    ("deployments", "said"),
    [
        ('[{ name = "a b" }]', "deployments[0].name is no name"),
        ('[{ name = "a" }, { name = "a", key = "k" }]', "deployments[1].name is a"),
        ('[{ name = "2" }, { key = "k" }]', "deployments[1].name is 2"),
        ('[{ url = "ftp://x" }]', "deployments[0].url is no plain http"),
        ('[{ url = "https://u:p@x" }]', "deployments[0].url is no plain http"),
        ('[{ url = "https://x/v1?api-version=1" }]', "deployments[0].url is no plain http"),
        ("[{ weight = 0 }]", "deployments[0].weight must be an integer above 0"),
        ("[{ requests_per_minute = -1 }]", "requests_per_minute must be an integer, 0 or more"),
        ('[{ keys = "x" }]', "the nearest is"),
    ],
)
@pytest.mark.parametrize("at_target", [False, True])
def test_what_is_refused(deployments: str, said: str, at_target: bool) -> None:
    line = f"deployments = {deployments}"
    text = HEAD + TARGET + line if at_target else HEAD + line + TARGET
    with pytest.raises(Misconfigured) as refused:
        defaults(decode(text, {}), {})
    assert said in refused.value.message
    assert ("targets[0]" if at_target else "providers.p") in refused.value.message
    assert "sk-own" not in refused.value.message


def test_too_many_are_refused() -> None:
    many = ", ".join(f'{{ key = "k{at}" }}' for at in range(65))
    with pytest.raises(Misconfigured, match="more than 64"):
        defaults(decode(HEAD + f"deployments = [{many}]" + TARGET, {}), {})


def test_a_kind_that_needs_a_key_needs_one_at_each() -> None:
    text = """
[providers.a]
kind = "anthropic"
deployments = [{ key = "k" }, { url = "https://x.example.com" }]
"""
    with pytest.raises(Misconfigured, match=r"deployments\[1\].key is empty"):
        defaults(decode(text, {}), {})


def test_models_that_run_here_have_none() -> None:
    text = '[providers.s]\nkind = "sandbox"\ndeployments = [{ key = "k" }]\n'
    with pytest.raises(Misconfigured, match="has no use"):
        defaults(decode(text, {}), {})


def test_a_look_up_needs_them_at_the_provider() -> None:
    text = HEAD + 'usage_lookup = "/usage/{id}"' + TARGET + 'deployments = [{ key = "k" }]'
    with pytest.raises(Misconfigured, match="write them at the provider"):
        defaults(decode(text, {}), {})


@pytest.mark.parametrize("given", ['["short"]', '["${A}", "short"]'])
def test_a_weak_master_key_is_refused(given: str) -> None:
    with pytest.raises(Misconfigured, match=r"tenant_keys.master\[\d\] is shorter than 32 bytes"):
        decode(f"[tenant_keys]\nmaster = {given}", {"A": "a" * 32})


def test_the_environments_master_key_counts_where_the_file_has_none() -> None:
    env = {"PENSTOCK_MASTER_KEY": "e" * 32}
    assert defaults(None, env)[0].tenant_keys.master == ("e" * 32,)
    own = decode(f'[tenant_keys]\nmaster = ["{"f" * 32}"]', {})
    assert defaults(own, env)[0].tenant_keys.master == ("f" * 32,)
    with pytest.raises(Misconfigured, match="shorter"):
        defaults(None, {"PENSTOCK_MASTER_KEY": "short"})
