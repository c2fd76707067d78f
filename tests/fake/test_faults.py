"""Every fault goes wrong in the way its name says, and is charged as the README says."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from load.fake_provider import FakeProvider, faults
from load.fake_provider.bomb import bomb
from tests.fake.calls import CHAT, ask, events, read_into, spoken

README = Path(faults.__file__).parents[1] / "README.md"


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


@pytest.mark.parametrize("fault", ["reset_mid", "close_mid", "stall_mid"])
def test_whole_replies_break_in_the_middle(
    fake: FakeProvider, http: httpx.Client, fault: str
) -> None:
    received = bytearray()
    http.timeout = httpx.Timeout(0.1)
    with pytest.raises(httpx.TransportError):
        read_into(received, http, ask(f"a b c [[fault:{fault}]]"))
    assert received.startswith(b'{"id":"chatcmpl-')
    assert not received.endswith(b"}")
    row = fake.meter(finished=1)["rows"][0]
    assert (row["output"], row["state"]) == (5, "cut")


def test_every_fault_is_in_the_readme() -> None:
    table = README.read_text(encoding="utf-8").partition("## Faults")[2]
    names = {*faults.VARIANTS, *faults.RESHAPES, *faults.DELIVERIES}
    assert [name for name in sorted(names) if f"`{name}`" not in table] == []


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
