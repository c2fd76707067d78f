from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from penstock.config import Provider, Target
from penstock.errors import Failed
from penstock.providers import CHAT, EMBED, openai
from penstock.wire.chat import Usage
from penstock.wire.json import encode
from tests.unit.providers.replay import HELLO, call, play, sent

REPLY = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": "gpt-4o-2024-08-06",
    "choices": [
        {"index": 0, "message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}
    ],
    "usage": {"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11},
}


def with_cap(most: int | None, model: str = "gpt-4o", **body: Any) -> dict[str, Any]:
    return sent(openai.chat(replace(call(model=model, **body), max_output=most)))


def test_the_body_passes_with_the_targets_model() -> None:
    body = sent(openai.chat(call(temperature=0.5, top_k=7, metadata={"a": "b"})))
    assert body == {
        "model": "gpt-4o",
        "messages": HELLO,
        "temperature": 0.5,
        "top_k": 7,
        "metadata": {"a": "b"},
    }


def test_a_stream_always_asks_for_its_usage_and_leaves_the_ask_alone() -> None:
    made = call(stream=True, stream_options={"include_usage": False, "include_obfuscation": False})
    body = sent(openai.chat(made))
    assert body["stream_options"] == {"include_usage": True, "include_obfuscation": False}
    assert made.ask.body["stream_options"]["include_usage"] is False
    assert sent(openai.chat(call(stream=True)))["stream_options"] == {"include_usage": True}


def test_the_url_and_the_key() -> None:
    request = openai.chat(call())
    assert (request.method, request.target) == (
        "POST",
        b"https://api.openai.com/v1/chat/completions",
    )
    assert openai.key_headers(Provider("openai", api_key="k")) == (("authorization", "Bearer k"),)
    assert openai.key_headers(Provider("openai")) == ()


@pytest.mark.parametrize(
    ("model", "body", "field"),
    [
        ("gpt-4o", {}, "max_tokens"),
        ("llama3.2", {}, "max_tokens"),
        ("gpt-oss:20b", {}, "max_tokens"),
        ("o3-mini", {}, "max_completion_tokens"),
        ("gpt-5-nano", {}, "max_completion_tokens"),
        ("gpt-6-luna", {}, "max_completion_tokens"),
        ("o3-mini", {"max_tokens": 9}, "max_tokens"),
        ("gpt-4o", {"max_completion_tokens": 9}, "max_completion_tokens"),
    ],
)
def test_the_gateways_cap(model: str, body: dict[str, Any], field: str) -> None:
    caps = {k: v for k, v in with_cap(7, model, **body).items() if k in openai.CAPS}
    assert caps == {field: 7}


def test_a_cap_covers_both_fields_and_none_changes_nothing() -> None:
    body: dict[str, Any] = {"max_tokens": 500, "max_completion_tokens": 9}
    assert {with_cap(7, **body)[name] for name in openai.CAPS} == {7}
    assert with_cap(None, **body)["max_tokens"] == 500
    assert "max_tokens" not in with_cap(None)


def test_a_whole_reply_passes_as_it_is() -> None:
    body = encode(REPLY)
    played = play("openai", [body[:20], body[20:]])
    assert played.data == body
    assert (played.usage, played.finish) == (Usage(input=9, output=2), "stop")
    assert (played.tools, played.ends) == (False, 1)


def reply(message: dict[str, Any], finish: str | None = "stop") -> bytes:
    return encode({**REPLY, "choices": [{"message": message, "finish_reason": finish}]})


def test_marks_of_a_whole_reply() -> None:
    called = play("openai", [reply({"tool_calls": [{"id": "c"}]}, "tool_calls")])
    assert (called.tools, called.finish) == (True, "tool_calls")
    assert play("openai", [reply({"refusal": "no"})]).finish == "refusal"
    assert play("openai", [reply({"content": ""}, "content_filter")]).finish == "content_filter"
    assert play("openai", [reply({"content": ""}, None)]).finish == ""


@pytest.mark.parametrize(
    "body",
    [b"", b"null", b"[]", b"<html>", b'{"choices":[]}', b'{"error":{"message":"x"}}', b"{}"],
)
def test_a_whole_reply_that_cannot_be_read(body: bytes) -> None:
    assert play("openai", [body]).raised is not None


@pytest.mark.parametrize("more", [{"choices": []}, {"choices": 7}, {"error": {"code": "x"}}])
def test_a_failed_reply_with_usage_is_billed(more: dict[str, Any]) -> None:
    played = play("openai", [encode({**REPLY, **more})])
    assert played.failure is not None
    assert played.usage == Usage(input=9, output=2)
    assert (played.data, played.ends) == (b"", 1)


@given(st.binary(max_size=60))
def test_garbage_raises_nothing_but_failed(body: bytes) -> None:
    assert play("openai", [body]).raised is not None


ERROR = b'{"error":{"message":"bad key sk-abc","type":"t","param":"temperature","code":"c"}}'


@pytest.mark.parametrize(
    ("status", "code", "processed", "retryable", "shown"),
    [
        (400, "upstream_refused", "no", False, 400),
        (413, "upstream_refused", "no", False, 400),
        (422, "upstream_refused", "no", False, 400),
        (401, "upstream_unauthorized", "no", True, 502),
        (403, "upstream_unauthorized", "no", True, 502),
        (404, "upstream_model_not_found", "no", True, 502),
        (429, "upstream_rate_limited", "no", True, 502),
        (503, "upstream_overloaded", "no", True, 502),
        (529, "upstream_overloaded", "no", True, 502),
        (500, "upstream_failed", "unknown", True, 502),
        (502, "upstream_failed", "unknown", True, 502),
        (504, "upstream_timeout", "unknown", True, 502),
        (408, "upstream_timeout", "unknown", True, 502),
        (302, "upstream_redirected", "no", True, 502),
    ],
)
def test_failures(status: int, code: str, processed: str, retryable: bool, shown: int) -> None:
    for provider in CHAT.values():
        failed = provider.failure(status, (), ERROR)
        assert (failed.code, failed.processed, failed.retryable) == (code, processed, retryable)
        assert (failed.status, failed.upstream_status) == (shown, status)
        assert "sk-abc" not in f"{failed.message}{failed.extra}"


def test_a_refusal_names_known_fields_only() -> None:
    assert openai.failure(400, (), ERROR).param == "temperature"
    for param in ("sk-abc", "'; drop", "messages\n", "secret_account"):
        assert openai.failure(400, (), encode({"error": {"param": param}})).param is None
    assert openai.failure(400, (), b'{"error":{"param":"messages[0].content"}}').param


def test_a_context_too_small_may_fail_over() -> None:
    by_code = openai.failure(400, (), b'{"error":{"code":"context_length_exceeded"}}')
    by_text = openai.failure(400, (), b'{"error":{"message":"prompt is too long: 9 > 8"}}')
    for failed in (by_code, by_text):
        assert (failed.code, failed.retryable) == ("context_length_exceeded", True)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ((("retry-after", "7"),), 7.0),
        ((("retry-after", "0.5"),), 0.5),
        ((("retry-after-ms", "250"), ("retry-after", "7")), 0.25),
        ((("retry-after", "Wed, 21 Oct 2026 07:28:00 GMT"),), None),
        ((("retry-after", "-1"),), None),
        ((("retry-after", "nan"),), None),
        ((("retry-after", "inf"),), None),
        ((("retry-after", "9e9"),), 86_400.0),
        ((), None),
    ],
)
def test_retry_after(headers: tuple[tuple[str, str], ...], seconds: float | None) -> None:
    assert openai.failure(429, headers, b"").retry_after == seconds


def test_retry_after_as_a_date_is_counted_from_the_replys_own() -> None:
    now, then = "Wed, 21 Oct 2026 07:28:00 GMT", "Wed, 21 Oct 2026 07:29:30 GMT"
    for headers, seconds in (
        ((("date", now), ("retry-after", then)), 90.0),
        ((("date", then), ("retry-after", now)), 0.0),
        ((("date", "yesterday"), ("retry-after", then)), None),
        ((("date", now), ("retry-after", "soon")), None),
    ):
        assert openai.failure(429, headers, b"").retry_after == seconds


def test_a_request_too_large_for_the_rate_tells_others_no_wait() -> None:
    body = b'{"error":{"message":"Request too large for gpt-4o: Limit 30000, Requested 50000"}}'
    assert openai.failure(429, (("retry-after", "60"),), body).retry_after is None


@given(st.integers(300, 599), st.binary(max_size=80))
def test_any_error_body_is_a_failure(status: int, body: bytes) -> None:
    for provider in CHAT.values():
        assert isinstance(provider.failure(status, (), body), Failed)


EMBEDDER = Target("openai", "text-embedding-3-small", "embed", dimension=1536)


FIELDS = {"dimensions": 2, "user": "u", "made_up": [None]}


def test_embeddings_come_in_order() -> None:
    request = openai.embed(["a", "b"], EMBEDDER, Provider("openai", "http://h/v1/"), FIELDS)
    assert request.target == b"http://h/v1/embeddings"
    assert sent(request) == {
        "model": "text-embedding-3-small",
        "input": ["a", "b"],
        "encoding_format": "float",
        **FIELDS,
    }
    rows = [{"index": 1, "embedding": [3, 4.5]}, {"index": 0, "embedding": [1, 2]}]
    body = encode({"data": rows, "usage": {"prompt_tokens": 8, "total_tokens": 8}})
    vectors, usage = openai.vectors(body, EMBEDDER, ["a", "b"])
    assert (vectors.values, vectors.dimension, vectors.tokens) == ([[1, 2], [3, 4.5]], 2, 8)
    assert usage == Usage(input=8)


def test_unreported_tokens_are_bounded_by_bytes_and_marked() -> None:
    body = encode({"data": [{"index": 0, "embedding": [1.0]}]})
    assert openai.vectors(body, EMBEDDER, ["é€"])[1] == Usage(input=5, estimated=True)


@pytest.mark.parametrize(
    "data",
    [
        [],
        [{"index": 0, "embedding": [1]}],
        [{"index": 0, "embedding": [1]}, {"index": 0, "embedding": [1]}],
        [{"index": 0, "embedding": [1]}, {"index": 2, "embedding": [1]}],
        [{"index": 0, "embedding": [1]}, {"index": 1, "embedding": [1, 2]}],
        [{"index": 0, "embedding": []}, {"index": 1, "embedding": []}],
        [{"index": 0, "embedding": ["x"]}, {"index": 1, "embedding": [1]}],
        7,
    ],
)
def test_embeddings_that_do_not_fit(data: Any) -> None:
    for kind in EMBED:
        with pytest.raises(Failed):
            EMBED[kind].vectors(encode({"data": data}), EMBEDDER, ["a", "b"])


def test_a_target_without_tools_or_images() -> None:
    plain = Target("p", "m", tools=False, images=False)
    tools = call(tools=[{"type": "function", "function": {"name": "f"}}]).ask
    image = {"type": "image_url", "image_url": {"url": "http://h/i.png"}}
    images = call(messages=[{"role": "user", "content": [image]}]).ask
    for provider in CHAT.values():
        assert provider.inexpressible(call().ask, plain) is None
        assert provider.inexpressible(tools, plain) == "tools"
        assert provider.inexpressible(images, plain) == "messages"
