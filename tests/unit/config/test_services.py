"""Services in the configuration: what is taken, what is filled in, and what is refused by name."""

from __future__ import annotations

import pytest

from penstock.config import decode, defaults
from penstock.config.proxied import ServiceCache
from penstock.config.services import cache_of, one_below, split
from penstock.errors import Misconfigured

GOOD = '[services.orders]\nprefixes = ["/api/orders"]\nbackends = [{ url = "http://a:1" }]\n'


def whole(text: str, env: dict[str, str] | None = None):
    return defaults(decode(text, env or {}), env or {})[0]


def test_what_is_left_out() -> None:
    service = whole(GOOD).services["orders"]
    [backend] = service.backends
    assert (backend.weight, backend.health) == (100, "/health")
    assert (service.balance, service.auth, service.limit, service.attempts) == (
        "weighted",
        "required",
        None,
        3,
    )
    assert (service.cookies, service.redirects, service.forward_authorization) == (
        "pass",
        "pass",
        True,
    )


def test_names_bring_prefixes_and_the_environment_backends() -> None:
    env = {"AUTH_SERVICE_URL": "http://env:1", "CHAT_SERVICE_URL": "http://env:2/"}
    text = (
        '[services.auth]\nbackends = [{ url = "http://file:1" }]\n[services.chat]\nauth = "none"\n'
    )
    services = whole(text, env).services
    assert services["auth"].backends[0].url == "http://file:1"
    assert services["auth"].prefixes == ("/api/auth",)
    assert services["auth"].public == ("register", "login", "refresh")
    assert (services["chat"].backends[0].url, services["chat"].auth) == ("http://env:2", "none")
    assert services["chat"].prefixes == ("/api/chat", "GET /api/ai/chat/{id}")
    assert "billing" not in services


@pytest.mark.parametrize(
    ("text", "requests", "window", "scale"),
    [('"5/min"', 5, 60, "tier"), ('{ requests = 7, window = 9, scale = "none" }', 7, 9, "none")],
)
def test_a_rate_is_written_as_elsewhere(text: str, requests: int, window: int, scale: str) -> None:
    limit = whole(f"{GOOD}limit = {text}\n").services["orders"].limit
    assert limit is not None
    assert (limit.requests, limit.window, limit.scale) == (requests, window, scale)


BACKENDS = 'backends = [{ url = "http://a:1" }]'
PREFIXES = 'prefixes = ["/api/orders"]'


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        (BACKENDS, "", "services.orders.backends is empty"),
        (BACKENDS, "backends = []", "services.orders.backends is empty"),
        (BACKENDS, "backends = [{ weight = 1 }]", "services.orders.backends[0].url is missing"),
        ('"http://a:1"', '"a:1"', "services.orders.backends[0].url is no http"),
        ('"http://a:1"', '"ftp://a"', "services.orders.backends[0].url is no http"),
        ('"http://a:1"', '"http://a:99999"', "services.orders.backends[0].url is no http"),
        ('"http://a:1"', '"http://me:secret@a"', "services.orders.backends[0].url holds a user name"),
        ('"http://a:1"', '"http://a/?x=1"', "services.orders.backends[0].url has more than a root"),
        ('"http://a:1"', '"http://a/x/../y"', "services.orders.backends[0].url has more than a root"),
        ('"http://a:1"', '"http://a/#x"', "services.orders.backends[0].url has more than a root"),
        ('{ url = "http://a:1" }', '{ url = "http://a:1" }, { url = "http://a:1/" }', "services.orders.backends[1].url stands there twice"),
        ('"http://a:1"', '"http://a:1", weight = 0', "services.orders.backends[0].weight must be"),
        ('"http://a:1"', '"http://a:1", health = "health"', "services.orders.backends[0].health is no path"),
        ('"http://a:1"', '"http://a:1", health = "/a b"', "services.orders.backends[0].health is no path"),
        (PREFIXES, "", "services.orders.prefixes is empty"),
        ('"/api/orders"', '"api/orders"', "services.orders.prefixes[0] is no path"),
        ('"/api/orders"', '"/api/orders/"', "services.orders.prefixes[0] is no path"),
        ('"/api/orders"', '"/api/../x"', "services.orders.prefixes[0] is no path"),
        ('"/api/orders"', '"/api//x"', "services.orders.prefixes[0] is no path"),
        ('"/api/orders"', '"/api/%6frders"', "services.orders.prefixes[0] is no path"),
        ('"/api/orders"', '"/api/{id}/x"', "services.orders.prefixes[0] is no path"),
        ('"/api/orders"', '"FETCH /api/x"', "services.orders.prefixes[0] begins with no method"),
        ('"/api/orders"', '"/v1"', "services.orders.prefixes[0] is the gateway's own"),
        ('"/api/orders"', '"GET /admin/x"', "services.orders.prefixes[0] is the gateway's own"),
        ('"/api/orders"', '"/x", "/x"', "services.orders.prefixes[1] is services.orders's already"),
        (PREFIXES, PREFIXES + '\nauth = "maybe"', "services.orders.auth must be one of"),
        (PREFIXES, PREFIXES + '\nlimit = "often"', "services.orders.limit is not a rate"),
        (PREFIXES, PREFIXES + "\nlimit = { window = 5 }", "services.orders.limit.requests is missing"),
        (PREFIXES, PREFIXES + '\nrewrite = { a = "b/c" }', "services.orders.rewrite.a is no single segment"),
        (PREFIXES, PREFIXES + '\nrewrite = { a = ".." }', "services.orders.rewrite.a is no single segment"),
        (PREFIXES, PREFIXES + '\npublic = ["a/b"]', "services.orders.public[0] is no single segment"),
        (PREFIXES, PREFIXES + "\nmax_body_bytes = 0", "services.orders.max_body_bytes must be"),
        (PREFIXES, PREFIXES + "\ncache = { ttl = -1 }", "services.orders.cache.ttl must be an integer, 0 or more"),
        (PREFIXES, PREFIXES + '\ncache = { ttl = "soon" }', "services.orders.cache.ttl must be an integer"),
        (PREFIXES, PREFIXES + '\ncache = { key = "me" }', "services.orders.cache.key must be one of owner, shared"),
        (PREFIXES, PREFIXES + "\ncache = { tll = 1 }", "services.orders.cache.ttl"),
        (PREFIXES, PREFIXES + "\ncache = { stale_while_revalidate = 5 }", "is of no use without a ttl"),
        (PREFIXES, PREFIXES + "\nwebsockets = { idle = 3601 }", "services.orders.websockets.idle must be"),
        (PREFIXES, PREFIXES + '\nfailures = "hide"', "services.orders.failures must be one of"),
        (PREFIXES, PREFIXES + "\nbalanse = 1", "services.orders.balance"),
        ("services.orders", 'services."a b"', "is no name"),
    ],
)  # fmt: skip
def test_what_is_unsafe_or_half_set_is_refused_by_name(old: str, new: str, named: str) -> None:
    with pytest.raises(Misconfigured) as refused:
        whole(GOOD.replace(old, new))
    assert named in refused.value.message
    assert "secret" not in refused.value.message


def test_replies_are_kept_where_that_is_said_and_for_chat() -> None:
    env = {"AUTH_SERVICE_URL": "http://a", "CHAT_SERVICE_URL": "http://b", "TTL": "9"}
    services = whole(GOOD, env).services
    assert {name: cache_of(one) for name, one in services.items()} == {
        "auth": None, "chat": ServiceCache(), "orders": None,
    }  # fmt: skip
    text = GOOD + 'cache = { ttl = "${TTL}" }\n[services.chat]\ncache = { enabled = false }\n'
    services = whole(text, env).services
    assert cache_of(services["orders"]) == ServiceCache(ttl=9)
    assert cache_of(services["chat"]) is None


def test_the_mend_of_a_known_name_says_its_variable() -> None:
    with pytest.raises(Misconfigured) as refused:
        whole("[services.auth]\nattempts = 2\n")
    assert "AUTH_SERVICE_URL" in refused.value.message


def test_prefixes_taken_apart() -> None:
    assert split("GET /x") == ("GET", "/x")
    assert split("/x") == ("", "/x")
    assert one_below("/api/ai/chat/{id}") == "/api/ai/chat"
    assert one_below("/api/ai/chat") == ""
