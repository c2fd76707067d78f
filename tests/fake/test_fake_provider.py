"""The fake provider does what the tests that lean on it believe: driven by SDK and plain HTTP."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest

from load.fake_provider import FakeProvider
from load.fake_provider.answer import Usage
from load.fake_provider.bomb import bomb
from load.fake_provider.meter import charge
from load.fake_provider.settings import Price

KEY = "sk-fake"
CHAT = "/v1/chat/completions"
RUN = "/client/v4/accounts/acc/ai/run/@cf/meta/llama-3.1-8b-instruct-fp8-fast"
EMBED_RUN = "/client/v4/accounts/acc/ai/run/@cf/baai/bge-base-en-v1.5"
PRICES = {"gpt-4o": {"input": 7, "output": 11, "cached_input": 3, "cache_write": 5}}
WEATHER = {
    "name": "weather",
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
        "required": ["city", "days"],
    },
}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakeProvider]:
    prices = tmp_path_factory.mktemp("fake") / "prices.json"
    prices.write_text(json.dumps(PRICES))
    with FakeProvider("--key", KEY, "--prices", str(prices), "--idempotent") as provider:
        yield provider


@pytest.fixture
def fake(running: FakeProvider) -> FakeProvider:
    running.reset()
    return running


@pytest.fixture
def sdk(fake: FakeProvider) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=fake.url + "/v1", api_key=KEY, max_retries=0) as client:
        yield client


@pytest.fixture
def http(fake: FakeProvider) -> Iterator[httpx.Client]:
    headers = {"authorization": f"Bearer {KEY}", "x-api-key": KEY}
    headers["anthropic-version"] = "2023-06-01"
    with httpx.Client(base_url=fake.url, headers=headers, trust_env=False, timeout=5) as client:
        yield client


def ask(prompt: str, **fields: Any) -> dict[str, Any]:
    return {"model": "gpt-4o", "messages": [{"role": "user", "content": prompt}], **fields}


def events(text: str) -> list[str]:
    return [line.removeprefix("data: ") for line in text.splitlines() if line.startswith("data: ")]


def spoken(text: str) -> str:
    """The content of an OpenAI stream."""
    chunks = [json.loads(event) for event in events(text) if event != "[DONE]"]
    deltas = [choice["delta"] for chunk in chunks for choice in chunk["choices"]]
    return "".join(delta.get("content", "") for delta in deltas)


def read_into(received: bytearray, http: httpx.Client, body: dict[str, Any]) -> None:
    """Reads a reply that may break off, keeping what came."""
    with http.stream("POST", CHAT, json=body) as reply:
        for piece in reply.iter_bytes():
            received += piece


# --- the dialects


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
    assert report["charged_nanos"] == 2 * charge(Usage(3, output=5), Price(**PRICES["gpt-4o"]))
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


# --- the faults


@pytest.mark.parametrize("status", [400, 401, 429, 500, 502, 503])
def test_status_faults_cost_nothing(fake: FakeProvider, http: httpx.Client, status: int) -> None:
    fake.fault(str(status), 7, times=1, path="/v1/chat")
    bad = http.post(CHAT, json=ask("hi"))
    assert (bad.status_code, bad.headers["retry-after"]) == (status, "7")
    assert "message" in bad.json()["error"]
    assert http.post(CHAT, json=ask("hi")).status_code == 200
    assert fake.meter()["charged_calls"] == 1


def test_faults_by_prompt_header_and_unknown_name(fake: FakeProvider, http: httpx.Client) -> None:
    assert http.post(CHAT, json=ask("hi [[fault:503]]")).headers["retry-after"] == "1"
    named = http.post(CHAT, json=ask("hi"), headers={"x-fake-fault": "502"})
    assert named.status_code == 502
    assert http.post(CHAT, json=ask("[[fault:nonsense]]")).status_code == 400
    with pytest.raises(ValueError, match="nonsense"):
        fake.fault("nonsense")


@pytest.mark.parametrize(
    ("fault", "charged"), [("reset_before", 0), ("reset_after", 1), ("reset_after=uncharged", 0)]
)
def test_resets(fake: FakeProvider, http: httpx.Client, fault: str, charged: int) -> None:
    with pytest.raises(httpx.TransportError):
        http.post(CHAT, json=ask(f"hi [[fault:{fault}]]"))
    report = fake.meter(finished=1)
    assert report["charged_calls"] == charged
    assert report["rows"][0]["state"] == "cut"


@pytest.mark.parametrize("fault", ["reset_mid=4", "close_mid=4"])
def test_cut_streams_cost_what_was_generated(
    fake: FakeProvider, http: httpx.Client, fault: str
) -> None:
    received = bytearray()
    with pytest.raises(httpx.TransportError):
        read_into(received, http, ask(f"a b c [[fault:{fault}]]", stream=True))
    assert received.count(b"data: ") == 4
    row = fake.meter(finished=1)["rows"][0]
    assert (row["output"], row["completed"]) == (3, False)


def test_a_gate_holds_until_released(fake: FakeProvider, http: httpx.Client) -> None:
    fake.fault("gate", 3, times=1)
    with http.stream("POST", CHAT, json=ask("a b c", stream=True)) as reply:
        lines = reply.iter_lines()
        before = [next(lines) for _ in range(5)]
        assert fake.meter(calls=1)["rows"][0]["state"] == "running"
        fake.release()
        rest = list(lines)
    assert before[4].startswith("data: ")
    assert "data: [DONE]" in rest
    assert fake.meter(finished=1)["rows"][0]["completed"] is True


def test_disconnect_charges_what_was_sent(fake: FakeProvider, http: httpx.Client) -> None:
    fake.fault("stall_mid", 3)
    with http.stream("POST", CHAT, json=ask("a b c d", stream=True)) as reply:
        lines = reply.iter_lines()
        assert [next(lines) for _ in range(5)][4].startswith("data: ")
    row = fake.meter(finished=1)["rows"][0]
    assert (row["state"], row["output"], row["input"]) == ("cut", 2, 4)
    with pytest.raises(httpx.ReadTimeout):
        http.post(CHAT, json=ask("[[fault:stall_first]] whole"), timeout=0.05)
    row = fake.meter(finished=2)["rows"][1]
    assert (row["state"], row["output"]) == ("cut", 3)


def test_odd_streams_say_the_same(fake: FakeProvider, http: httpx.Client) -> None:
    whole = spoken(http.post(CHAT, json=ask("same words", stream=True)).text)
    for fault in ("crlf", "no_done", "pace=2000", "drip=0", "latency=1", "hop_headers"):
        fake.fault(fault.partition("=")[0], fault.partition("=")[2], times=1)
        reply = http.post(CHAT, json=ask("same words", stream=True))
        assert spoken(reply.text) == whole, fault
        assert (b"\r\n\r\n" in reply.content) == (fault == "crlf")
        assert ("[DONE]" in reply.text) == (fault != "no_done")
        assert ("set-cookie" in reply.headers) == (fault == "hop_headers")
    rows = fake.meter(finished=7)["rows"]
    assert len({row["charged_nanos"] for row in rows}) == 1


def test_split_utf8_and_a_long_line(http: httpx.Client) -> None:
    pieces: list[bytes] = []
    with http.stream("POST", CHAT, json=ask("[[fault:split_utf8]]", stream=True)) as reply:
        pieces.extend(reply.iter_raw())
    assert any(piece and piece[0] & 0xC0 == 0x80 for piece in pieces)
    assert spoken(b"".join(pieces).decode()) == "é 漢字 🙂 naïve Ωmega"
    long = http.post(CHAT, json=ask("[[fault:big_line=300000]]", stream=True))
    assert max(map(len, long.text.splitlines())) > 300_000


def test_an_error_event_is_billed(fake: FakeProvider, http: httpx.Client) -> None:
    last = events(http.post(CHAT, json=ask("a b [[fault:error_event=3]]", stream=True)).text)[-1]
    assert "error" in json.loads(last)
    assert fake.meter(finished=1)["rows"][0]["output"] == 2
    body = ask("a b [[fault:error_event]]", max_tokens=9, stream=True)
    assert "event: error" in http.post("/v1/messages", json=body).text


@pytest.mark.parametrize(
    ("fault", "places"),
    [("usage_early", [-3]), ("usage_twice", [-3, -2]), ("usage_missing", []), ("drip=0", [-2])],
)
def test_usage_in_odd_places(http: httpx.Client, fault: str, places: list[int]) -> None:
    options = {"stream": True, "stream_options": {"include_usage": True}}
    parts = events(http.post(CHAT, json=ask(f"a [[fault:{fault}]]", **options)).text)
    with_usage = [i for i, part in enumerate(parts) if '"usage":{' in part]
    assert with_usage == [len(parts) + place for place in places]


def test_odd_answers(http: httpx.Client) -> None:
    def choice(fault: str) -> dict[str, Any]:
        first: dict[str, Any] = http.post(CHAT, json=ask(fault)).json()["choices"][0]
        return first

    assert choice("[[fault:content_filter]]")["finish_reason"] == "content_filter"
    assert choice("[[fault:refusal]]")["message"]["refusal"]
    assert choice("[[fault:null_content]]")["message"]["content"] is None
    assert http.post(CHAT, json=ask("[[fault:empty_choices]]")).json()["choices"] == []


def test_broken_replies(fake: FakeProvider, http: httpx.Client) -> None:
    moved = http.post(CHAT, json=ask("[[fault:redirect]]"))
    assert (moved.status_code, moved.headers["location"]) == (302, "/_redirected")
    odd = http.post(CHAT, json=ask("[[fault:wrong_type]]"))
    assert odd.headers["content-type"].startswith("text/html")
    for fault in ("garbage", "truncated"):
        with pytest.raises(ValueError, match=r"."):
            http.post(CHAT, json=ask(f"[[fault:{fault}]]")).json()
    with pytest.raises(httpx.RemoteProtocolError):
        http.post(CHAT, json=ask("[[fault:short]]"))
    report = fake.meter(finished=5)
    assert [row["status"] for row in report["rows"]] == [302, 200, 200, 200, 200]
    assert [row["charged_nanos"] for row in report["rows"]] == [0, 1, 1, 1, 1]


def test_bomb(http: httpx.Client) -> None:
    small = http.post(CHAT, json=ask("[[fault:bomb=3000000]]"))
    assert small.headers["content-encoding"] == "gzip"
    assert len(small.content) > 3_000_000
    assert small.json()["object"] == "chat.completion"
    packed = b"".join(bomb(b"{}", 2_500_000))
    assert gzip.decompress(packed) == b"{}" + b" " * 3_000_000
    assert len(packed) < 10_000


def test_refused_connections(fake: FakeProvider, http: httpx.Client) -> None:
    fake.refuse()
    with pytest.raises(httpx.ConnectError):
        http.post(CHAT, json=ask("hi"))
    fake.accept()
    assert http.post(CHAT, json=ask("hi")).status_code == 200


# --- the connection


def test_pipelined_chunked_and_closing_requests(fake: FakeProvider) -> None:
    import socket

    body = json.dumps(ask("raw")).encode()
    head = b"POST %s HTTP/1.1\r\nhost: x\r\nauthorization: Bearer %s\r\n"
    head %= CHAT.encode(), KEY.encode()
    plain = head + b"content-length: %d\r\n\r\n%s" % (len(body), body)
    chunks = b"%x\r\n%s\r\n%x\r\n%s\r\n0\r\n\r\n" % (5, body[:5], len(body) - 5, body[5:])
    chunked = head + b"transfer-encoding: chunked\r\nconnection: close\r\n\r\n" + chunks
    with socket.create_connection(("127.0.0.1", httpx.URL(fake.url).port or 0)) as raw:
        raw.settimeout(5)
        for piece in (plain[:9], plain[9:] + plain + chunked[:-9], chunked[-9:]):
            raw.sendall(piece)
        received = b""
        while data := raw.recv(65_536):
            received += data
    assert received.count(b"HTTP/1.1 200 OK") == 3
    assert fake.meter(finished=3)["charged_calls"] == 3


def test_tls_and_no_rows(tmp_path: Path) -> None:
    certificate, key = self_signed(tmp_path)
    options = ("--tls", str(certificate), str(key), "--no-rows", "--stream-chunks", "7")
    with FakeProvider(*options, "--chunk-writes", "batch", "--latency-ms", "1") as fake:
        assert fake.url.startswith("https://")
        with httpx.Client(base_url=fake.url, verify=False, trust_env=False) as http:
            text = http.post(CHAT, json=ask("hi", stream=True)).text
        assert len(spoken(text).split()) == 7
        report = fake.meter(finished=1)
        assert (report["calls"], report["rows"]) == (1, [])
        assert report["charged_nanos"] > 0
        assert fake.requests() == []


def self_signed(folder: Path) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 and its key, as PEM files."""
    import datetime

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    built = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    built = built.not_valid_before(now).not_valid_after(now + datetime.timedelta(days=1))
    certificate = folder / "cert.pem"
    certificate.write_bytes(
        built.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    )
    secret = folder / "key.pem"
    secret.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return certificate, secret
