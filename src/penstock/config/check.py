"""What a type cannot say: whether the parts of a configuration fit each other and the world."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable

from penstock.config.catalog import join
from penstock.config.embedder import embeds
from penstock.config.mail import check_mail
from penstock.config.monthly import check_monthly
from penstock.config.rag import Rag
from penstock.config.reached import BY_HTTP, KEYED, check_deployments
from penstock.config.routed import Route, Verb
from penstock.config.services import INSIDE, check_root, check_services, inside
from penstock.config.spending import check_budgets, check_costs, check_prices
from penstock.config.standing import TIERS
from penstock.config.telemetry import check_telemetry
from penstock.config.tiers import Tier
from penstock.config.urls import parts_of
from penstock.config.values import Config, Issuer, Provider, Target
from penstock.errors import Misconfigured

SECRET_BYTES = 32
FORM_BYTES = 64 << 10
"""What an upload may have beside its document."""
POSTGRES_SCHEMES = ("postgresql://", "postgres://")
REDIS_SCHEMES = ("redis://", "rediss://", "unix://", "redis+cluster://", "rediss+cluster://")

LISTED = frozenset({"fixed", "weighted", "cheapest-that-fits"})
"""Policies that choose among `targets`."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_LOOKED_UP = frozenset({"openai"})


def check_values(config: Config) -> None:
    """Each section by itself, as a file can be judged before defaults are filled in; raises Misconfigured."""
    _check_server(config)
    _check_stores(config)
    check_telemetry(config.telemetry, config.platform)
    for at, issuer in enumerate(config.auth.issuers):
        _check_issuer(issuer, f"auth.issuers[{at}]")
    for at, origin in enumerate(config.cors.origins):
        _check_origin(origin, f"cors.origins[{at}]")
    check_budgets(config.budgets)
    check_costs(config)
    check_mail(config.mail)
    check_monthly(config.monthly_report, config.mail, config.platform)
    if "" in config.billing.webhook_secrets:
        raise Misconfigured("billing.webhook_secrets has an empty one; remove it")
    for at, secret in enumerate(config.tenant_keys.master):
        if len(secret.encode()) < SECRET_BYTES:
            raise Misconfigured(
                f"tenant_keys.master[{at}] is shorter than {SECRET_BYTES} bytes; make one by"
                " `openssl rand -hex 32`"
            )
    _check_names(config)


def check_whole(config: Config) -> None:
    """Everything, once defaults are filled in: every reference has an end of the right kind; raises Misconfigured."""
    check_values(config)
    _check_one_local(config)
    for name, provider in config.providers.items():
        _check_provider(config, provider, join("providers", name))
    for at, target in enumerate(config.targets):
        _check_target(config, target, at)
    _check_unique(config.targets)
    check_deployments(config)
    for name, route in config.routes.items():
        _check_route(config, route, join("routes", name))
    check_prices(config)
    if config.savings.baseline:
        _end(config, config.savings.baseline, "savings.baseline", verb="chat")
    _check_rare(config)
    check_services(config)
    _check_documents(config)
    for alias, end in config.aliases.items():
        if end not in config.routes:
            _end(config, end, join("aliases", alias), routes=config.routes)


def _check_rare(config: Config) -> None:
    """What few have, and a Worker starts without."""
    if any(route.shadow for route in config.routes.values()):
        from penstock.config.shadows import check_shadows

        check_shadows(config)
    if config.alerting.channels or config.alerts:
        from penstock.config.watched import check_alerts

        check_alerts(config)


def _check_server(config: Config) -> None:
    if not config.server.host.strip():
        raise Misconfigured("server.host is empty; write 127.0.0.1, or 0.0.0.0 for every interface")
    if not config.data.strip():
        raise Misconfigured("data is empty; name the directory the gateway may write to")
    for at, network in enumerate(config.server.trusted_proxies):
        try:
            ipaddress.ip_network(network, strict=False)
        except ValueError as error:
            path = f"server.trusted_proxies[{at}]"
            raise Misconfigured(
                f"{path} is no address or network; write it as 10.0.0.0/8"
            ) from error


def _check_stores(config: Config) -> None:
    stores = config.stores
    if config.platform != "server":
        for name in ("postgres", "redis"):
            if getattr(stores, name):
                raise Misconfigured(
                    f'stores.{name} is not used by platform "{config.platform}"; write platform = "server"'
                )
        return
    if not stores.postgres.startswith(POSTGRES_SCHEMES):
        raise Misconfigured(
            f"stores.postgres {_what_is(stores.postgres)}; write it as postgresql://user:password@host:5432/name"
        )
    if not stores.redis.startswith(REDIS_SCHEMES):
        raise Misconfigured(
            f"stores.redis {_what_is(stores.redis)}; write it as redis://host:6379/0 (rediss:// for TLS,"
            " redis+cluster://host:6379 for a cluster)"
        )


def _what_is(dsn: str) -> str:
    """What is wrong with an address, without its text, which may hold a password."""
    return "is no address" if dsn else 'is empty, and platform "server" needs it'


def _check_issuer(issuer: Issuer, path: str) -> None:
    if issuer.mode == "hs256":
        if len(issuer.secret.encode()) < SECRET_BYTES:
            raise Misconfigured(
                f"{path}.secret is shorter than {SECRET_BYTES} bytes; make one by `openssl rand -hex 32`"
            )
        return
    for name in ("issuer", "audience"):
        if not getattr(issuer, name):
            raise Misconfigured(f"{path}.{name} is empty; a jwks issuer needs it")
    if not issuer.algorithms:
        raise Misconfigured(f"{path}.algorithms is empty; name RS256, ES256 or EdDSA")
    url = parts_of(issuer.jwks_url)
    if url is None or not (url.scheme == "https" or _is_here(url.hostname or "")):
        raise Misconfigured(f"{path}.jwks_url is no https address; write it as https://host/path")


def _check_origin(origin: str, path: str) -> None:
    if "*" in origin:
        raise Misconfigured(
            f"{path} has a `*`; credentials are allowed, so name each origin in full"
        )
    url = parts_of(origin)
    if url is None or url.path or url.query or url.fragment or "@" in url.netloc:
        raise Misconfigured(f"{path} is no origin; write it as https://host or http://host:3000")


def _check_names(config: Config) -> None:
    named: dict[str, Iterable[str]] = {
        "providers": config.providers, "tiers": config.tiers, "services": config.services,
        "alerting.channels": config.alerting.channels,
    }  # fmt: skip
    for section, names in named.items():
        for name in names:
            _check_name(name, section)


def _check_name(name: str, section: str) -> None:
    if not _NAME.fullmatch(name):
        raise Misconfigured(
            f"{join(section, name)} is no name; use letters, digits, dot, dash and underscore"
        )


def _check_provider(config: Config, provider: Provider, path: str) -> None:
    if provider.kind == "service":
        _check_reached(config, provider, f"{path}.base_url")
    if provider.kind in BY_HTTP and parts_of(provider.base_url) is None:
        raise Misconfigured(
            f"{path}.base_url is no http or https address; write it as https://host/v1"
        )
    bound = config.platform == "cloudflare" and provider.bound
    keyed = provider.api_key or provider.deployments or bound
    if provider.kind in KEYED and not keyed:
        raise Misconfigured(
            f"{path}.api_key is empty; kind {provider.kind} needs one, best written ${{VAR}}"
        )
    if provider.kind == "workers_ai" and not (provider.account or bound):
        raise Misconfigured(f"{path}.account is empty; name the Cloudflare account's id")
    if provider.believed and provider.kind != "service":
        raise Misconfigured(
            f"{path}.believed is set, and kind {provider.kind} tells no cost; remove it"
        )
    if provider.usage_lookup:
        _check_lookup(provider, f"{path}.usage_lookup")
    if provider.kind == "local" and not provider.path:
        raise Misconfigured(f"{path}.path is empty; name the directory of the model")


def _check_reached(config: Config, provider: Provider, path: str) -> None:
    """A chat service is at an address, or runs in this process."""
    name = provider.base_url.removeprefix(INSIDE)
    if name == provider.base_url:
        check_root(provider.base_url, path)
    elif name != "chat" or name not in inside(config.services):
        raise Misconfigured(
            f"{path} names no service that runs in this process; write internal://chat, and a backend of services.chat"
            " with the same"
        )


def _check_lookup(provider: Provider, path: str) -> None:
    if provider.kind not in _LOOKED_UP:
        raise Misconfigured(f"{path} is set, and kind {provider.kind} has no look-up; remove it")
    below = provider.usage_lookup.startswith("/")
    if "{id}" not in provider.usage_lookup or not (below or parts_of(provider.usage_lookup)):
        raise Misconfigured(
            f"{path} is no address with {{id}}; write it as /usage/{{id}} or https://host/usage/{{id}}"
        )


def _check_one_local(config: Config) -> None:
    local = [name for name, provider in config.providers.items() if provider.kind == "local"]
    if len(local) > 1:
        raise Misconfigured(
            f"{join('providers', local[1])} is a second provider of kind local; one process runs one model"
        )


def _check_target(config: Config, target: Target, at: int) -> None:
    path = f"targets[{at}]"
    if target.provider not in config.providers:
        raise Misconfigured(
            f"{path}.provider names no provider{_like(target.provider, config.providers)}"
        )
    if not target.model:
        raise Misconfigured(f"{path}.model is empty; name the model as the provider calls it")
    kind = config.providers[target.provider].kind
    if target.verb == "chat" and kind in {"local", "hashed"}:
        raise Misconfigured(f'{path} is for chat, and kind {kind} only embeds; set verb = "embed"')
    if target.verb == "embed" and kind in {"anthropic", "service"}:
        raise Misconfigured(f"{path} is for embed, and kind {kind} only chats; remove it")


def _check_documents(config: Config) -> None:
    if config.rag.embedding != Rag().embedding and embeds(config) is None:
        raise Misconfigured(
            f'rag.embedding names {config.rag.embedding}, which is no route or target that embeds; write "embed"'
        )
    if config.rag.model != Rag().model and not _chats(config, config.rag.model):
        raise Misconfigured(
            f'rag.model names {config.rag.model}, which is no route or target that chats; write "auto"'
        )
    room = config.server.max_body_bytes - FORM_BYTES
    for name, tier in config.tiers.items():
        # What stands there by default bows to a smaller bound of bodies.
        told = tier.document_bytes != TIERS.get(name, Tier()).document_bytes
        if told and tier.document_bytes > room:
            raise Misconfigured(
                f"{join('tiers', name)}.document_bytes is more than a request may have; set server.max_body_bytes to"
                f" {tier.document_bytes + FORM_BYTES} or more"
            )


def _chats(config: Config, name: str) -> bool:
    name = config.aliases.get(name, name)
    route = config.routes.get(name)
    if route is not None:
        return route.verb == "chat"
    return any(one.verb == "chat" and name in (one.name, one.model) for one in config.targets)


def _check_unique(targets: Iterable[Target]) -> None:
    seen: set[str] = set()
    for at, target in enumerate(targets):
        if target.name in seen:
            raise Misconfigured(f"targets[{at}] names {target.name} again; remove one of the two")
        seen.add(target.name)


def _check_route(config: Config, route: Route, path: str) -> None:
    if route.policy in LISTED:
        _check_listed(config, route, path)
        return
    if route.verb != "chat":
        raise Misconfigured(
            f"{path}.policy {route.policy} reads messages; for {route.verb} set fixed"
        )
    steps = ("simple", "strong") if route.policy == "learned" else ("simple", "medium", "strong")
    for step in steps:
        name = getattr(route, step)
        if not name:
            raise Misconfigured(
                f"{path}.{step} is empty; policy {route.policy} needs a target there"
            )
        _end(config, name, f"{path}.{step}", verb=route.verb)
    if route.quality is not None and route.strong_share is not None:
        raise Misconfigured(
            f"{path}.quality and {path}.strong_share cannot both hold; keep one of the two"
        )


def _check_listed(config: Config, route: Route, path: str) -> None:
    """A policy that chooses among `targets`."""
    if not route.targets:
        raise Misconfigured(f"{path}.targets is empty; name at least one target")
    if route.policy != "fixed" and route.verb != "chat":
        raise Misconfigured(
            f"{path}.policy {route.policy} changes the model, and vectors of two do not compare; for embed set fixed"
        )
    if route.policy == "weighted" and len(route.weights) != len(route.targets):
        raise Misconfigured(f"{path}.weights has not one for each of {path}.targets; write as many")
    for at, name in enumerate(route.targets):
        _end(config, name, f"{path}.targets[{at}]", verb=route.verb)


def _end(
    config: Config, name: str, path: str, *, verb: Verb | None = None, routes: Iterable[str] = ()
) -> None:
    """The target of that name exists and does what is asked of it."""
    found = {target.name: target.verb for target in config.targets}
    if name not in found:
        raise Misconfigured(f"{path} names no target{_like(name, [*found, *routes])}")
    if verb and found[name] != verb:
        raise Misconfigured(
            f"{path} names {name}, which is for {found[name]}; name a target for {verb}"
        )


def _like(name: str, known: Iterable[str]) -> str:
    import difflib  # as in decode.py

    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.0)
    return f"; the nearest is {close[0]}" if close else "; there is none yet, add it"


def _is_here(host: str) -> bool:
    return host in {"localhost", "127.0.0.1", "::1"}
