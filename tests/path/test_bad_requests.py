"""Bad paths, methods and headers: nothing reaches what it should not, and each refusal has its code."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from penstock.gateway.routes import ROUTES
from penstock.wire.http import JSON, Response
from tests.inbound import Reply, Server
from tests.path.targets import PLAIN, upstream
from tests.path.test_bad_input import CHAT, EMBED, ONE, PRODUCT, PRODUCT_EMBED, VALID, refused
from tests.path.world import World, body, read

Headers = Sequence[tuple[str, str]]


def plain() -> World:
    return World(upstream, more=PLAIN, env={})


async def through_http(
    world: World, target: str, *headers: tuple[str, str], method: str = "GET", token: str = ""
) -> Reply:
    """A request as its client's bytes."""
    server = Server(world.gateway)
    sent = (("authorization", f"Bearer {token or world.token()}"), *headers)
    reply = await server.visitor().get(target, *sent, method=method)
    await server.stop()
    return reply


TRICKS = [
    "//admin/usage", "/admin//usage", "/admin/usage/", "/admin/usage//", "/./admin/usage", "/admin/./usage",
    "/v1/../admin/usage", "/v1/models/../../admin/usage", "/health/../admin/usage", "/admin/usage/.", "/admin/usage/..",
    "/%2e%2e/admin/usage", "/v1/%2e%2e/admin/usage", "/v1/%2E%2E%2Fadmin/usage", "/..%2fadmin%2fusage",
    "/admin;/usage", "/admin/usage;", "/admin/usage;a=b", "/;/admin/usage", "/admin;v=1/usage", "/v1;/../admin/usage",
    "/%2fadmin/usage", "/admin%252fusage", "/%2561dmin/usage", "/admin/usage%00", "/admin/usage%20",
    "/admin/usage%0a", "/admin/usage%23", "/admin/usage%3f", "/Admin/usage", "/ADMIN/USAGE", "/admin/Usage",
    "/\uff41dmin/usage", "/admin\\usage", "\\admin\\usage", "/admin%5cusage", "admin/usage", "", "*",
    "//evil.test/admin/usage", "/%c0%afadmin/usage", "/admin/usage.json",
]  # fmt: skip


@pytest.mark.parametrize("role", ["", "admin"])
@pytest.mark.parametrize("target", TRICKS)
async def test_tricks_with_the_path_lead_nowhere(target: str, role: str) -> None:
    world = plain()
    reply = await through_http(world, target, token=world.token(role=role))
    assert reply.status in (400, 404)
    assert json.loads(reply.body)["error"]


@pytest.mark.parametrize(
    "target", ["/admin/usage", "/admin%2fusage", "/%61dmin/usage", "/admin/usage?by=day", "http://penstock.test/admin/usage", "/metrics", "/admin/cache"]
)  # fmt: skip
async def test_every_spelling_of_an_admins_path_asks_for_the_scope(target: str) -> None:
    world = plain()
    reply = await through_http(world, target)
    assert reply.status == 403
    assert json.loads(reply.body)["code"] == "insufficient_scope"
    assert (await through_http(world, target, token=world.token(role="admin"))).status == 200


@pytest.mark.parametrize(
    "header",
    [
        ("host", "admin"), ("host", "127.0.0.1/admin/usage"), ("host", "evil.test:80@127.0.0.1"), ("host", ""),
        ("x-original-url", "/admin/usage"), ("x-rewrite-url", "/admin/usage"), ("x-forwarded-prefix", "/admin"),
        ("x-forwarded-host", "admin"), ("x-http-method-override", "DELETE"), ("forwarded", "host=admin;path=/admin"),
        ("x-forwarded-for", "127.0.0.1"), ("x-real-ip", "127.0.0.1"), ("x-user-role", "admin"),
    ],
)  # fmt: skip
async def test_no_header_leads_elsewhere(header: tuple[str, str]) -> None:
    world = plain()
    assert json.loads((await through_http(world, "/", header)).body)["name"] == "Penstock"
    assert (await through_http(world, "/admin/usage", header)).status == 403
    assert (await through_http(world, "/admin/cache", header)).status == 403


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "BREW"])
@pytest.mark.parametrize(
    "path", ["/v1/responses", "/v1/nothing", "/api/rag/nothing", "/dashboards", "/v2/chat", "/v1"]
)
async def test_what_is_not_there_is_not_found(path: str, method: str) -> None:
    world = plain()
    response = await world.ask(path, VALID[CHAT], method=method)
    told = await refused(world, path, response, 404, "not_found")
    if not path.startswith("/v1/"):
        assert told["error"] == "Not Found"


# Methods

METHODS = (
    "GET",
    "HEAD",
    "POST",
    "PUT",
    "PATCH",
    "DELETE",
    "OPTIONS",
    "TRACE",
    "CONNECT",
    "BREW",
    "get",
)
PATHS = [*ROUTES, "/v1/models/auto"]


@pytest.mark.parametrize("path", PATHS)
async def test_a_wrong_method_is_told_the_right_ones(path: str) -> None:
    right = set(ROUTES[path]) if path in ROUTES else {"GET"}
    right |= {"HEAD"} if "GET" in right else set()
    for method in METHODS:
        world = plain()
        response = await world.ask(path, b"", method=method, token=None)
        if method in right:
            assert response.status != 405
            await response.aclose()
            continue
        await refused(world, path, response, 405, "method_not_allowed")
        assert set((response.header("allow") or "").split(", ")) == right


@pytest.mark.parametrize("path", [path for path in PATHS if "POST" not in ROUTES.get(path, ())])
async def test_head_is_get_without_a_body(path: str) -> None:
    world = plain()
    token = world.token(role="admin")
    got = await through_http(world, path, token=token)
    head = await through_http(world, path, method="HEAD", token=token)
    assert (head.status, head.body) == (200, b"")
    assert set(head.headers) == set(got.headers)
    # Usage and counters may have moved in between.
    if path not in ("/metrics", "/admin/cache"):
        assert head.headers["content-length"] == got.headers["content-length"] == str(len(got.body))


async def test_a_preflight_is_no_method_of_a_path() -> None:
    world = plain()
    asked = [("origin", "http://localhost:3000"), ("access-control-request-method", "POST")]
    for path in (CHAT, "/admin/usage", "/nothing"):
        response = await world.ask(path, b"", method="OPTIONS", token=None, headers=asked)
        assert response.status == 204
        assert await read(response) == b""


# Credentials

LONG = "a" * 8_193


@pytest.mark.parametrize("path", [CHAT, PRODUCT, "/v1/models", "/api/usage", "/metrics"])
@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ([], 401, "missing_credential"),
        ([("authorization", "")], 401, "missing_credential"),
        ([("authorization", "Bearer")], 401, "missing_credential"),
        ([("authorization", "Bearer ")], 401, "missing_credential"),
        ([("authorization", "Basic YTpi")], 401, "missing_credential"),
        ([("authorization", "Bearer x")], 401, "invalid_token"),
        ([("authorization", "Bearer a.b.c")], 401, "invalid_token"),
        ([("authorization", "Bearer ' or 1=1 --")], 401, "invalid_token"),
        ([("authorization", "Bearer a\x00b")], 401, "invalid_token"),
        ([("authorization", "Bearer \xff")], 401, "invalid_token"),
        ([("authorization", "Bearer pk-made-up")], 401, "invalid_api_key"),
        ([("x-api-key", "made-up")], 401, "invalid_token"),
        ([("x-api-key", "pk-' or 1=1 --")], 401, "invalid_api_key"),
        ([("authorization", f"Bearer {LONG}")], 431, "header_too_large"),
        ([("authorization", LONG)], 431, "header_too_large"),
        ([("authorization", "Bearer " + "a" * 10**6)], 431, "header_too_large"),
        ([("x-api-key", LONG)], 431, "header_too_large"),
        ([("authorization", "Bearer a"), ("x-api-key", "b")], 400, "conflicting_credentials"),
        ([("authorization", "Bearer a"), ("authorization", "Bearer a")], 400, "duplicate_header"),
        ([("x-api-key", "a"), ("x-api-key", "b")], 400, "duplicate_header"),
    ],
)  # fmt: skip
async def test_bad_credentials(path: str, headers: Headers, status: int, code: str) -> None:
    world = plain()
    method = "POST" if path in VALID else "GET"
    response = await world.ask(path, VALID.get(path), method=method, token=None, headers=headers)
    told = await refused(world, path, response, status, code)
    challenge = response.header("www-authenticate")
    assert (challenge or "").startswith("Bearer") == (status == 401)
    if status == 401 and not path.startswith("/v1/"):
        assert told["error"] == (
            "Unauthorized" if code == "missing_credential" else "Invalid token"
        )


@pytest.mark.parametrize(
    "name", ["access_token", "api_key", "api-key", "Authorization", "jwt", "api%5Fkey", "x-api-key"]
)
async def test_credentials_in_the_query_are_refused_even_beside_a_good_one(name: str) -> None:
    world = plain()
    response = await world.get("/v1/models", query=f"a=b&{name}={world.token()}")
    await refused(world, "/v1/models", response, 400, "credential_in_query")


# Queries


@pytest.mark.parametrize("path", ["/v1/usage", "/api/usage", "/admin/usage"])
@pytest.mark.parametrize(
    ("query", "code", "param"),
    [
        ("by=week", "invalid_field", "by"), ("by=", "invalid_field", "by"), ("by=day&by=day", "duplicate_field", None),
        ("made_up=1", "invalid_field", "made_up"), ("from=yesterday", "invalid_field", "from"),
        ("to=2026-13-01", "invalid_field", "to"), ("from=2026-11-02&to=2026-11-01", "invalid_field", "from"),
        ("from=2020-01-01&to=2026-01-01", "invalid_field", "from"), ("from=1969-01-01&to=1969-02-01", "invalid_field", "from"),
        ("from=0001-01-01&to=9999-12-31", "invalid_field", "from"), ("to=9999-12-31T23:59:59%2B00:00", "invalid_field", "to"),
        ("from=0001-01-01T00:00:00%2B23:59", "invalid_field", "from"),
        ("&".join(["a=b"] * 21), "invalid_field", None), ("&".join(["a=b"] * 10_000), "invalid_field", None),
        ("from=%00", "invalid_field", "from"), ("from=%ff", "invalid_field", "from"), ("by=%", "invalid_field", "by"),
    ],
)  # fmt: skip
async def test_bad_queries(path: str, query: str, code: str, param: str | None) -> None:
    world = plain()
    response = await world.get(path, query=query, token=world.token(role="admin"))
    if not code:
        assert response.status == 200
        return
    told = await refused(world, path, response, 400, code)
    assert told.get("param") == param


@pytest.mark.parametrize(
    ("query", "code"),
    [("kind=", "invalid_field"), ("kind", "invalid_field"), ("kind=chat&kind=embed", "duplicate_field"),
     ("made_up=1", "invalid_field"), ("&".join(["kind=chat"] * 30), "invalid_field")],
)  # fmt: skip
async def test_bad_purges_purge_nothing(query: str, code: str) -> None:
    world = plain()
    path = "/admin/cache"
    response: Response = await world.ask(
        path, None, method="DELETE", query=query, token=world.token(role="admin")
    )
    await refused(world, path, response, 400, code)
    assert await world.platform.tables.rows("select scope from generations") == []


# The product face's own words

BAD_MESSAGES: list[Any] = [
    None, [], {}, "hello", 5, [None], ["hello"], [{}], [{"role": "user"}], [{"content": "hello"}],
    [{"role": "user", "content": None}], [{"role": "user", "content": 5}], [{"role": "user", "content": ["hello"]}],
    [{"role": "tool", "content": "hello"}], [{"role": None, "content": "hello"}], [{"role": [], "content": "hello"}],
    [{"role": "user", "content": "hello"}, {"role": "user", "content": None}],
]  # fmt: skip
BAD_MESSAGE: list[Any] = [None, "", 5, [], {}, ["hello"]]
NO_TEXT: list[Any] = [
    {}, {"text": None}, {"text": ""}, {"texts": None}, {"texts": []}, {"text": "", "texts": []}, {"input": "hello"},
]  # fmt: skip
BAD_TEXT: list[Any] = [
    {"text": 5}, {"text": []}, {"text": {}}, {"texts": "hello"}, {"texts": [None]}, {"texts": [""]}, {"texts": [[1]]},
    {"texts": {}}, {"text": "a", "texts": ["b"]}, {"texts": ["x"] * 11},
]  # fmt: skip
BAD_FIELD: list[Any] = [
    {"model": 5}, {"model": ""}, {"stream": "yes"}, {"temperature": 3}, {"max_tokens": 0}, {"max_tokens": 1.5},
]  # fmt: skip
WORDS: list[tuple[str, Any, str]] = [
    *[(PRODUCT, {"messages": messages}, "Invalid messages") for messages in BAD_MESSAGES],
    (PRODUCT, {}, "Invalid messages"),
    (PRODUCT, {"message": "hello"}, "Invalid messages"),
    *[(ONE, {"message": message}, "Missing required fields") for message in BAD_MESSAGE],
    (ONE, {}, "Missing required fields"),
    (ONE, VALID[PRODUCT], "Missing required fields"),
    *[(PRODUCT_EMBED, asked, "Missing text or texts") for asked in NO_TEXT],
    *[(PRODUCT_EMBED, asked, "Bad Request") for asked in BAD_TEXT],
    *[(PRODUCT, VALID[PRODUCT] | wrong, "Bad Request") for wrong in BAD_FIELD],
]


@pytest.mark.parametrize(("path", "asked", "text"), WORDS, ids=str)
async def test_the_product_face_says_it_in_its_own_words(path: str, asked: Any, text: str) -> None:
    world = plain()
    response = await world.ask(path, asked)
    code = (await body(response))["code"]
    assert code in (
        "invalid_request",
        "invalid_field",
        "too_many_inputs",
        "token_input_unsupported",
    )
    assert (await refused(world, path, response, 400, code))["error"] == text


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({}, "invalid_field"), ({"input": None}, "invalid_field"), ({"input": ""}, "invalid_field"),
        ({"input": []}, "invalid_field"), ({"input": [""]}, "invalid_field"), ({"input": ["a", None]}, "invalid_field"),
        ({"input": {}}, "invalid_field"), ({"input": [1, 2]}, "token_input_unsupported"),
        ({"input": [[1, 2]]}, "token_input_unsupported"), ({"input": ["x"] * 10_001}, "too_many_inputs"),
        ({"input": "x", "dimensions": 0}, "invalid_field"), ({"input": "x", "dimensions": 10**30}, "invalid_field"),
        ({"input": "x", "encoding_format": "hex"}, "invalid_field"), ({"input": "x", "user": 5}, "invalid_field"),
    ],
)  # fmt: skip
async def test_bad_embeddings(asked: Any, code: str) -> None:
    world = plain()
    response = await world.ask(EMBED, {"model": "embed", **asked})
    await refused(world, EMBED, response, 400, code)


async def test_a_huge_output_cap_is_refused_by_the_context_and_not_reserved() -> None:
    world = World(upstream)
    response = await world.chat("hello", max_tokens=10_000_000, n=8)
    await refused(world, CHAT, response, 400, "context_length_exceeded")


async def test_a_target_whose_numbers_fit_no_float32_has_failed_and_is_settled() -> None:
    rows = [{"index": 0, "embedding": [1e300]}]
    reply = {"data": rows, "usage": {"prompt_tokens": 1, "total_tokens": 1}}
    world = World(lambda _: Response(200, [JSON], json.dumps(reply).encode()), more=PLAIN, env={})
    response = await world.ask(EMBED, VALID[EMBED])
    assert (response.status, (await body(response))["error"]["code"]) == (
        502,
        "upstream_unreadable",
    )
    assert (await world.stages())["settled"] == 1
    assert world.reports == []
