"""Chat through the official Python SDK, as a program would: whole, streamed, tools, images."""

from __future__ import annotations

import json
from typing import Any

from openai import AsyncOpenAI, OpenAI
from openai.types.chat import ChatCompletionMessageParam, ChatCompletionToolParam

from load.fake_provider import FakeProvider
from penstock.prices import Price
from tests.clients.conftest import Served
from tests.clients.process import until

MINI = "gpt-4o-mini"
PIXEL = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGNgAAIAAAUAAXpeqz8AAAAASUVORK5CYII="
WEATHER: ChatCompletionToolParam = {
    "type": "function",
    "function": {
        "name": "weather",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
        },
    },
}


def say(text: str) -> list[ChatCompletionMessageParam]:
    return [{"role": "user", "content": text}]


def sent(fake: FakeProvider) -> dict[str, Any]:
    """The body of the last call that reached the provider."""
    found: dict[str, Any] = json.loads(fake.requests(last=1)[0]["body"])
    return found


def test_a_whole_answer(client: OpenAI, fake: FakeProvider) -> None:
    done = client.chat.completions.create(model="auto", messages=say("hello there"))
    assert done.choices[0].message.content == "echo hello there #8ae6e5b8"
    assert done.choices[0].finish_reason == "stop"
    assert done.usage is not None
    assert (done.usage.prompt_tokens, done.usage.completion_tokens) == (2, 4)
    assert done._request_id is not None
    assert done._request_id.startswith("req_")
    charged = fake.look_up(f"{done._request_id}.1")
    assert charged is not None
    assert charged["calls"] == 1


def test_headers_of_a_raw_response(client: OpenAI, prices: dict[str, Price]) -> None:
    raw = client.chat.completions.with_raw_response.create(model=MINI, messages=say("one two"))
    headers = raw.headers
    assert raw.request_id == headers["x-request-id"] == raw.parse()._request_id
    assert headers["x-ratelimit-limit-requests"] == "100"
    assert headers["x-ratelimit-remaining-requests"] == "99"
    assert headers["x-ratelimit-reset-requests"] == "1h0m0s"
    assert headers["ratelimit-policy"] == '"chat";q=100;w=3600, "tier";q=100;w=3600'
    assert headers["ratelimit"] == '"chat";r=99;t=3600, "tier";r=99;t=3600'
    assert headers["x-penstock-target"] == f"openai/{MINI}"
    assert headers["x-penstock-cache"] == "miss"
    price = prices[MINI]
    assert headers["x-penstock-cost-nanos"] == str((2 * price.input + 4 * price.output) // 10**6)
    assert int(headers["x-penstock-overhead-us"]) > 0
    assert "x-ratelimit-limit-tokens" not in headers
    assert "x-ratelimit-limit" not in headers


def test_the_same_again_comes_from_the_cache(client: OpenAI, fake: FakeProvider) -> None:
    asked = client.chat.completions.with_raw_response
    first = asked.create(model="auto", messages=say("twice"))
    again = asked.create(model="auto", messages=say("twice"))
    assert again.headers["x-penstock-cache"] == "hit"
    assert again.headers["x-penstock-cost-nanos"] == "0"
    assert again.parse().choices == first.parse().choices
    assert fake.meter()["calls"] == 1


def test_a_stream(client: OpenAI) -> None:
    with client.chat.completions.create(
        model="auto", messages=say("alpha beta"), stream=True
    ) as stream:
        assert stream.response.headers["x-penstock-target"] == f"openai/{MINI}"
        assert "x-penstock-cost-nanos" not in stream.response.headers
        chunks = list(stream)
    said = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    assert said.startswith("echo alpha beta #")
    assert chunks[0].choices[0].delta.role == "assistant"
    assert chunks[-1].choices[0].finish_reason == "stop"
    assert len(chunks) > 4
    assert all(chunk.usage is None and chunk.choices for chunk in chunks)


def test_a_stream_with_usage(client: OpenAI) -> None:
    stream = client.chat.completions.create(
        model="auto",
        messages=say("alpha beta"),
        stream=True,
        stream_options={"include_usage": True},
    )
    *chunks, last = list(stream)
    assert all(chunk.usage is None for chunk in chunks)
    assert last.choices == []
    assert last.usage is not None
    assert (last.usage.prompt_tokens, last.usage.completion_tokens) == (2, 4)


def test_the_sdks_own_stream_helper(client: OpenAI) -> None:
    with client.chat.completions.stream(model="auto", messages=say("gather me")) as stream:
        done = stream.get_final_completion()
    assert (done.choices[0].message.content or "").startswith("echo gather me #")


def test_a_tool_is_called_and_its_result_read(client: OpenAI, fake: FakeProvider) -> None:
    messages = say("call tool: weather in Oslo")
    asked = client.chat.completions.create(model="auto", messages=messages, tools=[WEATHER])
    choice = asked.choices[0]
    assert choice.finish_reason == "tool_calls"
    assert choice.message.tool_calls is not None
    (call,) = choice.message.tool_calls
    assert call.type == "function"
    assert call.function.name == "weather"
    assert json.loads(call.function.arguments).keys() == {"city"}
    messages.append(choice.message.to_dict())  # type: ignore[arg-type]  # as the SDK's guide does
    messages.append({"role": "tool", "tool_call_id": call.id, "content": "rain"})
    told = client.chat.completions.create(model="auto", messages=messages, tools=[WEATHER])
    assert told.choices[0].finish_reason == "stop"
    body = sent(fake)
    assert body["messages"][1]["tool_calls"][0]["id"] == call.id
    assert body["messages"][2] == {"role": "tool", "tool_call_id": call.id, "content": "rain"}
    assert body["tools"] == [WEATHER]


def test_a_streamed_tool_call(client: OpenAI) -> None:
    stream = client.chat.completions.create(
        model="auto", messages=say("call tool"), tools=[WEATHER], stream=True
    )
    name, arguments, finish = "", "", ""
    for chunk in stream:
        for call in chunk.choices[0].delta.tool_calls or []:
            assert call.function is not None
            name += call.function.name or ""
            arguments += call.function.arguments or ""
        finish = chunk.choices[0].finish_reason or finish
    assert (name, finish) == ("weather", "tool_calls")
    assert json.loads(arguments).keys() == {"city"}


def test_images_reach_the_target_as_they_are(client: OpenAI, fake: FakeProvider) -> None:
    content: Any = [
        {"type": "text", "text": "what is this"},
        {"type": "image_url", "image_url": {"url": PIXEL, "detail": "low"}},
    ]
    done = client.chat.completions.create(
        model=MINI, messages=[{"role": "user", "content": content}]
    )
    assert done.usage is not None
    assert done.usage.prompt_tokens == 3 + 85
    assert sent(fake)["messages"][0]["content"] == content


def test_fields_the_gateway_does_not_know_reach_the_target(
    client: OpenAI, fake: FakeProvider
) -> None:
    client.chat.completions.create(
        model=MINI,
        messages=say("hello"),
        verbosity="low",
        extra_body={"made_up": {"deep": [1]}},
    )
    body = sent(fake)
    assert body["verbosity"] == "low"
    assert body["made_up"] == {"deep": [1]}


def test_a_claude_answers_in_the_same_words(client: OpenAI, fake: FakeProvider) -> None:
    asked: Any = {"model": "claude-haiku-4-5", "messages": say("hello there"), "max_tokens": 50}
    done = client.chat.completions.create(**asked)
    assert (done.choices[0].message.content or "").startswith("echo hello there #")
    assert fake.requests(last=1)[0]["target"] == "/v1/messages"
    stream = client.chat.completions.create(**asked, stream=True, temperature=0.5)
    said = "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices)
    assert said.startswith("echo hello there #")


def test_a_stream_that_its_reader_closes_is_closed_upstream_and_billed(
    client: OpenAI, fake: FakeProvider, gateway: Served
) -> None:
    stream = client.chat.completions.create(
        model=MINI, messages=say("[[words:500]] [[fault:pace=50]]"), stream=True
    )
    for _ in range(3):
        next(stream)
    request_id = stream.response.headers["x-request-id"]
    stream.close()
    row = fake.meter(finished=1, wait_seconds=1)["rows"][0]
    assert row["state"] == "cut"
    assert row["completed"] is False
    assert 0 < row["output"] < 250
    (stage, ended, amount) = until(lambda: gateway.ledger(request_id)[2:])[0]
    assert (stage, ended) == ("final", "estimated")
    assert amount >= row["charged_nanos"] > 0


async def test_the_asynchronous_client(async_client: AsyncOpenAI) -> None:
    done = await async_client.chat.completions.create(model="auto", messages=say("hello"))
    assert (done.choices[0].message.content or "").startswith("echo hello #")
    stream = await async_client.chat.completions.create(
        model="auto", messages=say("piece by piece"), stream=True
    )
    said = [chunk.choices[0].delta.content or "" async for chunk in stream]
    assert "".join(said).startswith("echo piece by piece #")
    assert len(said) > 4


async def test_an_asynchronous_stream_that_is_left_halfway(
    async_client: AsyncOpenAI, fake: FakeProvider, gateway: Served
) -> None:
    async with await async_client.chat.completions.create(
        model=MINI, messages=say("[[words:500]] [[fault:pace=50]]"), stream=True
    ) as stream:
        request_id = stream.response.headers["x-request-id"]
        async for _ in stream:
            break
    assert fake.meter(finished=1, wait_seconds=1)["rows"][0]["state"] == "cut"
    assert until(lambda: gateway.ledger(request_id)[2:])[0][:2] == ("final", "estimated")
