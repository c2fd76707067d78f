"""The configuration: frozen values, decoded and validated once, filled from the environment."""

from __future__ import annotations

from penstock.config.decode import decode
from penstock.config.defaults import defaults
from penstock.config.values import (
    Auth,
    Cache,
    Config,
    Cors,
    Issuer,
    Kind,
    KnownModel,
    Limit,
    Provider,
    Route,
    RouteCache,
    Scale,
    Server,
    Stores,
    Target,
    Tier,
    TimeoutSettings,
    Verb,
)

__all__ = [
    "Auth",
    "Cache",
    "Config",
    "Cors",
    "Issuer",
    "Kind",
    "KnownModel",
    "Limit",
    "Provider",
    "Route",
    "RouteCache",
    "Scale",
    "Server",
    "Stores",
    "Target",
    "Tier",
    "TimeoutSettings",
    "Verb",
    "decode",
    "defaults",
]
