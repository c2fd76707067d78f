"""What surrounds the product face, to the letter: who may ask, errors, CORS, health, usage, free neurons."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

import penstock
from penstock.auth.mint import mint
from penstock.gateway.cors import EXPOSED
from penstock.gateway.routes import ROUTES
from penstock.wire.http import Request, Response
from tests.path.product import CHAT, CONFIG, EMBED, ONE, Product, user
from tests.path.world import SECRET, body

PRODUCT_POSTS = [
    (CHAT, {"messages": [user("hi")]}),
    (ONE, {"message": "hi"}),
    (EMBED, {"text": "hi"}),
]
LISTED, UNLISTED = "http://localhost:3000", "https://evil.example"


# Who must show a token


@pytest.mark.parametrize("path", ["/", "/health", "/livez", "/readyz", "/openapi.json", "/docs"])
async def test_open_paths_want_no_token(path: str) -> None:
    response = await Product().get(path, token=None)
    assert response.status == 200
    assert not [name for name, _ in response.headers if "ratelimit" in name]


CLOSED = [
    (method, path)
    for path, methods in ROUTES.items()
    for method, endpoint in methods.items()
    if endpoint.auth != "none"
]


@pytest.mark.parametrize(("method", "path"), [*CLOSED, ("GET", "/v1/models/auto")])
async def test_everything_else_wants_one(method: str, path: str) -> None:
    world = Product()
    response = await world.ask(
        path, {"x": 1} if method == "POST" else None, method=method, token=None
    )
    assert response.status == 401
    told = await body(response)
    assert (response.header("www-authenticate") or "").startswith("Bearer")
    if path.startswith("/v1/"):
        assert told["error"]["code"] == "missing_credential"
    else:
        assert told["error"] == "Unauthorized"


@pytest.mark.parametrize("path", ["/metrics", "/admin/cache", "/admin/usage"])
async def test_admin_paths_want_the_scope(path: str) -> None:
    world = Product()
    refused = await world.get(path)
    assert refused.status == 403
    assert (await body(refused))["error"] == "Forbidden"
    assert (await world.get(path, token=world.token(role="admin"))).status == 200
    assert (await world.get(path, token=world.token(scope="admin"))).status == 200
    assert (await world.get(path, token=world.token(role="admin"))).header(
        "x-ratelimit-limit"
    ) is None


async def test_a_token_that_is_none() -> None:
    world = Product()
    for token in ("nonsense", "pk-nonsense", world.token() + "x"):
        response = await world.say(token=token)
        assert response.status == 401
        assert (await body(response))["error"] == "Invalid token"


async def test_a_first_design_token_is_a_free_callers() -> None:
    world = Product()
    now = world.platform.clock.now()
    old = mint({"sub": "u1", "email": "a@b.example", "role": "user"}, SECRET, now=now)
    response = await world.say(token=old)
    assert response.status == 200
    assert response.header("x-ratelimit-limit") == "100"
    forced = await world.say(token=old, forceProvider="openai")
    assert forced.status == 403
    admin = mint({"sub": "u2", "email": "a@b.example", "role": "admin"}, SECRET, now=now)
    assert (await world.get("/metrics", token=admin)).status == 200


async def test_an_expired_token_is_refused() -> None:
    world = Product()
    old = mint({"sub": "u1"}, SECRET, now=world.platform.clock.now() - 10_000)
    response = await world.say(token=old)
    assert response.status == 401
    assert (await body(response))["error"] == "Invalid token"


async def test_in_jwks_mode_a_first_design_token_is_refused() -> None:
    jwks = CONFIG.replace(
        f'mode = "hs256", secret = "{SECRET}"',
        'mode = "jwks", issuer = "https://id.test", audience = "penstock", '
        'jwks_url = "https://id.test/keys"',
    )
    world = Product(config=jwks)
    response = await world.say()
    assert response.status == 401
    assert (await body(response))["error"] == "Invalid token"


OPTIONAL = '[routes.auto]\npolicy = "heuristic"\nauth = "optional"\n'


@pytest.mark.parametrize("kind", ["none", "expired", "forged", "nonsense"])
@pytest.mark.parametrize("path", [CHAT, ONE, "/v1/chat/completions"])
async def test_an_optional_route_takes_anybody_as_nobody(kind: str, path: str) -> None:
    world = Product(OPTIONAL)
    now = world.platform.clock.now()
    token = {
        "none": None,
        "expired": mint({"sub": "alice"}, SECRET, now=now - 90_000),
        "forged": mint({"sub": "alice"}, "another-secret-of-more-than-32-bytes!", now=now),
        "nonsense": "nonsense",
    }[kind]
    # What alice is given is never this caller's.
    await world.say(token=world.token("alice"))
    given = {"model": "auto", "messages": [user("hello")]} if path != ONE else {"message": "hello"}
    response = await world.ask(path, given, token=token)
    assert response.status == 200
    assert response.header("x-penstock-cache") == "miss"
    owners = {owner for owner, stage in await world.ledger("owner, stage") if stage == "reserve"}
    assert owners == {"default/alice", "/ip:192.0.2.1"}


async def test_an_anonymous_caller_is_known_by_its_address() -> None:
    world = Product(OPTIONAL)
    first = await world.say(token=None, client="192.0.2.1")
    same = await world.say("more", token=None, client="192.0.2.1")
    other = await world.say(token=None, client="192.0.2.2")
    left = [one.header("x-ratelimit-remaining") for one in (first, same, other)]
    assert left == ["99", "98", "99"]


async def test_an_anonymous_caller_reaches_no_other_route() -> None:
    world = Product(OPTIONAL)
    for given in ({"text": "hi"}, {"texts": ["hi"]}):
        assert (await world.ask(EMBED, given, token=None)).status == 401
    named = await world.say(token=None, model="no-such")
    assert named.status == 401
    assert (await world.get("/api/usage", token=None)).status == 401


# Errors


@pytest.mark.parametrize("path", ["/api/nothing", "/nothing", "/api/ai/chat/123/456", "/HEALTH"])
async def test_an_unknown_path(path: str) -> None:
    response = await Product().ask(path, {})
    assert response.status == 404
    assert response.header("content-type") == "application/problem+json"
    told = await body(response)
    assert (told["error"], told["code"], told["status"]) == ("Not Found", "not_found", 404)


async def test_an_error_is_a_problem_that_also_says_error() -> None:
    response = await Product().ask(CHAT, {"messages": []})
    told = await body(response)
    assert response.header("content-type") == "application/problem+json"
    assert (response.header("x-request-id") or "").startswith("req_")
    assert told["type"] == "about:blank"
    assert told["title"] == told["error"] == "Invalid messages"
    assert told["status"] == response.status == 400
    assert told["code"] == "invalid_field"
    assert isinstance(told["detail"], str)


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b'"text"', b"\xff", b'{"a": NaN}', b"null"])
@pytest.mark.parametrize("path", [CHAT, ONE, EMBED])
async def test_a_body_that_is_no_object(path: str, data: bytes) -> None:
    world = Product()
    response = await world.ask(path, data)
    assert response.status == 400
    assert await world.ledger() == []
    assert world.sent == []


@pytest.mark.parametrize(("path", "given"), PRODUCT_POSTS)
async def test_a_failed_route_has_its_text_and_its_true_status(path: str, given: Any) -> None:
    text = "Embedding generation failed" if path == EMBED else "Chat completion failed"
    world = Product()
    world.platform.fetch.handler = lambda request: Response(500, [], b"")
    response = await world.ask(path, given)
    assert (response.status, (await body(response))["error"]) == (502, text)

    def surprise(request: Request) -> Response:
        raise RuntimeError("password=hunter2")

    world.platform.fetch.handler = surprise
    response = await world.ask(path, given)
    told = await body(response)
    assert (response.status, told["error"]) == (500, text)
    assert "hunter2" not in json.dumps(told)


# CORS


def preflight(path: str, origin: str) -> Request:
    asked = [("origin", origin), ("access-control-request-method", "POST"),
             ("access-control-request-headers", "authorization,content-type")]  # fmt: skip
    return Request("OPTIONS", path.encode(), path, "", asked, "192.0.2.1", b"")


def cors_headers(response: Response) -> dict[str, str]:
    return {name: value for name, value in response.headers if name.startswith("access-control-")}


@pytest.mark.parametrize(
    "path", [CHAT, "/v1/chat/completions", "/health", "/admin/cache", "/nothing"]
)
async def test_a_preflight_is_answered_before_anybody_is_identified(path: str) -> None:
    response = await Product().gateway(preflight(path, LISTED))
    assert response.status == 204
    told = cors_headers(response)
    assert told["access-control-allow-origin"] == LISTED
    assert told["access-control-allow-credentials"] == "true"
    allowed = {name.strip().lower() for name in told["access-control-allow-headers"].split(",")}
    assert allowed == {
        "authorization", "content-type", "x-api-key", "x-refresh-token", "idempotency-key",
    }  # fmt: skip
    assert "POST" in told["access-control-allow-methods"]
    assert response.header("vary") == "Origin"
    assert not [name for name, _ in response.headers if "ratelimit" in name]


async def test_an_unlisted_origin_gets_no_cors_header() -> None:
    world = Product()
    for origin in (UNLISTED, "null", "http://localhost:3001", LISTED + ".evil.example"):
        assert cors_headers(await world.gateway(preflight(CHAT, origin))) == {}
        response = await world.say(headers=[("origin", origin)])
        assert response.status == 200
        assert cors_headers(response) == {}
        assert response.header("vary") == "Origin"


async def test_a_listed_origin_may_read_every_reply_and_all_our_headers() -> None:
    world = Product("[tiers.metered]\nrequests_per_hour = 100\ntokens_per_minute = 1_000_000\n")
    origin = [("origin", LISTED)]
    replies = [
        await world.say(headers=origin, token=world.token(tier="metered")),
        await world.chat("hi", headers=origin, token=world.token(tier="metered")),
        await world.say(headers=origin, token="bad"),
        await world.ask("/nothing", {}, headers=origin),
        await world.ask("/health", method="GET", headers=origin),
    ]
    exposed = {name.strip().lower() for name in EXPOSED.split(",")}
    assert {"x-request-id", "retry-after", "x-cache"} <= exposed
    for response in replies:
        assert response.header("access-control-allow-origin") == LISTED
        assert response.header("access-control-allow-credentials") == "true"
        assert response.header("access-control-expose-headers") == EXPOSED
        ours = {n for n, _ in response.headers if "ratelimit" in n or n.startswith("x-")}
        assert ours <= exposed


async def test_origins_are_configured() -> None:
    world = Product(f'[cors]\norigins = ["{UNLISTED}"]\n')
    assert cors_headers(await world.gateway(preflight(CHAT, UNLISTED))) != {}
    assert cors_headers(await world.gateway(preflight(CHAT, LISTED))) == {}


async def test_where_no_page_may_call_no_reply_depends_on_one() -> None:
    world = Product("[cors]\norigins = []\n")
    for origin in (LISTED, "null"):
        assert cors_headers(await world.gateway(preflight(CHAT, origin))) == {}
        response = await world.say(headers=[("origin", origin)])
        assert (response.status, response.header("vary")) == (200, None)
        assert cors_headers(response) == {}


# Health


async def test_health() -> None:
    world = Product()
    told = await body(await world.get("/health", token=None))
    assert told.keys() == {"status", "timestamp", "edge", "version"}
    assert (told["status"], told["edge"]) == ("healthy", "unknown")
    assert told["version"] == penstock.__version__
    stamp = datetime.fromisoformat(told["timestamp"])
    assert stamp.utcoffset() == UTC.utcoffset(None)
    assert stamp.timestamp() == world.platform.clock.now()


async def test_the_index_gives_name_version_and_links() -> None:
    world = Product()
    told = await body(await world.get("/", token=None))
    assert (told["name"], told["version"]) == ("Penstock", penstock.__version__)
    for link in ("/docs", "/openapi.json", "/health"):
        assert link in told["links"].values()
        assert (await world.get(link, token=None)).status == 200
