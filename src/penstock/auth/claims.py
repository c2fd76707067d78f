"""From a checked token's claims, or a key's row, to a caller."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from penstock.auth import refusals, scopes
from penstock.auth.caller import DEFAULT_TENANT, FREE, Caller
from penstock.auth.jwt import is_name
from penstock.auth.keys import ApiKey


def caller_of_token(
    claims: Mapping[str, Any],
    credential: str,
    tiers: Collection[str],
    admin_roles: Collection[str],
) -> Caller:
    """The caller a token is for; raises Unauthorized where tenant or scope cannot be read."""
    role = _text(claims, "role")
    granted = _scopes(claims)
    return Caller(
        sub=claims["sub"],
        tenant=_tenant(claims),
        tier=_tier(_text(claims, "tier"), tiers),
        scopes=granted | {scopes.ADMIN} if role in admin_roles else granted,
        email=_text(claims, "email"),
        role=role,
        credential=credential,
        exp=float(claims["exp"]),
    )


def caller_of_key(key: ApiKey, tiers: Collection[str]) -> Caller:
    """The caller for whom a key was made."""
    return Caller(
        sub=key.sub,
        tenant=key.tenant,
        tier=_tier(key.tier, tiers),
        scopes=key.scopes,
        credential=key.hash,
        exp=key.expires_at,
        key_id=key.id,
    )


def _tenant(claims: Mapping[str, Any]) -> str:
    tenant = claims.get("tenant") or claims.get("workspaceId") or DEFAULT_TENANT
    if not is_name(tenant):
        raise refusals.invalid_token()
    return str(tenant)


def _tier(tier: str, tiers: Collection[str]) -> str:
    return tier if tier in tiers else FREE


def _scopes(claims: Mapping[str, Any]) -> frozenset[str]:
    named = [claims[name] for name in ("scope", "scopes") if claims.get(name) is not None]
    if not named:
        return scopes.DEFAULT
    return frozenset(scope for value in named for scope in _words(value))


def _words(value: object) -> list[str]:
    if isinstance(value, str):
        return value.split()
    if isinstance(value, list) and all(isinstance(scope, str) for scope in value):
        return value
    raise refusals.invalid_token()


def _text(claims: Mapping[str, Any], name: str) -> str:
    value = claims.get(name)
    return value if isinstance(value, str) and is_name(value) else ""
