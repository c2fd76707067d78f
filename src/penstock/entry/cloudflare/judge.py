"""Whether a configuration can run on Cloudflare: what it asks for that a Worker has not, and what it needs to be told."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from penstock.config import Config, defaults, read
from penstock.config.defaults import MASTER_KEY, WEBHOOK_SECRET
from penstock.config.embedder import Embedder, embedder
from penstock.config.services import VARIABLES
from penstock.config.targets import Known
from penstock.entry.routers import text_of
from penstock.errors import Misconfigured
from penstock.routing import router

PLACEHOLDER = "x" * 32
"""Stands for a variable that is not set here: long enough for a secret."""
PLACE = "https://not-set-here.invalid/x"
"""And for one that is a channel's address."""
KEYS = ("OPENAI_API_KEY", "ANTHROPIC_API_KEY")
ADDRESSES = ("OPENAI_BASE_URL", "ANTHROPIC_BASE_URL")
"""What the environment says where the file names no provider."""
IDLE: Mapping[str, str] = {
    "data": "a Worker has no directory; its state is in KV, D1, R2 and a Durable Object",
    "durability": "D1 decides it",
    "stores": 'they are of platform "server"',
    "server.host": "Cloudflare listens",
    "server.port": "Cloudflare listens",
    "server.trusted_proxies": "Cloudflare names the client's address",
    "cache.http_max_bytes": "each data centre's cache has its own bound",
    "server.max_connections": "Cloudflare holds the connections",
    "server.notice_seconds": "a Worker is never told to stop",
    "mail": "a Worker reaches no mail server; notices go by a channel of kind webhook or slack",
    "server.grace_seconds": "a Worker is never told to stop",
}
"""Settings without a meaning there, and why."""
SECRETS = ("tenant_keys.master", "billing.webhook_secrets")
"""Settings that are lists of secrets."""
_REFERENCE = re.compile(r"\$\$|\$\{([A-Za-z_]\w*)(:-[^}]*)?\}", re.ASCII)
_HERE = re.compile(r"localhost|127\.\d+\.\d+\.\d+|0\.0\.0\.0|::1|.*\.local(host)?", re.IGNORECASE)


class Judged(NamedTuple):
    """A configuration that can run there.

    `required` are the secrets it cannot do without, `optional` those it takes where they are set; `variables` are
    what it is told openly. `notes` are for whoever deploys it.
    """

    raw: dict[str, Any]
    config: Config
    required: tuple[str, ...]
    optional: tuple[str, ...]
    variables: dict[str, str]
    notes: list[str]

    @property
    def embedder(self) -> Embedder:
        """Whose vectors documents are found by; without one none are taken in."""
        return embedder(self.config)

    @property
    def dimension(self) -> int:
        """The length of those vectors, 0 where there are none."""
        target = self.embedder.target
        return 0 if target is None else target.dimension

    @property
    def probed(self) -> bool:
        """Whether a service has a backend that is asked for its health."""
        services = self.config.services.values()
        return any(backend.health for service in services for backend in service.backends)


def judge(text: str, env: Mapping[str, str], known: Known) -> Judged:
    """Reads a file's text (empty: none) as the Worker will; raises Misconfigured with all that cannot work there."""
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise Misconfigured(f"the file is not TOML: {error}; mend that line") from error
    wrong = [*unusable(raw)]
    if wrong:
        raise Misconfigured("; ".join(wrong))
    required, optional = secrets(raw, billing=bool(env.get(VARIABLES["billing"])))
    # A name that the file refers to is a secret, and can be no variable beside.
    names = {*ADDRESSES, *VARIABLES.values()} - {*required, *optional}
    variables = {name: env[name] for name in sorted(names) if env.get(name)}
    lacking = [name for name in required if not env.get(name)]
    told = {name: env[name] for name in (*required, *optional) if env.get(name)}
    places = {name for _, one in _channels(raw) for name, _ in _references(one.get("url"))}
    told |= variables | {name: PLACE if name in places else PLACEHOLDER for name in lacking}
    raw["platform"] = "cloudflare"
    for name, route in _tables(raw, "routes"):
        if route.get("policy") == "learned":
            raw["routes"][name] = {**route, "artefact": _router(route, f"routes.{name}")}
    config, notes = _whole(raw, told, known, lacking)
    return Judged(raw, config, required, optional, variables, notes)


def _router(route: Mapping[str, Any], path: str) -> str:
    """The text of a learned route's router, which a Worker could not open as a file; raises InvalidRouter."""
    text = str(route.get("artefact") or text_of(str(route.get("model") or "")))
    router.decode(text, path)
    return text


def unusable(raw: Mapping[str, Any]) -> Iterator[str]:
    """What a Worker cannot do with this file, each with the setting's path and the mend."""
    platform = raw.get("platform", "cloudflare")
    if platform != "cloudflare":
        yield f'platform is {platform!r}; write platform = "cloudflare", or leave it out'
    for path, why in IDLE.items():
        if _at(raw, path) is not None:
            yield f"{path} has no use on Cloudflare: {why}; remove it"
    for name, provider in _tables(raw, "providers"):
        yield from _unusable_provider(f"providers.{name}", provider)
    for at, target in enumerate(_list(raw.get("targets"))):
        yield from _unusable_deployments(f"targets[{at}]", target)
    for at, issuer in enumerate(_list(_at(raw, "auth.issuers"))):
        yield from _open_secret(f"auth.issuers[{at}].secret", issuer.get("secret"))
    yield from _unusable_channels(raw)
    for path in SECRETS:
        yield from _open_secrets(path, _at(raw, path))


def _unusable_provider(path: str, provider: Mapping[str, Any]) -> Iterator[str]:
    if provider.get("kind") == "local":
        yield f"{path}.kind is local, and a Worker holds no model; use kind workers_ai or openai"
    yield from _out_of_reach(f"{path}.base_url", provider.get("base_url"))
    yield from _open_secret(f"{path}.api_key", provider.get("api_key"))
    yield from _unusable_deployments(path, provider)


def _unusable_channels(raw: Mapping[str, Any]) -> Iterator[str]:
    for name, channel in _channels(raw):
        path = f"alerting.channels.{name}"
        yield from _out_of_reach(f"{path}.url", channel.get("url"))
        yield from _open_secret(f"{path}.secret", channel.get("secret"))
        if channel.get("kind") == "slack":
            yield from _open_secret(f"{path}.url", channel.get("url"))


def _unusable_deployments(path: str, owner: Mapping[str, Any]) -> Iterator[str]:
    for at, one in enumerate(_list(owner.get("deployments"))):
        yield from _out_of_reach(f"{path}.deployments[{at}].url", one.get("url"))
        yield from _open_secret(f"{path}.deployments[{at}].key", one.get("key"))


def _out_of_reach(path: str, url: Any) -> Iterator[str]:
    if _HERE.fullmatch(urlsplit(str(url or "")).hostname or ""):
        yield f"{path} is this machine's own, out of a Worker's reach; name a public one"


def _open_secret(path: str, value: Any) -> Iterator[str]:
    """The bundle carries the file, so that a secret must not stand in it."""
    if isinstance(value, str) and value and "${" not in value:
        yield f"{path} stands in the file, which lies in the Worker; write it as ${{NAME}}"


def _open_secrets(path: str, values: Any) -> Iterator[str]:
    for at, value in enumerate(values if isinstance(values, list) else ()):
        yield from _open_secret(f"{path}[{at}]", value)


def secrets(
    raw: Mapping[str, Any], *, billing: bool = False
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The variables the file needs, and those it takes where they are set."""
    found = [*_references(raw)]
    required = {name for name, fallback in found if not fallback}
    optional = {name for name, fallback in found if fallback}
    if not _at(raw, "auth.issuers"):
        required.add("JWT_SECRET")
    if not raw.get("providers"):
        optional.update(KEYS)
    billing = billing or _at(raw, "services.billing") is not None
    if billing and not _at(raw, "billing.webhook_secrets"):
        optional.add(WEBHOOK_SECRET)
    if not _at(raw, "tenant_keys.master"):
        optional.add(MASTER_KEY)
    return tuple(sorted(required)), tuple(sorted(optional - required))


def _references(value: Any) -> Iterator[tuple[str, bool]]:
    if isinstance(value, str) and "${" in value:
        for found in _REFERENCE.finditer(value):
            if found[1]:
                yield found[1], found[2] is not None
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _references(inner)


def _whole(
    raw: dict[str, Any], env: Mapping[str, str], known: Known, lacking: list[str]
) -> tuple[Config, list[str]]:
    try:
        return defaults(read(raw, env), env, known)
    except Misconfigured as error:
        unset = f" ({', '.join(lacking)} not set here, so it is judged without)" if lacking else ""
        raise Misconfigured(error.message + unset) from error


def _at(raw: Any, path: str) -> Any:
    for key in path.split("."):
        raw = raw.get(key) if isinstance(raw, Mapping) else None
    return raw


def _tables(raw: Mapping[str, Any], key: str) -> list[tuple[str, Mapping[str, Any]]]:
    found = raw.get(key)
    named = found.items() if isinstance(found, Mapping) else ()
    return [(name, table) for name, table in named if isinstance(table, Mapping)]


def _channels(raw: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    found = raw.get("alerting")
    return _tables(found, "channels") if isinstance(found, Mapping) else []


def _list(found: Any) -> list[Mapping[str, Any]]:
    listed = found if isinstance(found, list) else []
    return [item for item in listed if isinstance(item, Mapping)]
