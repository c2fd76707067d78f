"""The configuration: frozen values, decoded and validated once, filled from the environment."""

from __future__ import annotations

from penstock.config.decode import decode, read
from penstock.config.defaults import defaults
from penstock.config.deployments import Deployment, TenantKeys
from penstock.config.proxied import Backend, ServiceCache, WebSockets
from penstock.config.rag import Rag
from penstock.config.routed import QUALITY, Route, RouteCache, TimeoutSettings, Verb
from penstock.config.stores import Cache, Stores
from penstock.config.tiers import Tier
from penstock.config.values import (
    Auth,
    Budget,
    Config,
    Cors,
    Issuer,
    Kind,
    KnownModel,
    Limit,
    OwnPrice,
    Provider,
    Scale,
    Server,
    Service,
    Target,
)

__all__ = [
    "QUALITY",
    "Auth",
    "Backend",
    "Budget",
    "Cache",
    "Config",
    "Cors",
    "Deployment",
    "Issuer",
    "Kind",
    "KnownModel",
    "Limit",
    "OwnPrice",
    "Provider",
    "Rag",
    "Route",
    "RouteCache",
    "Scale",
    "Server",
    "Service",
    "ServiceCache",
    "Stores",
    "Target",
    "TenantKeys",
    "Tier",
    "TimeoutSettings",
    "Verb",
    "WebSockets",
    "decode",
    "defaults",
    "read",
]
