"""By what targets are reached: the deployments of each, whether configured or the one that follows from its provider."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from msgspec.structs import replace

from penstock.config.catalog import join
from penstock.config.deployments import Deployment
from penstock.config.urls import parts_of
from penstock.config.values import Config, Provider, Target
from penstock.errors import Misconfigured

MOST = 64
"""Deployments of a target."""
BY_HTTP = frozenset({"openai", "anthropic", "workers_ai"})
KEYED = frozenset({"anthropic", "workers_ai"})
_PLAIN = Deployment()
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")


class Reached(NamedTuple):
    """One deployment: its name, its settings, and the provider as it is reached there."""

    name: str
    settings: Deployment
    at: Provider


def reached(provider: Provider, target: Target | None = None) -> tuple[Reached, ...]:
    """The deployments of a target, or of a provider for those that have none of their own: never none."""
    given = (target.deployments if target else ()) or provider.deployments
    if not given:
        return (Reached("1", _PLAIN, provider),)
    return tuple(
        [Reached(one.name or str(at), one, _at(provider, one)) for at, one in enumerate(given, 1)]
    )


def everywhere(config: Config) -> Iterator[tuple[str, Reached]]:
    """Each of a provider's deployments and of its targets' own, with the name of the provider or target that has it."""
    for name, provider in config.providers.items():
        for one in reached(provider):
            yield name, one
    for target in config.targets:
        if target.deployments:
            for one in reached(config.providers[target.provider], target):
                yield target.name, one


def check_deployments(config: Config) -> None:
    """Each can be reached and has a name of its own; raises Misconfigured."""
    for name, provider in config.providers.items():
        _check(provider, provider.deployments, join("providers", name))
    for at, target in enumerate(config.targets):
        path = f"targets[{at}]"
        provider = config.providers[target.provider]
        _check(provider, target.deployments, path)
        if target.deployments and provider.usage_lookup:
            raise Misconfigured(
                f"{path}.deployments cannot be asked by usage_lookup; write them at the provider"
            )


def _at(provider: Provider, one: Deployment) -> Provider:
    """A provider's own key goes nowhere but to its own address."""
    if one.url:
        return replace(provider, base_url=one.url.rstrip("/"), api_key=one.key)
    return replace(provider, api_key=one.key or provider.api_key)


def _check(provider: Provider, given: Sequence[Deployment], path: str) -> None:
    if not given:
        return
    if provider.kind not in BY_HTTP or provider.bound:
        raise Misconfigured(
            f"{path}.deployments has no use: its models run here or are bound; remove it"
        )
    if len(given) > MOST:
        raise Misconfigured(f"{path}.deployments has more than {MOST}; name fewer")
    names: set[str] = set()
    for at, one in enumerate(given):
        here = f"{path}.deployments[{at}]"
        _check_one(provider, one, here)
        name = one.name or str(at + 1)
        if name in names:
            raise Misconfigured(f"{here}.name is {name}, as another's; choose one of its own")
        names.add(name)


def _check_one(provider: Provider, one: Deployment, path: str) -> None:
    if one.name and not _NAME.fullmatch(one.name):
        raise Misconfigured(
            f"{path}.name is no name; use up to 64 letters, digits, dots, dashes and underscores"
        )
    if one.url:
        url = parts_of(one.url)
        if url is None or url.query or url.fragment or "@" in url.netloc:
            raise Misconfigured(
                f"{path}.url is no plain http or https address; write it as https://host/v1"
            )
    if provider.kind in KEYED and not _at(provider, one).api_key:
        raise Misconfigured(
            f"{path}.key is empty; kind {provider.kind} needs one, best written ${{VAR}}"
        )
