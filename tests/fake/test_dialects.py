"""The fake provider speaks as the real ones do: driven by the SDK and by plain HTTP."""

from __future__ import annotations

import base64
import hashlib
import json
import struct
from typing import Any

import httpx
import openai
import pytest

from load.fake_provider import FakeProvider
from load.fake_provider.answer import Usage
from load.fake_provider.meter import charge
from load.fake_provider.settings import Price
from tests.fake.calls import CHAT, ask, events

RUN = "/client/v4/accounts/acc/ai/run/@cf/meta/llama-3.1-8b-instruct-fp8-fast"
EMBED_RUN = "/client/v4/accounts/acc/ai/run/@cf/baai/bge-base-en-v1.5"
WEATHER = {
    "name": "weather",
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
        "required": ["city", "days"],
    },
}


def test_chat_is_deterministic_counted_and_charged(fake: FakeProvider, sdk: openai.OpenAI) -> None:
    asked = ask("one two three")
    first = sdk.chat.completions.create(**asked, extra_headers={"x-request-id": "r-1"})
    again = sdk.chat.completions.create(**asked)
    words = first.choices[0].message.content
    assert words is not None
    assert words.startswith("echo one two three #")
    assert again.choices[0].message.content == words
    assert again.id != first.id
    assert first.usage is not None
    assert (first.usage.prompt_tokens, first.usage.completion_tokens) == (3, 5)
    report = fake.meter()
    assert (report["calls"], report["charged_calls"]) == (2, 2)
    assert report["charged_nanos"] == 2 * charge(Usage(3, output=5), Price(input=7, output=11))
    row = report["rows"][0]
    sent = fake.requests()[0]
    assert row["body_sha256"] == hashlib.sha256(sent["body"].encode()).hexdigest()
    assert (row["x_request_id"], row["completed"], row["output"]) == ("r-1", True, 5)
    assert first.id.endswith(row["id"])
    found = fake.look_up("r-1")
    assert found is not None
    assert (found["calls"], found["charged_nanos"]) == (1, row["charged_nanos"])
    assert fake.look_up("r-2") is None


def test_the_charge_is_rounded_up_once() -> None:
    assert charge(Usage(1), Price(input=1)) == 1
    assert charge(Usage(500_000, 0, 0, 500_000), Price(input=1, output=1)) == 1
    assert charge(Usage(1_000_001, 2, 3, 4), Price(1, 1, 1, 1)) == 2
    assert charge(Usage(), Price()) == 0


def test_stream_has_usage_only_when_asked(fake: FakeProvider, sdk: openai.OpenAI) -> None:
    whole = sdk.chat.completions.create(**ask("a b c")).choices[0].message.content
    plain = list(sdk.chat.completions.create(**ask("a b c"), stream=True))
    assert "".join(c.choices[0].delta.content or "" for c in plain) == whole
    assert plain[-1].choices[0].finish_reason == "stop"
    assert not any(chunk.usage for chunk in plain)
    counted = list(
        sdk.chat.completions.create(
            **ask("a b c"), stream=True, stream_options={"include_usage": True}
        )
    )
    assert counted[-1].choices == []
    assert counted[-1].usage is not None
    assert counted[-1].usage.total_tokens == 8
    assert fake.meter(finished=3)["rows"][2]["charged_nanos"] == 1


def test_limits_choices_and_sizes(sdk: openai.OpenAI) -> None:
    cut = sdk.chat.completions.create(**ask("a b c d e f"), max_completion_tokens=2, n=3)
    assert [choice.finish_reason for choice in cut.choices] == ["length"] * 3
    assert cut.choices[2].message.content == "echo a"
    assert cut.usage is not None
    assert cut.usage.completion_tokens == 6
    long = list(sdk.chat.completions.create(**ask("x [[words:40]]"), stream=True))
    assert len([c for c in long if c.choices and c.choices[0].delta.content]) == 40


def test_the_quick_way_of_a_plain_answer_leaves_nothing_out(http: httpx.Client) -> None:
    quick = http.post(CHAT, json=ask("hi")).json()
    slow = http.post(CHAT, json=ask("hi"), headers={"x-fake-fault": "null_content"}).json()
    assert quick["choices"][0]["message"].pop("content").startswith("echo hi #")
    assert slow["choices"][0]["message"].pop("content") is None
    assert quick.pop("id") != slow.pop("id")
    assert quick == slow


def test_usage_details_and_prices(fake: FakeProvider, http: httpx.Client) -> None:
    prompt = "[[cached:2]] [[cache_write:1]] [[reasoning:4]] five"
    usage = http.post(CHAT, json=ask(prompt)).json()["usage"]
    assert usage["prompt_tokens"] == 4
    assert usage["prompt_tokens_details"]["cached_tokens"] == 2
    assert usage["completion_tokens_details"]["reasoning_tokens"] == 4
    assert usage["completion_tokens"] == 4 + 3
    row = fake.meter()["rows"][0]
    assert [row[n] for n in ("input", "cached_input", "cache_write", "output")] == [1, 2, 1, 7]


def test_tools_and_images(sdk: openai.OpenAI) -> None:
    tools: Any = [{"type": "function", "function": WEATHER}]
    called = sdk.chat.completions.create(**ask("please call tool"), tools=tools).choices[0]
    assert called.finish_reason == "tool_calls"
    assert called.message.tool_calls is not None
    function: Any = called.message.tool_calls[0]
    assert json.loads(function.function.arguments) == {"city": "text", "days": 1}
    chunks = sdk.chat.completions.create(
        **ask("weather"), tools=tools, tool_choice="required", stream=True
    )
    parts = [c.choices[0].delta.tool_calls for c in chunks if c.choices[0].delta.tool_calls]
    joined = "".join(p[0].function.arguments or "" for p in parts if p[0].function)
    assert json.loads(joined) == {"city": "text", "days": 1}
    picture: Any = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}
    seen = ask("")
    seen["messages"][0]["content"] = [{"type": "text", "text": "what is it"}, picture]
    looked = sdk.chat.completions.create(**seen)
    assert looked.usage is not None
    assert looked.usage.prompt_tokens == 3 + 85


def test_embeddings_in_every_form(sdk: openai.OpenAI, http: httpx.Client) -> None:
    both = sdk.embeddings.create(model="text-embedding-3-small", input=["one two", "three"])
    assert [len(item.embedding) for item in both.data] == [1536, 1536]
    assert both.usage.prompt_tokens == 3
    assert sum(x * x for x in both.data[0].embedding) == pytest.approx(1, abs=1e-5)
    body = {"model": "m", "input": "one two", "dimensions": 13}
    plain = http.post("/v1/embeddings", json=body).json()["data"][0]["embedding"]
    packed = http.post("/v1/embeddings", json={**body, "encoding_format": "base64"}).json()
    raw = base64.b64decode(packed["data"][0]["embedding"])
    assert list(struct.unpack("<13f", raw)) == plain
    tokens = http.post("/v1/embeddings", json={**body, "input": [[1, 2], [3]]}).json()
    assert (len(tokens["data"]), tokens["usage"]["prompt_tokens"]) == (2, 3)
    assert http.post("/v1/embeddings", json={**body, "input": []}).status_code == 400


@pytest.mark.parametrize("tool", [False, True])
def test_anthropic(fake: FakeProvider, http: httpx.Client, tool: bool) -> None:
    body = ask("[[cached:1]] hi" if not tool else "call tool", max_tokens=50)
    if tool:
        body["tools"] = [{"name": "weather", "input_schema": WEATHER["parameters"]}]
    whole = http.post("/v1/messages", json=body).json()
    assert whole["stop_reason"] == ("tool_use" if tool else "end_turn")
    assert whole["usage"]["cache_read_input_tokens"] == (0 if tool else 1)
    stream = http.post("/v1/messages", json={**body, "stream": True})
    parts = [json.loads(event) for event in events(stream.text)]
    kinds = [part["type"] for part in parts]
    assert kinds[:3] == ["message_start", "content_block_start", "ping"]
    assert kinds[-3:] == ["content_block_stop", "message_delta", "message_stop"]
    deltas = [part["delta"] for part in parts if part["type"] == "content_block_delta"]
    joined = "".join(delta.get("text", delta.get("partial_json", "")) for delta in deltas)
    content = whole["content"][0]
    assert (json.loads(joined) == content["input"]) if tool else (joined == content["text"])
    assert parts[-2]["usage"] == whole["usage"]
    rows = fake.meter(finished=2)["rows"]
    assert rows[0]["charged_nanos"] == rows[1]["charged_nanos"] > 0


def test_anthropic_wants_its_headers(http: httpx.Client) -> None:
    body = ask("hi", max_tokens=5)
    wrong = http.post("/v1/messages", json=body, headers={"x-api-key": "no"})
    assert (wrong.status_code, wrong.json()["error"]["type"]) == (401, "authentication_error")
    old = http.post("/v1/messages", json=body, headers={"anthropic-version": ""})
    assert old.status_code == 400
    assert http.post("/v1/messages", json=ask("hi")).json()["type"] == "error"


def test_workers_ai(fake: FakeProvider, http: httpx.Client) -> None:
    body = {"messages": [{"role": "user", "content": "hi there"}]}
    whole = http.post(RUN, json=body).json()
    assert whole["success"] is True
    assert whole["result"]["usage"]["total_tokens"] == 6
    parts = events(http.post(RUN, json={**body, "stream": True}).text)
    assert parts[-1] == "[DONE]"
    said = "".join(json.loads(part)["response"] for part in parts[:-1])
    assert said == whole["result"]["response"]
    vectors = http.post(EMBED_RUN, json={"text": ["a", "b"]}).json()["result"]
    assert vectors["shape"] == [2, 768]
    assert [len(row) for row in vectors["data"]] == [768, 768]
    like_openai = http.post("/client/v4/accounts/acc/ai/v1/chat/completions", json=ask("hi"))
    assert like_openai.json()["object"] == "chat.completion"
    refused = http.post(RUN, json=body, headers={"authorization": "Bearer no"})
    assert (refused.status_code, refused.json()["errors"][0]["code"]) == (401, 10000)
    assert fake.meter()["charged_calls"] == 4


def test_wrong_key_model_and_body_cost_nothing(fake: FakeProvider, sdk: openai.OpenAI) -> None:
    with pytest.raises(openai.AuthenticationError):
        sdk.with_options(api_key="no").chat.completions.create(**ask("hi"))
    with pytest.raises(openai.NotFoundError):
        sdk.chat.completions.create(**{**ask("hi"), "model": "no-such-model"})
    with pytest.raises(openai.BadRequestError):
        sdk.chat.completions.create(**ask("hi"), n=129)
    assert "gpt-4o" in [model.id for model in sdk.models.list()]
    assert fake.meter(finished=4)["charged_nanos"] == 0


def test_idempotency_key_is_charged_once(fake: FakeProvider, http: httpx.Client) -> None:
    for _ in range(2):
        http.post(CHAT, json=ask("pay once"), headers={"idempotency-key": "once"})
    report = fake.meter(finished=2)
    assert (report["calls"], report["charged_calls"]) == (2, 1)
    found = fake.look_up("once")
    assert found is not None
    assert found["charged_nanos"] == report["charged_nanos"]
