"""Services behind the gateway: what their names and the environment say of them, and whether they are safe to use."""

from __future__ import annotations

import re
from collections.abc import Mapping

from msgspec.structs import replace

from penstock.config.catalog import join
from penstock.config.proxied import Backend, ServiceCache
from penstock.config.urls import parts_of, shown
from penstock.config.values import Config, Service
from penstock.errors import Misconfigured

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND", "PROPPATCH", "MKCOL", "COPY", "MOVE", "LOCK",
           "UNLOCK", "REPORT", "SEARCH", "M-SEARCH")  # fmt: skip
"""Those that are passed on; HEAD goes with GET."""
VARIABLES = {
    "auth": "AUTH_SERVICE_URL",
    "chat": "CHAT_SERVICE_URL",
    "billing": "BILLING_SERVICE_URL",
}
PREFIXES = {
    "auth": ("/api/auth",),
    "chat": ("/api/chat", "GET /api/ai/chat/{id}"),
    "billing": ("/api/billing",),
}
PUBLIC = {"auth": ("register", "login", "refresh")}
CACHED = {"chat": ServiceCache()}
LETTERS = ("verify-email", "resend-verification", "forgot-password", "reset-password")
"""What else of the reference service is for people who have no token yet, or no longer."""
INSIDE = "internal://"
"""Before the name of a service that runs in the gateway's own process."""
OWN = ("/v1", "/admin", "/dashboard", "/metrics", "/health", "/livez", "/readyz", "/openapi.json", "/docs")  # fmt: skip
"""The gateway's own, with all below them: no service answers there."""

_PATH = re.compile(r"(?:/[A-Za-z0-9._~!$&'()*+,;=:@-]+)*/?")
_ANY = re.compile(r"/\{[a-z_]+\}\Z")
_SEGMENT = re.compile(r"[A-Za-z0-9._~!$&'()*+,=:@-]+")
_DOTS = frozenset({".", ".."})


def completed(given: Mapping[str, Service], env: Mapping[str, str]) -> dict[str, Service]:
    """With what the environment names, and the defaults of the known names."""
    found = dict(given)
    for name, variable in VARIABLES.items():
        if env.get(variable) and not (name in found and found[name].backends):
            one = Backend(url=env[variable])
            found[name] = replace(found.get(name, Service()), backends=(one,))
    return {name: _completed(name, service) for name, service in found.items()}


def _completed(name: str, service: Service) -> Service:
    backends = [replace(one, url=one.url.rstrip("/")) for one in service.backends]
    service = replace(service, backends=tuple(backends))
    return replace(
        service,
        prefixes=service.prefixes or PREFIXES.get(name, ()),
        public=service.public or _public(name, service),
        cache=service.cache or CACHED.get(name),
    )


def _public(name: str, service: Service) -> tuple[str, ...]:
    ours = name == "auth" and all(one.url == f"{INSIDE}auth" for one in service.backends)
    return PUBLIC.get(name, ()) + (LETTERS if ours else ())


def split(prefix: str) -> tuple[str, str]:
    """The method, empty for any, and the path of a prefix."""
    method, space, path = prefix.partition(" ")
    return (method, path) if space else ("", prefix)


def one_below(path: str) -> str:
    """Where a path ends in one segment of any name, `/{id}`, what stands before that; else empty."""
    found = _ANY.search(path)
    return path[: found.start()] if found else ""


def inside(services: Mapping[str, Service]) -> frozenset[str]:
    """The services that are to run in the gateway's own process."""
    urls = [backend.url for service in services.values() for backend in service.backends]
    return frozenset(url.removeprefix(INSIDE) for url in urls if url.startswith(INSIDE))


def note(name: str, service: Service) -> str:
    """What start-up says of it."""
    places = ", ".join(f"{shown(one.url)} ({one.weight})" for one in service.backends)
    cache = cache_of(service)
    kept = f"; GETs cached ({cache.key})" if cache else ""
    return f"service {name}: {', '.join(service.prefixes)} to {places}{kept}"


def warnings(config: Config) -> list[str]:
    """What a service asks for that its home has in part."""
    if config.platform != "cloudflare":
        return []
    return [
        f"service {name}: its replies are kept in the cache of each data centre, and only where the Worker has a"
        " domain of its own: on workers.dev Cloudflare keeps nothing"
        for name, service in config.services.items()
        if cache_of(service)
    ]


def cache_of(service: Service) -> ServiceCache | None:
    """How replies to its GETs are kept; None where they are not."""
    return service.cache if service.cache is not None and service.cache.enabled else None


def check_services(config: Config) -> None:
    """Each can be reached, and none stands in another's place; raises Misconfigured."""
    seen: dict[str, str] = {}
    for name, service in config.services.items():
        path = join("services", name)
        _check_backends(service, path, VARIABLES.get(name, ""))
        _check_inside(service, path, config.platform)
        if not service.prefixes:
            raise Misconfigured(f"{path}.prefixes is empty; write the paths it answers, as /api/x")
        for at, prefix in enumerate(service.prefixes):
            here = f"{path}.prefixes[{at}]"
            _check_prefix(prefix, here)
            if prefix in seen:
                raise Misconfigured(f"{here} is {seen[prefix]}'s already; remove one of the two")
            seen[prefix] = join("services", name)
        _check_segments(service, path)
        _check_cache(service, f"{path}.cache")


def _check_backends(service: Service, path: str, variable: str) -> None:
    if not service.backends:
        mend = f", or set {variable}" if variable else ""
        raise Misconfigured(
            f'{path}.backends is empty; write [{{ url = "http://host:port" }}]{mend}'
        )
    urls = set()
    for at, backend in enumerate(service.backends):
        here = f"{path}.backends[{at}]"
        if not backend.url.startswith(INSIDE):
            check_root(backend.url, f"{here}.url")
        if backend.url in urls:
            raise Misconfigured(f"{here}.url stands there twice; remove one and add up the weights")
        urls.add(backend.url)
        _check_health(backend.health, f"{here}.health")


def _check_inside(service: Service, path: str, platform: str) -> None:
    for at, backend in enumerate(service.backends):
        here = f"{path}.backends[{at}].url"
        if not backend.url.startswith(INSIDE):
            continue
        if backend.url.removeprefix(INSIDE) not in VARIABLES:
            raise Misconfigured(
                f"{here} names no service that can run in this process; write internal://auth,"
                " internal://chat or internal://billing"
            )
        if platform != "embedded":
            raise Misconfigured(
                f'{here} runs in one process alone, which platform "{platform}" is not; start'
                " `penstock services NAME` and write its address"
            )


def check_root(text: str, path: str) -> None:
    """An address that a path can be put behind; raises Misconfigured."""
    url = parts_of(text)
    if url is None:
        raise Misconfigured(f"{path} is no http or https address; write it as http://host:port")
    if "@" in url.netloc:
        raise Misconfigured(f"{path} holds a user name, which would be sent to nobody; remove it")
    plain = _PATH.fullmatch(url.path) and not _DOTS & set(url.path.split("/"))
    if url.query or url.fragment or "?" in text or "#" in text or not plain:
        raise Misconfigured(f"{path} has more than a root; write it as http://host:port/path")


def _check_health(health: str, path: str) -> None:
    fit = health.isascii() and health.isprintable() and not set(' "#<>\\^`{|}') & set(health)
    if health and not (health.startswith("/") and fit):
        raise Misconfigured(f'{path} is no path; write it as /health, or "" for none')


def _check_prefix(prefix: str, path: str) -> None:
    method, below = split(prefix)
    if method and method not in METHODS:
        raise Misconfigured(f"{path} begins with no method; write one of {', '.join(METHODS)}")
    below = one_below(below) or below
    whole = below == "/" or (below.startswith("/") and not below.endswith("/"))
    if not (whole and _PATH.fullmatch(below)) or _DOTS & set(below.split("/")):
        raise Misconfigured(
            f"{path} is no path; write it as /api/orders, or /api/orders/{{id}} for one segment"
        )
    for own in OWN:
        if below == own or below.startswith(own + "/"):
            raise Misconfigured(f"{path} is the gateway's own ({own}); choose another")


def _check_segments(service: Service, path: str) -> None:
    for name, other in service.rewrite.items():
        if not (_is_segment(name) and _is_segment(other)):
            here = join(f"{path}.rewrite", name)
            raise Misconfigured(f'{here} is no single segment; write it as register = "signup"')
    for at, name in enumerate(service.public):
        if not _is_segment(name):
            raise Misconfigured(f"{path}.public[{at}] is no single segment; write it as login")


def _check_cache(service: Service, path: str) -> None:
    cache = service.cache
    if cache is not None and cache.ttl is None and cache.stale_while_revalidate is not None:
        raise Misconfigured(
            f"{path}.stale_while_revalidate is of no use without a ttl: what the service itself says"
            " is kept to; set ttl, or remove it"
        )


def _is_segment(text: str) -> bool:
    return _SEGMENT.fullmatch(text) is not None and text not in _DOTS
