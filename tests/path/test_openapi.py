"""The OpenAPI document and its page: complete, true to the decoders, and safe to show."""

from __future__ import annotations

import json
import re
import shlex
from base64 import b64encode
from collections.abc import Callable, Iterator
from hashlib import sha256
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from penstock.auth.caller import Caller
from penstock.config import Tier
from penstock.errors import Refused
from penstock.gateway import embeddings, faces, openapi
from penstock.gateway.openapi.operation import Operation
from penstock.gateway.openapi.operations import OPERATIONS
from penstock.gateway.openapi.page import curl
from penstock.gateway.openapi.replies import MEANINGS
from penstock.gateway.routes import BELOW, DOCUMENT_PATH, ROUTES, Endpoint
from penstock.rag.reasons import REASONS
from penstock.wire.http import Response
from tests.path.world import SECRET, World, body, read

SOURCE = Path(openapi.__file__).resolve().parents[2]
TREE = openapi.tree()
ENDPOINTS = {(path, method): one for path, ways in ROUTES.items() for method, one in ways.items()}
ENDPOINTS |= {(one.label, method): one for ways in BELOW.values() for method, one in ways.items()}
FORCER = Caller(sub="f", scopes=frozenset({"chat", "embed", "route:force"}))
WIDE = Tier(embedding_batch=100)


PREPARED = {
    "getRequest": "insert into decisions (request_id, at, owner, record)"
    """ values ('req_example', 0, 'default/alice', '{"request_id":"req_example","service":"chat"}')""",
    "revokeKey": "insert into api_keys (id, hash, sub, tenant, tier, scopes, created_at)"
    " values ('key_example', 'h', 's', 't', 'free', 'chat', 0)",
}
"""Rows that examples name."""


def sandbox() -> World:
    """A gateway without any provider, as a fresh installation is."""
    return World(more="", env={"JWT_SECRET": SECRET})


def fit(operation: Operation) -> World:
    """One on which its example works: a tenant's own key is for a provider that takes such."""
    real = {"OPENAI_API_KEY": "sk-ours"} if operation.path == "/admin/tenant-keys" else {}
    return World(more="", env={"JWT_SECRET": SECRET} | real)


async def prepared(operation: Operation) -> World:
    """With the document that examples name, or a request of which there is something to say."""
    world = fit(operation)
    if operation.path.startswith("/api/rag/") and world.platform.index is None:
        pytest.skip("documents need a model here, and the sandbox has none")
    if operation.path.startswith(DOCUMENT_PATH):
        response = await world.ask(
            "/api/rag/upload", {"text": "x"}, token=world.token(role="admin")
        )
        assert response.status == 201
        await world.platform.tables.batch(("update documents set id = 'doc_example'", ()))
    if operation.id in PREPARED:
        await world.platform.tables.batch((PREPARED[operation.id], ()))
    if operation.path == "/v1/feedback":
        assert operation.example is not None
        decided = "insert into decisions (request_id, at, owner, record) values ($1, 0, $2, '{}')"
        await world.platform.tables.batch(
            (decided, (operation.example["request_id"], "default/alice"))
        )
    return world


def endpoint(operation: Operation) -> Endpoint:
    return ENDPOINTS[operation.path, operation.method]


def test_the_document_and_the_routes_name_the_same_paths_and_methods() -> None:
    told = [(path, method.upper()) for path, ways in TREE["paths"].items() for method in ways]
    assert len(told) == len(set(told))
    assert set(told) == set(ENDPOINTS)


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda one: one.id)
def test_credential_scope_and_rate_are_as_the_routes_say(operation: Operation) -> None:
    route = endpoint(operation)
    assert operation.credential == (route.auth != "none")
    assert operation.scope == route.scope
    assert operation.rate == (route.limit or "")
    assert operation.spends == route.spends


def test_operations_have_names_of_their_own() -> None:
    assert len({operation.id for operation in OPERATIONS}) == len(OPERATIONS)


UNNAMED = {"credential_revoked", "invalid_token", "token_expired", "content_filter"}
"""Codes that the source gives without a keyword beside them."""


def core() -> str:
    """The source of everything but entry and platforms."""
    return "\n".join(
        path.read_text(encoding="utf-8")
        for path in SOURCE.rglob("*.py")
        if not {"entry", "platforms", "openapi"} & set(path.relative_to(SOURCE).parts)
    )


def test_every_code_is_documented_and_no_other() -> None:
    documented = {code for meaning in MEANINGS.values() for code in meaning.codes}
    text = core()
    given = {*re.findall(r'\bcode ?= ?"(\w+)"', text), *re.findall(r'"(upstream_\w+)"', text)}
    given |= {*REASONS}
    given -= {"misconfigured", "not_installed", "upstream_status", "upstream_us"}
    # What is said of files on the command line.
    given = {code for code in given if not code.startswith(("labels_", "invalid_labels"))}
    given -= {"invalid_router"}
    # No path that is described opens a WebSocket.
    given = {code for code in given if "websocket" not in code}
    assert documented - UNNAMED == given - UNNAMED
    assert [code for code in UNNAMED if f'"{code}"' not in text] == []


@pytest.mark.parametrize(
    "operation", [one for one in OPERATIONS if one.body], ids=lambda one: one.id
)
async def test_examples_work_on_the_sandbox(operation: Operation) -> None:
    world = await prepared(operation)
    token = world.token(role="admin" if operation.scope == "admin" else "")
    response = await world.ask(
        operation.path, operation.example, method=operation.method, token=token
    )
    assert response.status in operation.good
    assert jsonschema_rs.validator_for(reply_schema(operation)).is_valid(await body(response))


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda one: one.id)
async def test_the_command_lines_of_the_page_work_on_the_sandbox(operation: Operation) -> None:
    method = operation.method.lower()
    line = curl(method, operation.path, TREE["paths"][operation.path][method])
    assert line.replace("&", "&amp;").replace('"', "&quot;").replace("'", "&#x27;") in page()
    words = shlex.split(line.replace("\\\n", ""))
    asked = re.fullmatch(r"http://127\.0\.0\.1:8787(/.*)", next(w for w in words if "://" in w))
    assert asked is not None
    world = await prepared(operation)
    data = words[words.index("-d") + 1].encode() if "-d" in words else b""
    token = world.token(role="admin") if "Authorization: Bearer $TOKEN" in words else None
    said = words[words.index("-X") + 1] if "-X" in words else "POST" if data else "GET"
    assert said == operation.method
    path, _, query = asked[1].partition("?")
    response = await world.ask(path, data, method=said, token=token, query=query)
    assert response.status in operation.good


def reply_schema(operation: Operation) -> Any:
    replies = TREE["paths"][operation.path][operation.method.lower()]["responses"]
    content = replies[str(operation.good[0])]["content"]
    return content["application/json"]["schema"] | {"components": TREE["components"]}


# The decoders against the schemas


def openai_chat(data: bytes) -> None:
    faces.OPENAI.decode(data, FORCER)


def product_chat(data: bytes) -> None:
    faces.PRODUCT.decode(data, FORCER)


def one_message(data: bytes) -> None:
    faces.ONE_MESSAGE.decode(data, FORCER)


def openai_embeddings(data: bytes) -> None:
    embeddings.OPENAI.decode(data, WIDE)


def product_embeddings(data: bytes) -> None:
    embeddings.PRODUCT.decode(data, WIDE)


DECODERS: dict[str, Callable[[bytes], None]] = {
    "ChatRequest": openai_chat,
    "EmbeddingsRequest": openai_embeddings,
    "ProductChatRequest": product_chat,
    "OneMessageRequest": one_message,
    "ProductEmbeddingsRequest": product_embeddings,
}
# Whole numbers are written without a fraction, so 1.0 is left out: JSON Schema takes it for an integer.
SCALARS: list[Any] = [
    None, True, False, 0, 1, 2, 3, 8, 9, -1, -2, -3, 20, 21, 10**7, 10**7 + 1, 65_536, 65_537, 10**30, 0.5, 2.5,
    "", "a", "auto", "text", "float", "base64", "x" * 256, "x" * 257,
]  # fmt: skip
LISTS: list[Any] = [
    [], [None], [1], [""], ["a"], ["a", ""], ["a", 1], [{}], [[]], [[1]], ["a"] * 100, ["a"] * 101, ["a"] * 2_048,
    ["a"] * 2_049, {}, {"a": 1}, {"a": 0.5}, {"a": "b"}, {"include_usage": True}, {"include_usage": None},
    {"include_usage": 1},
]  # fmt: skip
HELD: list[dict[str, Any]] = [
    {}, {"text": ""}, {"text": 1}, {"text": None}, {"image_url": "a"}, {"image_url": {}}, {"image_url": 1},
    {"text": "a", "image_url": {}},
]  # fmt: skip
PARTS: list[Any] = [
    {"type": kind, **held} for kind in ("text", "image_url", "other", 1) for held in HELD
]
CALLS: list[Any] = [None, [], [{}], [1], "no", {}, {"name": "f"}]
CONTENTS: list[Any] = [
    *SCALARS,
    *LISTS,
    *([part] for part in PARTS),
    *([PARTS[1], part] for part in PARTS),
]
SAID: list[dict[str, Any]] = [
    {},
    *({name: value} for name in ("tool_calls", "function_call") for value in CALLS),
    *({"refusal": value} for value in (None, "", "no", 1)),
    *({name: value} for name in ("name", "tool_call_id") for value in (None, "a", 1)),
]
SAYS: list[Any] = [None, "a", 1, []]
ROLES: list[Any] = [
    "user",
    "assistant",
    "system",
    "developer",
    "tool",
    "function",
    "nobody",
    "",
    None,
    1,
]
MESSAGES: list[Any] = [
    *({"role": role, "content": content} for role in ROLES for content in CONTENTS),
    *({"role": role, **said} for role in ROLES for said in SAID),
    *({"role": role, "content": content, **said} for role in ROLES for said in SAID for content in SAYS),
    {}, {"role": "user"}, {"content": "a"}, None, "a", 1, [],
]  # fmt: skip
HELLO = {"role": "user", "content": "hi"}
SEEDS: dict[str, dict[str, Any]] = {
    "ChatRequest": {"model": "auto", "messages": [HELLO]},
    "EmbeddingsRequest": {"model": "embed", "input": "hi"},
    "ProductChatRequest": {"messages": [HELLO]},
    "OneMessageRequest": {"message": "hi"},
    "ProductEmbeddingsRequest": {"text": "hi"},
}


def bodies(name: str) -> Iterator[dict[str, Any]]:
    """A valid body with any value in any field, without any of its fields, with any message, and some in pairs."""
    seed = SEEDS[name]
    fields = {
        *TREE["components"]["schemas"][name].get("properties", {}),
        "text",
        "texts",
        "provider",
        "made_up",
    }
    yield {}
    yield from ({k: v for k, v in seed.items() if k != field} for field in seed)
    yield from ({**seed, field: value} for field in sorted(fields) for value in [*SCALARS, *LISTS])
    if "messages" in seed:
        yield from ({**seed, "messages": [message]} for message in MESSAGES)
        yield from ({**seed, "messages": [HELLO, message]} for message in MESSAGES)
    for stream in (True, False, None):
        yield from ({**seed, "stream": stream, "stream_options": told} for told in LISTS)
        yield {**seed, "stream": stream, "stream_options": None}
    both = [None, "", "a", [], ["a"]]
    yield from ({"text": text, "texts": texts} for text in both for texts in both)


@pytest.mark.parametrize("name", DECODERS)
def test_schemas_are_as_strict_as_the_decoders(name: str) -> None:
    schema = TREE["components"]["schemas"][name] | {"components": TREE["components"]}
    valid = jsonschema_rs.validator_for(schema).is_valid
    found = [(body, taken(name, body)) for body in bodies(name)]
    assert [body for body, good in found if good != valid(body)] == []
    assert {good for _, good in found} == {True, False}


def taken(name: str, asked: Any) -> bool:
    """Whether a decoder takes a body; it must never raise anything but a refusal."""
    try:
        DECODERS[name](json.dumps(asked).encode())
    except Refused:
        return False
    return True


def test_seeds_are_valid() -> None:
    for name, seed in SEEDS.items():
        DECODERS[name](json.dumps(seed).encode())


# The page


def page() -> str:
    return openapi.page().decode()


class Elements(HTMLParser):
    """The elements of a page, and whether each that opens closes."""

    VOID = frozenset({"meta", "br"})

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def elements() -> list[tuple[str, dict[str, str | None]]]:
    parser = Elements()
    parser.feed(page())
    assert parser.open == []
    return parser.found


def test_the_page_runs_nothing_and_fetches_nothing() -> None:
    for tag, attributes in elements():
        assert tag not in {"script", "img", "iframe", "object", "embed", "form", "base", "link"}
        assert not [name for name in attributes if name == "style" or name.startswith("on")]
        link = attributes.get("href")
        assert link is None or link.startswith(("#", "/"))


def test_the_page_lists_every_operation_and_its_links_lead_somewhere() -> None:
    ids = {attributes["id"] for _, attributes in elements() if "id" in attributes}
    assert ids == {operation.id for operation in OPERATIONS}
    links = {attributes["href"] for tag, attributes in elements() if tag == "a"}
    assert {f"#{name}" for name in ids} <= links


async def test_the_page_is_served_under_a_policy_that_knows_its_style() -> None:
    response = await World().get("/docs", token=None)
    policy = response.header("content-security-policy") or ""
    text = (await read(response)).decode()
    (style,) = re.findall(r"<style>(.*?)</style>", text, re.DOTALL)
    digest = b64encode(sha256(style.encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert response.header("content-type") == "text/html; charset=utf-8"
    assert response.header("x-content-type-options") == "nosniff"


async def test_the_document_is_served_as_json() -> None:
    response = await World().get("/openapi.json", token=None)
    assert response.header("content-type") == "application/json"
    assert await body(response) == json.loads(json.dumps(TREE))


@pytest.mark.parametrize("path", ["/docs", "/openapi.json"])
async def test_an_operator_may_keep_both_to_himself(path: str) -> None:
    world = World(more="\n[server]\ndocs = false\n")
    response: Response = await world.get(path, token=None)
    assert response.status == 404
    assert (await body(response))["code"] == "not_found"
