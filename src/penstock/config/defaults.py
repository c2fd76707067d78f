"""What is not configured, filled in from the environment, with the lines that say what came of it."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import replace

from penstock.config import environment, routes, services
from penstock.config.accounts import Billing
from penstock.config.check import LISTED, SECRET_BYTES, check_whole
from penstock.config.deployments import TenantKeys
from penstock.config.embedder import embedder
from penstock.config.routed import QUALITY, Route
from penstock.config.standing import LIMITS, TIERS, VENDOR_URLS
from penstock.config.targets import Known, default_targets, sandbox_aliases
from penstock.config.urls import shown
from penstock.config.values import Auth, Config, Issuer, Provider
from penstock.errors import Misconfigured

CHAT = "chat"
WEBHOOK_SECRET = "STRIPE_WEBHOOK_SECRET"
MASTER_KEY = "PENSTOCK_MASTER_KEY"
CANNED = (
    "no provider is configured: the sandbox gives labelled, canned replies; set OPENAI_API_KEY,"
    " ANTHROPIC_API_KEY, CLOUDFLARE_ACCOUNT_ID with CLOUDFLARE_API_TOKEN, or OLLAMA_HOST"
)


def defaults(
    config: Config | None, env: Mapping[str, str], known: Known | None = None
) -> tuple[Config, list[str]]:
    """A configuration that is whole and checked, and notes for start-up to print; warnings begin with `warning: `.

    `known` has the models of the price table by kind. Providers and issuers of the environment count only
    where the file names none. Raises Misconfigured.
    """
    whole = config or Config()
    whole = _with_basics(whole, env)
    whole, canned = _with_providers(whole, env, known or {})
    whole = _with_routes(whole)
    whole = _with_aliases(whole)
    whole = replace(whole, services=services.completed(whole.services, env))
    check_whole(whole)
    return whole, _notes(whole, env, canned)


def _with_basics(config: Config, env: Mapping[str, str]) -> Config:
    data = env.get("PENSTOCK_DATA") or config.data
    return replace(
        config,
        data=data if config.data == Config().data else config.data,
        tiers=TIERS | config.tiers,
        limits=LIMITS | config.limits,
        auth=_auth(config.auth, env),
        billing=_billing(config.billing, env),
        tenant_keys=_tenant_keys(config.tenant_keys, env),
    )


def _billing(billing: Billing, env: Mapping[str, str]) -> Billing:
    named = (env.get(WEBHOOK_SECRET) or "").replace(",", " ").split()
    return replace(billing, webhook_secrets=billing.webhook_secrets or tuple(named))


def _tenant_keys(given: TenantKeys, env: Mapping[str, str]) -> TenantKeys:
    secret = env.get(MASTER_KEY)
    return TenantKeys(master=(secret,)) if secret and not given.master else given


def _auth(auth: Auth, env: Mapping[str, str]) -> Auth:
    secret = env.get("JWT_SECRET")
    if auth.issuers or not secret:
        return auth
    if len(secret.encode()) < SECRET_BYTES:
        raise Misconfigured(
            f"JWT_SECRET is shorter than {SECRET_BYTES} bytes; make one by `openssl rand -hex 32`"
        )
    return replace(auth, issuers=(Issuer(mode="hs256", secret=secret),))


def _with_providers(config: Config, env: Mapping[str, str], known: Known) -> tuple[Config, bool]:
    """Its providers, else the environment's, else (the second value then is true) the sandbox; each with targets."""
    providers, targets, canned = config.providers, config.targets, False
    if not providers:
        found = environment.providers(env)
        providers, targets = found.providers, targets + found.targets
        if config.platform == "cloudflare":
            providers = {"cloudflare": environment.BOUND} | providers
        canned = all(provider.kind == "local" for provider in providers.values())
        providers = providers | ({"sandbox": Provider(kind="sandbox")} if canned else {})
    served = _served(config, providers, env)
    # A bare model name means the first that has it: no stand-in goes before it, and it before no provider.
    providers = served | providers if canned else providers | served
    providers = {name: _rooted(provider) for name, provider in providers.items()}
    providers = {name: _sharing(one, providers) for name, one in providers.items()}
    have = {target.provider for target in targets}
    for name, provider in providers.items():
        if name not in have:
            targets += tuple(default_targets(name, provider, known))
    return replace(config, providers=providers, targets=targets), canned


def _served(
    config: Config, providers: Mapping[str, Provider], env: Mapping[str, str]
) -> dict[str, Provider]:
    """The chat service that the environment names, as a provider; nothing where the file has one, or the name."""
    url, given = env.get(services.VARIABLES[CHAT]), config.services.get(CHAT)
    have = CHAT in providers or any(one.kind == "service" for one in providers.values())
    if not url or have or (given is not None and given.backends):
        return {}
    return {CHAT: Provider(kind="service", base_url=url)}


def _rooted(provider: Provider) -> Provider:
    url = provider.base_url or VENDOR_URLS.get(provider.kind, "")
    return replace(provider, base_url=url.rstrip("/"))


def _sharing(provider: Provider, providers: Mapping[str, Provider]) -> Provider:
    """With the free neurons of its account, which the vendor counts together whatever reaches it is called."""
    if provider.kind != "workers_ai":
        return provider
    free = [
        other.free_neurons_per_day
        for other in providers.values()
        if (other.kind, other.account) == (provider.kind, provider.account)
    ]
    return replace(provider, free_neurons_per_day=max(free))


def _with_routes(config: Config) -> Config:
    config = replace(config, targets=(*config.targets, *routes.named_targets(config)))
    made: dict[str, Route] = {}
    if auto := routes.auto(config):
        made["auto"] = auto
    embed = routes.embed(config)
    if embed is None:
        config = _with_hashed(config)
        embed = routes.embed(config)
    if embed:
        made["embed"] = embed
    return replace(config, routes=config.routes | made)


def _with_hashed(config: Config) -> Config:
    """Lexical vectors need nothing, so that every configuration can embed."""
    if "hashed" in config.providers:
        return config
    provider = Provider(kind="hashed")
    targets = (*config.targets, *default_targets("hashed", provider, {}))
    return replace(config, providers=config.providers | {"hashed": provider}, targets=targets)


def _with_aliases(config: Config) -> Config:
    given = sandbox_aliases(config.targets)
    if auto := config.routes.get("auto"):
        given |= routes.retired_aliases(auto)
    return replace(config, aliases=given | config.aliases)


def _notes(config: Config, env: Mapping[str, str], canned: bool) -> list[str]:
    notes = [_provider_note(config, name) for name in config.providers]
    notes += [
        _route_note(name, config.routes[name])
        for name in ("auto", "embed")
        if name in config.routes
    ]
    notes += [services.note(name, service) for name, service in config.services.items()]
    notes += [_documents_note(config), _issuer_note(config.auth)]
    warnings = [CANNED] if canned else []
    if "auto" not in config.routes:
        warnings.append("no target can chat, so there is no route auto; configure a provider")
    warnings += environment.warnings(env) + _idle_providers(config) + services.warnings(config)
    return notes + [f"warning: {warning}" for warning in warnings]


def _provider_note(config: Config, name: str) -> str:
    provider = config.providers[name]
    count = sum(target.provider == name for target in config.targets)
    url = shown(provider.base_url)
    place = f" at {url}" if url else ""
    by = f", {len(provider.deployments)} deployments" if len(provider.deployments) > 1 else ""
    targets = f"{count} target{'' if count == 1 else 's'}"
    return f"provider {name}: {provider.kind}{place}, {targets}{by}"


def _route_note(name: str, route: Route) -> str:
    if route.policy == "fixed":
        return f"{name}: {', '.join(route.targets)}"
    if route.policy in LISTED:
        return f"{name}: {route.policy} of {', '.join(route.targets)}"
    if route.policy == "learned":
        quality = QUALITY if route.quality is None else route.quality
        share = route.strong_share
        held = f"quality {quality:g}" if share is None else f"strong share {share:g}"
        return f"{name}: learned, {route.simple} or {route.strong}, {held}"
    return f"{name}: simple {route.simple}, medium {route.medium}, strong {route.strong}"


def _documents_note(config: Config) -> str:
    found = embedder(config)
    if config.platform == "cloudflare":
        # Vectorize has no search by words.
        if found.target is not None:
            return f"documents: found by the vectors of {found.target.name}"
        return f"documents: none are taken, since {found.why}"
    if found.target is not None:
        return f"documents: found by words and by the vectors of {found.target.name}"
    return f"documents: found by words alone, since {found.why}"


def _issuer_note(auth: Auth) -> str:
    if not auth.issuers:
        return "tokens: a development issuer, its secret made on first run (`penstock token`)"
    return "tokens: " + ", ".join(f"{i.mode} {i.issuer or 'without iss'}" for i in auth.issuers)


def _idle_providers(config: Config) -> list[str]:
    have = {target.provider for target in config.targets}
    return [
        f"provider {name} has no targets; name them under targets, or set any_model = true"
        for name, provider in config.providers.items()
        if name not in have and not provider.any_model
    ]
