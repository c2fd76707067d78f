"""The reference services in the gateway's own process: which of them, and opened behind its `Fetch`."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from importlib.util import find_spec
from pathlib import Path

from msgspec.structs import replace

from penstock.config import Backend, Config, Issuer, Server, Service
from penstock.config.services import INSIDE, VARIABLES, inside
from penstock.entry.lines import report
from penstock.errors import Misconfigured, Missing
from penstock.ports import Fetch

PARTS = ("penstock_services", "argon2", "stripe")
"""What must be installed for them."""
INSTALL = "pip install 'penstock[services]'"


def standing(env: Mapping[str, str]) -> tuple[dict[str, Service], list[str]]:
    """The services that run here where no file says otherwise and no address is in the environment, and what there is to say."""
    names = [name for name, variable in VARIABLES.items() if not env.get(variable)]
    if names and (lacking := missing()):
        return {}, [
            f"warning: the services {', '.join(names)} do not run here, for {' and '.join(lacking)}"
            f" {'is' if len(lacking) == 1 else 'are'} not installed: {INSTALL}"
        ]
    return {name: Service(backends=(Backend(url=f"{INSIDE}{name}"),)) for name in names}, []


def missing() -> list[str]:
    """What of their parts is not installed."""
    return [part for part in PARTS if find_spec(part) is None]


def signer(config: Config) -> Issuer:
    """By whose secret the auth service signs: then a login and `penstock token` are of one issuer. Raises Misconfigured."""
    for issuer in config.auth.issuers:
        if issuer.mode == "hs256":
            return issuer
    if "auth" in inside(config.services):
        raise Misconfigured(
            "internal://auth signs by a shared secret, and auth.issuers has no hs256 issuer: add one, or start"
            " `penstock services auth` and write its address"
        )
    return config.auth.issuers[0]


def here(server: Server) -> str:
    """Where the services reach the gateway themselves; empty where its port is not known before it listens."""
    if not server.port:
        return ""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(server.host, server.host)
    return f"http://[{host}]:{server.port}" if ":" in host else f"http://{host}:{server.port}"


def check_same(now: Config, wanted: Config) -> None:
    """That a reload asks for no service that does not run here, nor for other secrets of those that do; raises Misconfigured."""
    names = inside(wanted.services)
    fresh = sorted(names - inside(now.services))
    if fresh:
        raise Misconfigured(f"{INSIDE}{fresh[0]} is not running yet; restart to have it")
    if names and now.auth.issuers != wanted.auth.issuers:
        raise Misconfigured(
            "auth.issuers cannot change while services run in this process; restart it"
        )
    if "billing" in names and now.billing != wanted.billing:
        raise Misconfigured(
            "billing.webhook_secrets cannot change while billing runs in this process; restart it"
        )


@asynccontextmanager
async def with_services(
    config: Config, outer: Fetch, env: Mapping[str, str]
) -> AsyncGenerator[Fetch]:
    """`outer`, and before it the services that the configuration has run here; raises Misconfigured or Missing."""
    names = inside(config.services)
    if not names:
        yield outer
        return
    if lacking := missing():
        raise Missing(f"internal:// needs {' and '.join(lacking)}: {INSTALL}")
    from penstock_services import NAMES
    from penstock_services import inside as opened
    from penstock_services.settings import read

    settings = read(env, Path(config.data), signer(config))
    gateway_url = settings.gateway_url or here(config.server)
    settings = replace(
        settings, taken=config.auth.issuers, gateway_url=gateway_url,
        stripe_secrets=config.billing.webhook_secrets,
    )  # fmt: skip
    wanted = [name for name in NAMES if name in names]
    async with opened(wanted, settings, report, outer) as fetch:
        yield fetch
