from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from penstock.config import Provider, Target
from penstock.errors import BadRequest
from penstock.providers import anthropic
from tests.unit.providers.replay import ask, call, sent

TARGET = Target("anthropic", "claude-haiku-4-5")
WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "Says the weather.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
        "strict": True,
    },
}


def made(max_output: int | None = None, **body: Any) -> dict[str, Any]:
    asked = call("anthropic", TARGET.model, **body)
    return sent(anthropic.chat(replace(asked, max_output=max_output)))


def turns(*messages: dict[str, Any]) -> list[dict[str, Any]]:
    return list(made(messages=list(messages))["messages"])


def user(content: Any) -> dict[str, Any]:
    return {"role": "user", "content": content}


def text(said: str) -> dict[str, str]:
    return {"type": "text", "text": said}


def test_a_small_request() -> None:
    asked = call("anthropic", TARGET.model, temperature=0.5, top_p=0.9, stop="END", user="u-1")
    request = anthropic.chat(asked)
    assert request.target == b"https://api.anthropic.com/v1/messages"
    assert request.header("anthropic-version") == "2023-06-01"
    assert request.header("x-api-key") is None
    assert sent(request) == {
        "model": "claude-haiku-4-5",
        "max_tokens": 4096,
        "messages": [user([text("hello")])],
        "temperature": 0.5,
        "top_p": 0.9,
        "stop_sequences": ["END"],
        "metadata": {"user_id": "u-1"},
    }


def test_base_url_key_and_stream() -> None:
    asked = call("anthropic", stream=True)
    for base in ("http://h:1", "http://h:1/", "http://h:1/v1"):
        request = anthropic.chat(replace(asked, at=Provider("anthropic", base)))
        assert request.target == b"http://h:1/v1/messages"
    assert sent(request)["stream"] is True
    assert request.header("accept") == "text/event-stream"
    assert anthropic.key_headers(Provider("anthropic", api_key="k")) == (("x-api-key", "k"),)


def test_the_cap_is_the_gateways_then_the_callers_then_the_targets() -> None:
    assert made(7, max_tokens=9)["max_tokens"] == 7
    assert made(max_tokens=9)["max_tokens"] == 9
    assert made(max_completion_tokens=8, max_tokens=9)["max_tokens"] == 9
    assert made()["max_tokens"] == 4096


def test_system_messages_are_gathered_and_neighbours_merged() -> None:
    body = made(
        messages=[
            {"role": "system", "content": "Be brief."},
            user("one"),
            {"role": "developer", "content": [text("Be kind.")]},
            user([text("two")]),
            {"role": "assistant", "content": "three"},
        ]
    )
    assert body["system"] == "Be brief.\n\nBe kind."
    assert body["messages"] == [
        user([text("one"), text("two")]),
        {"role": "assistant", "content": [text("three")]},
    ]


def test_system_alone_becomes_a_users_turn() -> None:
    body = made(messages=[{"role": "system", "content": "Say hi."}])
    assert body["messages"] == [user([text("Say hi.")])]
    assert "system" not in body


def test_blank_text_is_left_out_and_a_prefill_trimmed() -> None:
    found = turns(user("a"), {"role": "assistant", "content": ""}, user("b"))
    assert found == [user([text("a"), text("b")])]
    found = turns(user("a"), {"role": "assistant", "content": "so: \n"})
    assert found[-1]["content"] == [text("so:")]


def test_images() -> None:
    found = turns(
        user(
            [
                {"type": "image_url", "image_url": {"url": "https://h/i.png", "detail": "low"}},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,QUJD"}},
                {**text("What?"), "cache_control": {"type": "ephemeral", "ttl": "1h"}},
            ]
        )
    )
    assert found[0]["content"] == [
        {"type": "image", "source": {"type": "url", "url": "https://h/i.png"}},
        {
            "type": "image",
            "source": {"type": "base64", "media_type": "image/png", "data": "QUJD"},
        },
        {**text("What?"), "cache_control": {"type": "ephemeral"}},
    ]


def test_a_round_of_tools() -> None:
    called = {
        "id": "toolu_1",
        "type": "function",
        "function": {"name": "weather", "arguments": '{"city":"Ulm"}'},
    }
    empty = {"id": "toolu_2", "type": "function", "function": {"name": "now", "arguments": ""}}
    body = made(
        tools=[WEATHER],
        tool_choice="required",
        parallel_tool_calls=False,
        messages=[
            user("Weather?"),
            {"role": "assistant", "content": None, "tool_calls": [called, empty]},
            {"role": "tool", "tool_call_id": "toolu_1", "content": "rain"},
            {"role": "tool", "tool_call_id": "toolu_2", "content": [text("noon")]},
            user("And?"),
        ],
    )
    function = WEATHER["function"]
    assert isinstance(function, dict)
    assert body["tools"] == [
        {
            "name": "weather",
            "description": "Says the weather.",
            "input_schema": function["parameters"],
        }
    ]
    assert body["tool_choice"] == {"type": "any", "disable_parallel_tool_use": True}
    assert body["messages"][1]["content"] == [
        {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"city": "Ulm"}},
        {"type": "tool_use", "id": "toolu_2", "name": "now", "input": {}},
    ]
    assert body["messages"][2] == user(
        [
            {"type": "tool_result", "tool_use_id": "toolu_1", "content": [text("rain")]},
            {"type": "tool_result", "tool_use_id": "toolu_2", "content": [text("noon")]},
            text("And?"),
        ]
    )


@pytest.mark.parametrize(
    ("choice", "found"),
    [
        (None, None),
        ("auto", None),
        ("none", {"type": "none"}),
        ("required", {"type": "any"}),
        ({"type": "function", "function": {"name": "f"}}, {"type": "tool", "name": "f"}),
    ],
)
def test_tool_choices(choice: Any, found: Any) -> None:
    assert made(tools=[WEATHER], tool_choice=choice).get("tool_choice") == found


def test_a_tool_without_parameters_has_an_empty_schema() -> None:
    body = made(tools=[{"type": "function", "function": {"name": "now"}}])
    assert body["tools"][0]["input_schema"] == {"type": "object", "properties": {}}


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"tools": [{"type": "function"}]}, "tools[0]"),
        ({"tools": [{"type": "function", "function": {"name": 7}}]}, "tools[0].function.name"),
        ({"tools": [WEATHER], "tool_choice": "some"}, "tool_choice"),
        ({"tools": [WEATHER], "tool_choice": {"type": "function"}}, "tool_choice"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages[0].tool_call_id"),
        (
            {"messages": [{"role": "assistant", "tool_calls": [{"id": "a"}]}]},
            "messages[0].tool_calls[0]",
        ),
        (
            {
                "messages": [
                    {
                        "role": "assistant",
                        "tool_calls": [{"id": "a", "function": {"name": "f", "arguments": "[1]"}}],
                    }
                ]
            },
            "messages[0].tool_calls[0].function.arguments",
        ),
        (
            {"messages": [user([{"type": "image_url", "image_url": {}}])]},
            "messages[0].content[0]",
        ),
        (
            {"messages": [user([{"type": "image_url", "image_url": {"url": "data:,x"}}])]},
            "messages[0].content[0]",
        ),
        (
            {
                "messages": [
                    user([{"type": "image_url", "image_url": "http://h/i"}]) | {"role": "system"}
                ]
            },
            "messages[0].content",
        ),
    ],
)
def test_what_cannot_be_translated_is_named(body: dict[str, Any], param: str) -> None:
    with pytest.raises(BadRequest) as caught:
        made(**body)
    assert caught.value.param == param
    # Said before anything is held for it, too.
    with pytest.raises(BadRequest) as early:
        anthropic.inexpressible(ask(**body), TARGET)
    assert (early.value.param, early.value.message) == (param, caught.value.message)


FOREIGN = [
    ({"n": 2}, "n"),
    ({"temperature": 1.5}, "temperature"),
    ({"presence_penalty": 0.5}, "presence_penalty"),
    ({"frequency_penalty": -1}, "frequency_penalty"),
    ({"seed": 7}, "seed"),
    ({"response_format": {"type": "json_object"}}, "response_format"),
    ({"logprobs": True}, "logprobs"),
    ({"top_logprobs": 3}, "top_logprobs"),
    ({"logit_bias": {"50256": -100}}, "logit_bias"),
    ({"functions": [{"name": "f"}]}, "functions"),
    ({"reasoning_effort": "low"}, "reasoning_effort"),
    ({"store": True}, "store"),
    ({"top_k": 7}, "top_k"),
    ({"tools": [{"type": "custom", "custom": {"name": "f"}}]}, "tools"),
    ({"messages": [{"role": "function", "name": "f", "content": "x"}]}, "messages"),
]
HARMLESS: list[dict[str, Any]] = [
    {"n": 1},
    {"temperature": 1},
    {"presence_penalty": 0, "frequency_penalty": 0.0},
    {"response_format": {"type": "text"}},
    {"logprobs": False, "logit_bias": {}},
    {"seed": None},
    {"store": False, "metadata": {"a": "b"}},
    {"tools": [WEATHER]},
]


@pytest.mark.parametrize(("body", "field"), FOREIGN)
def test_what_messages_has_no_words_for(body: dict[str, Any], field: str) -> None:
    assert anthropic.inexpressible(ask(**body), TARGET) == field


@pytest.mark.parametrize("body", HARMLESS)
def test_defaults_are_no_hindrance(body: dict[str, Any]) -> None:
    assert anthropic.inexpressible(ask(**body), TARGET) is None
    assert made(**body)["model"] == TARGET.model


MESSAGES = st.lists(
    st.fixed_dictionaries(
        {
            "role": st.sampled_from(["system", "user", "assistant"]),
            "content": st.text(max_size=8)
            | st.lists(st.builds(text, st.text(max_size=5)), min_size=1, max_size=3),
        }
    ),
    min_size=1,
    max_size=8,
)


@given(MESSAGES)
def test_turns_alternate_and_lose_no_text(messages: list[dict[str, Any]]) -> None:
    body = made(messages=messages)
    roles = [turn["role"] for turn in body["messages"]]
    assert all(a != b for a, b in pairwise(roles))
    kept = str(body.get("system", "")) + "".join(
        block["text"] for turn in body["messages"] for block in turn["content"]
    )
    given_texts = [
        part["text"] for m in messages if isinstance(m["content"], list) for part in m["content"]
    ] + [m["content"] for m in messages if isinstance(m["content"], str)]
    assert all(said.rstrip() in kept for said in given_texts)
