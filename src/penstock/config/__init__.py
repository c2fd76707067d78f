"""The configuration: frozen values, decoded and validated once, filled from the environment."""

from __future__ import annotations

from penstock.config.decode import decode, read
from penstock.config.defaults import defaults
from penstock.config.values import (
    Auth,
    Budget,
    Cache,
    Config,
    Cors,
    Issuer,
    Kind,
    KnownModel,
    Limit,
    OwnPrice,
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
    "Budget",
    "Cache",
    "Config",
    "Cors",
    "Issuer",
    "Kind",
    "KnownModel",
    "Limit",
    "OwnPrice",
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
    "read",
]
