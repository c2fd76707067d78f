"""Bad bodies: the documented envelope, a fixed code, nothing sent and nothing charged."""

from __future__ import annotations

import asyncio
import json
import sys
import time
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.errors import Refused
from penstock.wire.chat import FORBIDDEN, decode_chat
from penstock.wire.http import Request, Response
from penstock.wire.json import MAX_DEPTH, MAX_VALUES
from tests.path.targets import PLAIN, UNLIMITED, upstream
from tests.path.world import Script, World, body

CHAT = "/v1/chat/completions"
EMBED = "/v1/embeddings"
PRODUCT = "/api/ai/chat/completions"
ONE = "/api/ai/chat"
PRODUCT_EMBED = "/api/ai/embeddings"
HELLO = [{"role": "user", "content": "hello"}]
VALID: dict[str, dict[str, Any]] = {
    CHAT: {"model": "auto", "messages": HELLO},
    EMBED: {"model": "embed", "input": "hello"},
    PRODUCT: {"messages": HELLO},
    ONE: {"message": "hello"},
    PRODUCT_EMBED: {"text": "hello"},
}
FACES = tuple(VALID)
MOST_SECONDS = 0.05 if sys.platform != "emscripten" else 1.0
"""For a body of the most bytes; WebAssembly is slower, and its clock counts the neighbours' time."""
PROBLEM_FIELDS = {"type", "title", "status", "detail", "code", "error"}


def plain() -> World:
    return World(upstream, more=PLAIN, env={})


async def refused(world: World, path: str, response: Response, status: int, code: str) -> Any:
    """Asserts one refusal in its path's envelope, of which nothing else is left; returns its insides."""
    told = await body(response)
    if path.startswith("/v1/"):
        assert set(told) == {"error"}
        assert set(told["error"]) == {"message", "type", "param", "code"}
        assert response.header("content-type") == "application/json"
        told = told["error"]
    else:
        assert PROBLEM_FIELDS <= set(told) <= PROBLEM_FIELDS | {"param"}
        assert response.header("content-type") == "application/problem+json"
        assert told["status"] == status
        assert told["title"] == told["error"]
    assert (response.status, told["code"]) == (status, code)
    assert (response.header("x-request-id") or "").startswith("req_")
    assert await world.ledger() == []
    assert world.platform.fetch.requests == []
    assert world.reports == []
    return told


def test_the_valid_bodies_are_valid() -> None:
    async def ask(path: str) -> int:
        return (await plain().ask(path, VALID[path])).status

    assert [asyncio.run(ask(path)) for path in FACES] == [200] * len(FACES)


def beside(path: str, text: str) -> bytes:
    """A valid body with more JSON text in it."""
    return json.dumps(VALID[path]).encode()[:-1] + b"," + text.encode() + b"}"


MALFORMED: dict[str, bytes] = {
    "empty": b"",
    "white": b" \n",
    "cut": b'{"model": "auto", "mess',
    "array": b"[]",
    "null": b"null",
    "text": b'"hello"',
    "number": b"1",
    "xml": b"<a/>",
    "form": b"model=auto&message=hello",
    "byte order mark": b"\xef\xbb\xbf{}",
    "UTF-16": '{"model": "auto"}'.encode("utf-16"),
    "trailing": b'{"a": 1} {"b": 2}',
    "comment": b'{"a": 1 /* why */}',
    "trailing comma": b'{"a": 1,}',
    "single quotes": b"{'a': 1}",
    "bad UTF-8": b'{"a": "\xff"}',
    "overlong UTF-8": b'{"a": "\xc0\xaf"}',
    "lone surrogate": b'{"a": "\\ud800"}',
    "surrogate bytes": b'{"a": "\xed\xa0\x80"}',
    "control character": b'{"a": "\x00"}',
    "leading zero": b'{"a": 01}',
    "hex": b'{"a": 0x10}',
    "out of range": b'{"a": 1e999}',
    "endless digits": b'{"a": ' + b"9" * 5000 + b"}",
    "10^5 lists deep": b'{"a": ' + b"[" * 10**5,
    "10^5 objects deep": b'{"a":' * 10**5 + b"1" + b"}" * 10**5,
}


@pytest.mark.parametrize("path", FACES)
@pytest.mark.parametrize("data", MALFORMED.values(), ids=MALFORMED.keys())
async def test_a_malformed_body_is_refused(path: str, data: bytes) -> None:
    world = plain()
    await refused(world, path, await world.ask(path, data), 400, "invalid_json")


@pytest.mark.parametrize("path", FACES)
@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "-NaN"])
async def test_only_json_numbers_are_numbers(path: str, number: str) -> None:
    world = plain()
    asked = beside(path, f'"temperature": {number}')
    await refused(world, path, await world.ask(path, asked), 400, "invalid_json")


@pytest.mark.parametrize("path", FACES)
async def test_a_duplicate_key_is_refused_wherever_it_stands(path: str) -> None:
    for text in ('"a": 1, "a": 1', '"a": {"b": 1, "b": 2}', '"a": [{"\\u0062": 1, "b": 2}]',
                 '"a\\u0022": 1, "a\\"": 2', '"a": "\\u0022\\u0022", "b": 1, "b": 2'):  # fmt: skip
        world = plain()
        response = await world.ask(path, beside(path, text))
        await refused(world, path, response, 400, "duplicate_field")


@pytest.mark.parametrize("path", FACES)
@pytest.mark.parametrize(
    ("depth", "taken"), [(MAX_DEPTH - 1, True), (MAX_DEPTH, False), (970, False)]
)
async def test_depth_is_bounded_well_before_the_stack_is(
    path: str, depth: int, taken: bool
) -> None:
    world = plain()
    response = await world.ask(path, beside(path, f'"made_up": {"[" * depth}{"]" * depth}'))
    if taken:
        assert response.status == 200
    else:
        await refused(world, path, response, 400, "invalid_json")


HOSTILE: dict[str, tuple[Callable[[], bytes], str]] = {
    "10^5 deep": (lambda: b'{"a":' + b"[" * 10**5 + b"]" * 10**5 + b"}", "invalid_json"),
    "10^5 objects deep": (lambda: b'{"a":' * 10**5 + b"1" + b"}" * 10**5, "invalid_json"),
    "5 * 10^6 deep": (lambda: b'{"a":' + b"[" * 4_999_990, "invalid_json"),
    "NaN": (lambda: beside(CHAT, '"a": NaN'), "invalid_json"),
    "10^5 duplicate keys": (lambda: b"{" + b",".join([b'"a":1'] * 10**5) + b"}", "body_too_large"),
    "a duplicate among 45,000": (
        lambda: b"{" + b",".join(b'"%d":1' % (i % 44_999) for i in range(45_000)) + b"}",
        "duplicate_field",
    ),
    "1.6 * 10^6 keys": (lambda: b"{" + b",".join([b'"a":1'] * 1_600_000) + b"}", "body_too_large"),
    "3 * 10^6 lists": (lambda: b'{"a":[' + b",".join([b"[]"] * 3_000_000) + b"]}", "body_too_large"),
    "3 * 10^6 texts": (lambda: b'{"a":[' + b",".join([b'""'] * 3_000_000) + b"]}", "body_too_large"),
    "10^6 texts with commas and quotes": (
        lambda: b'{"a":[' + b",".join([rb'",\","'] * 10**6) + b"]}",
        "body_too_large",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_body_takes_little_time_and_memory(name: str) -> None:
    made, code = HOSTILE[name]
    data = made()

    def seconds() -> float:
        start = time.process_time()
        with pytest.raises(Refused) as refusal:
            decode_chat(data)
        assert refusal.value.code == code
        return time.process_time() - start

    # A busy neighbour slows this processor down, so it is tried again.
    assert any(seconds() <= MOST_SECONDS for _ in range(20))
    tracemalloc.start()
    try:
        with pytest.raises(Refused):
            decode_chat(data)
        assert tracemalloc.get_traced_memory()[1] <= 64 << 20
    finally:
        tracemalloc.stop()


async def test_as_many_values_as_are_taken_and_one_more() -> None:
    world = World(upstream, more=PLAIN + UNLIMITED, env={})
    token = world.token(tier="huge")
    most = [0] * (MAX_VALUES - 1)
    taken = await world.chat("hello", token=token, made_up=most[: -len(VALID[CHAT]) - 2])
    assert taken.status == 200
    response = await plain().chat("hello", made_up=[*most, 0, 0])
    await refused(plain(), CHAT, response, 413, "body_too_large")


# Sizes


class Endless(Script):
    """A body that never ends; counts what was read of it."""

    async def __anext__(self) -> bytes:
        self.read += 1
        return b" " * 1_000_000


async def send(world: World, path: str, stream: Script, *headers: tuple[str, str]) -> Response:
    credential = ("authorization", f"Bearer {world.token()}")
    return await world.gateway(
        Request("POST", path.encode(), path, "", [credential, *headers], "192.0.2.1", stream)
    )


@pytest.mark.parametrize("path", FACES)
async def test_ten_million_bytes_are_taken_and_not_one_more(path: str) -> None:
    world = plain()
    data = json.dumps(VALID[path]).encode()
    assert (await world.ask(path, data.ljust(10_000_000))).status == 200
    world = plain()
    response = await world.ask(path, data.ljust(10_000_001))
    await refused(world, path, response, 413, "body_too_large")


@pytest.mark.parametrize("path", FACES)
async def test_a_body_declared_too_large_is_not_read(path: str) -> None:
    world, stream = plain(), Endless([])
    response = await send(world, path, stream, ("content-length", "10000001"))
    await refused(world, path, response, 413, "body_too_large")
    assert stream.read == 0


@pytest.mark.parametrize("path", FACES)
async def test_an_endless_body_is_cut(path: str) -> None:
    world, stream = plain(), Endless([])
    await refused(world, path, await send(world, path, stream), 413, "body_too_large")
    assert stream.read == 11


@pytest.mark.parametrize("length", ["ten", "-1", "1e3", "²", "0x10", ""])
async def test_a_length_that_is_no_number_is_refused(length: str) -> None:
    world = plain()
    response = await send(world, CHAT, Script([b"{}"]), ("content-length", length))
    await refused(world, CHAT, response, 400, "invalid_header")


async def test_the_operator_sets_the_most_bytes() -> None:
    world = World(upstream, more=PLAIN + "[server]\nmax_body_bytes = 100\n", env={})
    assert (await world.ask(CHAT, json.dumps(VALID[CHAT]).encode().ljust(100))).status == 200
    assert (await world.ask(CHAT, json.dumps(VALID[CHAT]).encode().ljust(101))).status == 413


@pytest.mark.parametrize("path", FACES)
@pytest.mark.parametrize("encoding", ["gzip", "br", "deflate", "zstd", "gzip, gzip", "GZIP", "x"])
async def test_an_encoded_body_is_refused_unread(path: str, encoding: str) -> None:
    world = plain()
    response = await world.ask(path, VALID[path], headers=[("content-encoding", encoding)])
    told = await refused(world, path, response, 415, "unsupported_encoding")
    if not path.startswith("/v1/"):
        assert told["error"] == "Unsupported Media Type"


async def test_identity_is_no_encoding() -> None:
    world = plain()
    response = await world.ask(CHAT, VALID[CHAT], headers=[("content-encoding", "identity")])
    assert response.status == 200


# Fields that no caller may set, whatever else the body holds


@pytest.mark.parametrize("path", FACES)
@pytest.mark.parametrize("name", sorted(FORBIDDEN))
@pytest.mark.parametrize("value", ["openai", None, {}, 0])
async def test_fields_that_steer_the_upstream_call_are_refused(
    path: str, name: str, value: Any
) -> None:
    world = plain()
    told = await refused(
        world, path, await world.ask(path, {**VALID[path], name: value}), 400, "forbidden_field"
    )
    assert told["param"] == name


@pytest.mark.parametrize("path", [CHAT, EMBED])
async def test_an_unknown_model_is_named_in_the_refusal(path: str) -> None:
    world = plain()
    response = await world.ask(path, {**VALID[path], "model": "gpt-9"})
    told = await refused(world, path, response, 404, "model_not_found")
    assert "'gpt-9'" in told["message"]
    assert told["param"] == "model"


@pytest.mark.parametrize("path", [PRODUCT, ONE])
async def test_the_product_face_knows_the_same_models(path: str) -> None:
    world = plain()
    response = await world.ask(path, {**VALID[path], "model": "gpt-9"})
    told = await refused(world, path, response, 404, "model_not_found")
    assert told["error"] == "Not Found"


@pytest.mark.parametrize("path", [PRODUCT, ONE])
@pytest.mark.parametrize("value", ["any", "nobody", "", 0, False, [], {}])
async def test_force_provider_needs_its_scope_before_anything_else_is_looked_at(
    path: str, value: Any
) -> None:
    for asked in (
        {"forceProvider": value},
        {**VALID[path], "forceProvider": value, "api_key": "x", "model": 5},
    ):
        world = plain()
        told = await refused(world, path, await world.ask(path, asked), 403, "insufficient_scope")
        assert "route:force" in told["detail"]


@pytest.mark.parametrize("path", [PRODUCT, ONE])
@pytest.mark.parametrize(
    ("value", "code"),
    [("nobody", "unknown_provider"), ("", "unknown_provider"), (0, "invalid_field"), ([], "invalid_field")],
)  # fmt: skip
async def test_with_the_scope_an_unknown_provider_is_a_bad_request(
    path: str, value: Any, code: str
) -> None:
    world = plain()
    token = world.token(scope="chat route:force")
    response = await world.ask(path, {**VALID[path], "forceProvider": value}, token=token)
    told = await refused(world, path, response, 400, code)
    assert told["param"] == "forceProvider"


# Whatever the bytes

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip
NAMES = sorted({name for valid in VALID.values() for name in valid} | {"stream", "texts", "tools"})


@pytest.mark.parametrize("path", FACES)
@given(
    data=st.binary(max_size=60)
    | JSON.map(lambda value: json.dumps(value).encode())
    | st.dictionaries(st.sampled_from(NAMES), JSON, max_size=4).map(lambda v: json.dumps(v).encode())
)  # fmt: skip
@settings(max_examples=60)
def test_whatever_is_sent_the_answer_is_a_good_one_or_a_refusal(path: str, data: bytes) -> None:
    async def ask() -> None:
        response = await WORLD.ask(path, data, token=TOKEN)
        sent = len(WORLD.platform.fetch.requests)
        if response.status != 200:
            told = await body(response)
            assert response.status in (400, 404, 413)
            assert (told.get("error", {}) if path.startswith("/v1/") else told)["code"]
            assert len(WORLD.platform.fetch.requests) == sent
        await response.aclose()

    asyncio.run(ask())
    assert WORLD.reports == []


WORLD = World(upstream, more=PLAIN + UNLIMITED, env={})
TOKEN = WORLD.token(tier="huge")
