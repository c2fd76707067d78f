"""The chat decoder: keeps everything of a valid ask, refuses the rest by name."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.errors import BadRequest, Refused
from penstock.wire.chat import FORBIDDEN, MESSAGE_OVERHEAD, TOOLS_OVERHEAD, Ask, Usage, decode_chat

HELLO = [{"role": "user", "content": "hello"}]
TEXT = st.text(max_size=12)
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)  # fmt: skip
PARTS: st.SearchStrategy[Any] = st.one_of(
    st.fixed_dictionaries({"type": st.just("text"), "text": TEXT}),
    st.fixed_dictionaries(
        {"type": st.just("image_url"), "image_url": st.fixed_dictionaries({"url": TEXT})}
    ),
    st.fixed_dictionaries({"type": st.just("refusal"), "refusal": JSON}),
)
MESSAGES: st.SearchStrategy[Any] = st.one_of(
    st.fixed_dictionaries(
        {"role": st.sampled_from(["user", "system", "developer"]), "content": TEXT},
        optional={"name": TEXT, "made_up": JSON},
    ),
    st.fixed_dictionaries(
        {"role": st.just("user"), "content": st.lists(PARTS, min_size=1, max_size=3)}
    ),
    st.fixed_dictionaries(
        {"role": st.just("assistant"), "tool_calls": st.just([{"id": "1"}])},
        optional={"content": st.none() | TEXT},
    ),
    st.fixed_dictionaries({"role": st.just("tool"), "tool_call_id": TEXT, "content": TEXT}),
)
BODIES = st.fixed_dictionaries(
    {"model": st.text(min_size=1, max_size=20), "messages": st.lists(MESSAGES, min_size=1, max_size=4)},
    optional={
        "stream": st.none() | st.booleans(),
        "max_tokens": st.none() | st.integers(1, 10**7),
        "max_completion_tokens": st.none() | st.integers(1, 10**7),
        "n": st.none() | st.integers(1, 8),
        "temperature": st.none() | st.floats(0, 2),
        "top_p": st.floats(0, 1),
        "stop": TEXT | st.lists(TEXT, max_size=2),
        "seed": st.integers(),
        "tools": st.lists(st.just({"type": "function"}), max_size=2),
        "response_format": st.just({"type": "json_object"}),
        "made_up": JSON,
        "another": JSON,
    },
)  # fmt: skip


def decode(body: Any) -> Ask:
    return decode_chat(json.dumps(body).encode())


def refusal(body: Any) -> BadRequest:
    with pytest.raises(BadRequest) as caught:
        decode(body)
    return caught.value


@given(BODIES)
def test_a_valid_ask_keeps_everything(body: dict[str, Any]) -> None:
    ask = decode(body)
    assert ask.body == body
    assert ask.model == body["model"]
    assert ask.stream == bool(body.get("stream"))
    assert ask.n == (body.get("n") or 1)
    caps = (body.get("max_completion_tokens") or 0, body.get("max_tokens") or 0)
    assert (ask.max_output or 0) == max(caps)
    assert set(ask.unknown) == {"made_up", "another"} & body.keys()
    assert ask.turns == len(body["messages"])
    assert ask.tools == bool(body.get("tools"))
    assert json.loads(ask.canonical) == {k: v for k, v in body.items() if k != "stream"}


@given(BODIES)
def test_delivery_is_no_part_of_the_canonical_form(body: dict[str, Any]) -> None:
    plain = {name: value for name, value in body.items() if name != "stream"}
    streamed = {**plain, "stream": True, "stream_options": {"include_usage": True}}
    assert decode(plain).canonical == decode(streamed).canonical
    assert decode(streamed).include_usage


@given(BODIES)
def test_the_input_bound_covers_every_byte_of_text(body: dict[str, Any]) -> None:
    ask = decode(body)
    said = 0
    for message in body["messages"]:
        content = message.get("content") or ""
        parts = [content] if isinstance(content, str) else [p.get("text", "") for p in content]
        said += sum(len(part.encode()) for part in parts) + MESSAGE_OVERHEAD
    assert ask.input_bound >= said + TOOLS_OVERHEAD * ask.tools


@given(st.binary(max_size=60) | JSON.map(lambda value: json.dumps(value).encode()))
def test_whatever_comes_is_an_ask_or_a_refusal(data: bytes) -> None:
    with pytest.raises(Refused):
        decode_chat(data)


@given(
    BODIES,
    st.sampled_from(sorted(["model", "messages", "stream", "n", "tools", "stop", "stream_options", "seed"])),
    JSON,
)  # fmt: skip
def test_any_value_in_any_field_is_an_ask_or_a_refusal(
    body: dict[str, Any], name: str, value: Any
) -> None:
    try:
        ask = decode({**body, name: value})
    except Refused as refused:
        problem: Refused | None = refused
    else:
        problem = None
        assert ask.body[name] == value
    if problem is not None:
        assert problem.code in ("invalid_field", "forbidden_field")
        assert problem.status == 400


WRONG: list[tuple[str, Any]] = [
    ("model", None), ("model", 5), ("model", ""), ("model", []), ("model", "x" * 257),
    ("messages", None), ("messages", {}), ("messages", "hello"), ("messages", [None]), ("messages", ["hello"]),
    ("stream", "true"), ("stream", 1), ("stream_options", True), ("stream_options", {"include_usage": "yes"}),
    ("max_tokens", 0), ("max_tokens", -1), ("max_tokens", 1.5), ("max_tokens", "9"), ("max_tokens", 10**7 + 1),
    ("max_tokens", True), ("max_completion_tokens", 0), ("max_completion_tokens", 10**30),
    ("n", 0), ("n", 9), ("n", 128), ("n", "1"), ("temperature", 2.1), ("temperature", -0.1), ("temperature", "hot"),
    ("top_p", 1.1), ("top_p", -1), ("presence_penalty", 2.5), ("frequency_penalty", -2.5),
    ("stop", 5), ("stop", [5]), ("stop", {}), ("seed", 1.5), ("seed", "1"), ("user", 5), ("user", {}),
    ("tools", {}), ("tools", ["f"]), ("tools", "f"), ("tool_choice", 5), ("tool_choice", []),
    ("parallel_tool_calls", "no"), ("response_format", "json"), ("response_format", []), ("logprobs", 1),
    ("top_logprobs", 21), ("top_logprobs", -1), ("logit_bias", []), ("logit_bias", {"1": "x"}), ("functions", {}),
    ("function_call", 5), ("reasoning_effort", 1), ("metadata", "x"), ("metadata", []), ("store", "yes"),
    ("service_tier", "flex"), ("service_tier", "priority"), ("modalities", ["audio"]), ("audio", {}),
    ("web_search_options", {}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "value"), WRONG)
def test_a_wrong_value_is_refused_by_the_name_of_its_field(name: str, value: Any) -> None:
    found = refusal({"model": "auto", "messages": HELLO, name: value})
    assert found.code == "invalid_field"
    assert (found.param or "").startswith(name)
    assert name in found.message


@pytest.mark.parametrize("name", ["model", "messages"])
def test_what_is_missing_is_named(name: str) -> None:
    body: dict[str, Any] = {"model": "auto", "messages": HELLO}
    del body[name]
    found = refusal(body)
    assert found.code == "invalid_field"
    assert f"`{name}`" in found.message


BAD_MESSAGES: list[Any] = [
    [],
    [{}],
    [{"role": "user"}],
    [{"content": "hello"}],
    [{"role": "user", "content": None}],
    [{"role": "user", "content": 5}],
    [{"role": "user", "content": True}],
    [{"role": "user", "content": {}}],
    [{"role": "user", "content": []}],
    [{"role": "user", "content": [None]}],
    [{"role": "user", "content": ["hello"]}],
    [{"role": "user", "content": [{"text": "hello"}]}],
    [{"role": "user", "content": [{"type": "text"}]}],
    [{"role": "user", "content": [{"type": "text", "text": 5}]}],
    [{"role": "user", "content": [{"type": "image_url"}]}],
    [{"role": "user", "content": [{"type": "image_url", "image_url": 5}]}],
    [{"role": "admin", "content": "hello"}],
    [{"role": None, "content": "hello"}],
    [{"role": "assistant"}],
    [{"role": "user", "content": [{"type": "file", "file": {"file_id": "f"}}]}],
    [{"role": "user", "content": [{"type": "hunter2"}]}],
    [{"role": "assistant", "content": "hello", "audio": {"id": "a"}}],
    [{"role": "assistant", "content": None, "tool_calls": []}],
    [{"role": "assistant", "content": None, "tool_calls": "x"}],
    [{"role": "tool", "content": None}],
    [*HELLO, {"role": "user", "content": None}],
]


@pytest.mark.parametrize("messages", BAD_MESSAGES, ids=json.dumps)
def test_bad_messages_are_refused(messages: Any) -> None:
    found = refusal({"model": "auto", "messages": messages})
    assert found.code == "invalid_field"
    assert "messages" in (found.param or "")


@pytest.mark.parametrize("name", sorted(FORBIDDEN))
@pytest.mark.parametrize("value", [None, "x", {}, []])
def test_fields_that_steer_the_call_are_refused_before_types_are(name: str, value: Any) -> None:
    found = refusal({"model": 5, "messages": 5, name: value})
    assert (found.code, found.param) == ("forbidden_field", name)


def test_a_refusal_never_quotes_a_value() -> None:
    for name, value in [
        ("temperature", "hunter2"),
        ("messages", [{"role": "hunter2", "content": "x"}]),
    ]:
        found = refusal({"model": "auto", "messages": HELLO, name: value})
        assert "hunter2" not in found.message + str(found.param)


def test_stream_options_go_with_a_stream() -> None:
    body = {"model": "auto", "messages": HELLO, "stream_options": {"include_usage": True}}
    assert refusal(body).param == "stream_options"
    assert decode({**body, "stream": True}).include_usage
    assert not decode({**body, "stream_options": None}).include_usage


def test_images_are_counted_and_their_bytes_are_not_text() -> None:
    data = "data:image/png;base64," + "A" * 10_000
    image = {"type": "image_url", "image_url": {"url": data}}
    link = {"type": "image_url", "image_url": "https://example.test/a.png"}
    content = [{"type": "text", "text": "Look:"}, image, link, {"type": "text", "text": "Well?"}]
    ask = decode({"model": "auto", "messages": [{"role": "user", "content": content}]})
    assert ask.images == 2
    assert ask.text == "Look:\nWell?"
    assert ask.input_bound < 1_000


def test_usage_adds_up() -> None:
    usage = Usage(1, 2, 4, 8, 3)
    assert (usage.total_input, usage.total) == (7, 15)
