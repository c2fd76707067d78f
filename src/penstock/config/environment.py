"""The providers that the environment names, under the names their own tools read."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from penstock.config.standing import CLOUDFLARE_URL, OPENAI_URL, VENDOR_URLS
from penstock.config.values import Provider, Target


class Found(Struct, frozen=True):
    """What was found; `targets` only where the environment names models too."""

    providers: dict[str, Provider]
    targets: tuple[Target, ...] = ()


BOUND = Provider(kind="workers_ai", free_neurons_per_day=10_000)
"""Workers AI as it is bound to a Worker."""


def providers(env: Mapping[str, str]) -> Found:
    """All providers named; an empty variable counts as unset."""
    found: dict[str, Provider] = {}
    targets: list[Target] = []
    if key := env.get("OPENAI_API_KEY"):
        url = env.get("OPENAI_BASE_URL") or OPENAI_URL
        found["openai"] = Provider(kind="openai", base_url=url, api_key=key)
    if key := env.get("ANTHROPIC_API_KEY"):
        url = env.get("ANTHROPIC_BASE_URL") or VENDOR_URLS["anthropic"]
        found["anthropic"] = Provider(kind="anthropic", base_url=url, api_key=key)
    if (account := env.get("CLOUDFLARE_ACCOUNT_ID")) and (key := env.get("CLOUDFLARE_API_TOKEN")):
        found["cloudflare"] = _cloudflare(account, key, env)
    if host := env.get("OLLAMA_HOST"):
        found["ollama"] = Provider(kind="openai", base_url=ollama_url(host), any_model=True)
        targets += _ollama_targets(env)
    if path := env.get("PENSTOCK_LOCAL_MODEL"):
        found["local"] = Provider(kind="local", path=path)
    return Found(found, tuple(targets))


def _cloudflare(account: str, key: str, env: Mapping[str, str]) -> Provider:
    return Provider(
        kind="workers_ai",
        base_url=env.get("CLOUDFLARE_BASE_URL") or CLOUDFLARE_URL,
        api_key=key,
        account=account,
        free_neurons_per_day=10_000,
    )


def _ollama_targets(env: Mapping[str, str]) -> tuple[Target, Target]:
    chat = env.get("OLLAMA_MODEL") or "llama3.2"
    embed = env.get("OLLAMA_EMBED_MODEL") or "nomic-embed-text"
    return (
        Target(provider="ollama", model=chat),
        Target(provider="ollama", model=embed, verb="embed"),
    )


def ollama_url(host: str) -> str:
    """`OLLAMA_HOST` as Ollama itself reads it: scheme and port may be absent; an address to listen on means here."""
    scheme, separator, rest = host.strip().rpartition("://")
    place, _, path = rest.partition("/")
    name, port = _host_and_port(place)
    if name in {"", "0.0.0.0", "[::]"}:
        name = "127.0.0.1"
    if not port and not separator:
        port = "11434"
    base = f"{scheme or 'http'}://{name}{':' + port if port else ''}"
    path = path.strip("/").removesuffix("v1").strip("/")
    return f"{base}/{path}/v1" if path else f"{base}/v1"


def _host_and_port(place: str) -> tuple[str, str]:
    """Splits `host:port`; an IPv6 address keeps its brackets, or gets them."""
    if place.startswith("["):
        name, _, rest = place.partition("]")
        return f"{name}]", rest.removeprefix(":")
    if place.count(":") > 1:
        return f"[{place}]", ""
    name, _, port = place.partition(":")
    return name, port


def warnings(env: Mapping[str, str]) -> list[str]:
    """What is set and has no effect."""
    halves = [
        ("OPENAI_BASE_URL", "OPENAI_API_KEY"),
        ("ANTHROPIC_BASE_URL", "ANTHROPIC_API_KEY"),
        ("CLOUDFLARE_ACCOUNT_ID", "CLOUDFLARE_API_TOKEN"),
        ("CLOUDFLARE_API_TOKEN", "CLOUDFLARE_ACCOUNT_ID"),
    ]
    return [
        f"{given} is set without {lacking}; it is not used"
        for given, lacking in halves
        if env.get(given) and not env.get(lacking)
    ]
