"""What the services are told by the environment; an empty variable counts as unset."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

from penstock.config import Issuer
from penstock.errors import Misconfigured

PORTS = {"auth": 8801, "chat": 8802, "billing": 8803}
HERE = "http://127.0.0.1:"
ISSUER = "penstock-auth"
AUDIENCE = "penstock"
SHORTEST_SECRET = 32


class Settings(Struct, frozen=True):
    """Everything the three services are configured by, complete."""

    data: Path
    issuer: Issuer
    """Who signs tokens: the auth service itself."""
    taken: tuple[Issuer, ...]
    """Whose tokens chat and billing take."""
    databases: dict[str, str]
    """PostgreSQL addresses by service; a service without one keeps a SQLite file in `data`."""
    secret: str
    """Hex or text that the services of one installation share; empty: made in `data`."""
    smtp_url: str
    mail_from: str
    app_url: str
    auth_url: str
    gateway_url: str
    openai_key: str
    openai_url: str
    chat_models: tuple[str, ...]
    """Models that callers may name; the first is the default."""
    stripe_key: str
    stripe_url: str
    stripe_secrets: tuple[str, ...]
    prices: dict[str, str]
    """Stripe's price ids by tier."""


def read(env: Mapping[str, str], data: Path, issuer: Issuer | None = None) -> Settings:
    """The settings of services beside a gateway that has this issuer, or of one alone; raises Misconfigured."""
    alone = Issuer(
        mode="jwks",
        issuer=env.get("AUTH_ISSUER") or ISSUER,
        audience=env.get("AUTH_AUDIENCE") or AUDIENCE,
        jwks_url=env.get("AUTH_JWKS_URL") or f"{HERE}{PORTS['auth']}/api/auth/jwks.json",
        algorithms=("EdDSA",),
    )
    given = env.get("JWT_SECRET")
    others = (Issuer(mode="hs256", secret=given),) if given and issuer is None else ()
    prices = {tier: env.get(f"STRIPE_PRICE_{tier.upper()}") or "" for tier in ("pro", "enterprise")}
    return Settings(
        data=data,
        issuer=issuer or alone,
        taken=(issuer or alone, *others),
        databases={name: env.get(f"{name.upper()}_DATABASE_URL") or "" for name in PORTS},
        secret=_secret(env),
        smtp_url=env.get("SMTP_URL") or "",
        mail_from=env.get("MAIL_FROM") or "Penstock <penstock@localhost>",
        app_url=env.get("APP_URL") or "",
        auth_url=env.get("AUTH_SERVICE_URL") or ("" if issuer else f"{HERE}{PORTS['auth']}"),
        gateway_url=env.get("GATEWAY_URL") or "",
        openai_key=env.get("OPENAI_API_KEY") or "",
        openai_url=env.get("OPENAI_BASE_URL") or "",
        chat_models=tuple(_words(env.get("CHAT_MODELS"))) or ("gpt-4o",),
        stripe_key=env.get("STRIPE_SECRET_KEY") or "",
        stripe_url=env.get("STRIPE_API_BASE") or "",
        stripe_secrets=tuple(_words(env.get("STRIPE_WEBHOOK_SECRET"))),
        prices={tier: price for tier, price in prices.items() if price},
    )


def _words(text: str | None) -> list[str]:
    return (text or "").replace(",", " ").split()


def _secret(env: Mapping[str, str]) -> str:
    secret = env.get("SERVICES_SECRET") or ""
    if secret and len(secret) < SHORTEST_SECRET:
        raise Misconfigured(
            f"SERVICES_SECRET can be guessed; use at least {SHORTEST_SECRET} characters, such as"
            " `openssl rand -hex 32` prints."
        )
    return secret
