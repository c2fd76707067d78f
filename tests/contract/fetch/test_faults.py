"""`Fetch` against the fake provider and what goes wrong there (cases 19 to 24)."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from typing import Any

import pytest

from load.fake_provider import FakeProvider
from penstock.errors import Broken, Cut, Failed, NotSent, Stalled
from penstock.platforms.http import Http
from penstock.wire.http import Request, Response, Stream, Timeouts
from tests.contract.fetch.peer import PATIENT, content, post, until

LIMITS = Timeouts(connect=5, first_byte=0.2, idle=0.2)
TEXT = "grüße \N{SNOWMAN} \N{PILE OF POO}"


def ask(fake: FakeProvider, *, stream: bool = True, **fields: Any) -> Request:
    body = {"model": "gpt-4o", "messages": [{"role": "user", "content": TEXT}], "stream": stream}
    headers = [("content-type", "application/json")]
    url = fake.url + "/v1/chat/completions"
    return post(url, json.dumps(body).encode(), headers=headers, **fields)


def words(stream: bytes) -> str:
    """What an answer says, streamed or not."""
    if not stream.startswith(b"data:"):
        return str(json.loads(stream)["choices"][0]["message"]["content"])
    lines = stream.decode().split("\n")
    chunks = [json.loads(line[6:]) for line in lines if line.startswith("data: {")]
    return "".join(c["choices"][0]["delta"].get("content") or "" for c in chunks if c["choices"])


async def sent(http: Http, fake: FakeProvider, **fields: Any) -> tuple[Response, bytes]:
    response = await http(ask(fake, **fields))
    return response, await content(response)


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("fault", [None, "split_utf8", "crlf"])
async def test_answers(http: Http, fake: FakeProvider, fault: str | None, stream: bool) -> None:
    if fault:
        fake.fault(fault)
    for _ in range(3):
        response, body = await sent(http, fake, stream=stream)
        assert response.status == 200
        assert words(body).startswith("é 漢字" if fault == "split_utf8" else f"echo {TEXT}")
        assert (http.busy, http.idle) == (0, 1)
    assert fake.meter(finished=3)["charged_calls"] == 3


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(
    ("fault", "arg", "kind"),
    [
        ("reset_before", None, Broken),
        ("reset_after", None, Broken),
        ("reset_mid", 2, Broken),
        ("close_mid", 2, Broken),
        ("short", None, Broken),
        ("stall_first", None, Stalled),
        ("stall_mid", 2, Stalled),
        ("drip", 0.5, Stalled),
    ],
)
async def test_failures(
    http: Http, fake: FakeProvider, fault: str, arg: float | None, kind: type[Failed], stream: bool
) -> None:
    fake.fault(fault, arg)
    timeouts = LIMITS if kind is Stalled else PATIENT
    with pytest.raises(kind) as failed:
        await sent(http, fake, stream=stream, timeouts=timeouts)
    assert failed.value.processed == "unknown"
    assert (http.busy, http.idle) == (0, 0)
    fake.clear_faults()
    assert (await sent(http, fake))[0].status == 200


async def test_what_came_before_a_failure_is_handed_out(http: Http, fake: FakeProvider) -> None:
    fake.fault("reset_mid", 3)
    response = await http(ask(fake))
    assert not isinstance(response.body, bytes)
    came: list[bytes] = []
    with pytest.raises(Broken):
        await read_into(came, response.body)
    assert b"".join(came).count(b"data: ") >= 1


async def test_refused(http: Http, fake: FakeProvider) -> None:
    await sent(http, fake)
    fake.refuse()
    try:
        await until(lambda: not http.idle)  # the kept connection is seen to close
        with pytest.raises(NotSent) as failed:
            await http(ask(fake))
        assert failed.value.processed == "no"
    finally:
        fake.accept()
    assert (await sent(http, fake))[0].status == 200


@pytest.mark.parametrize("stream", [True, False])
async def test_bomb_is_cut_in_little_memory(http: Http, fake: FakeProvider, stream: bool) -> None:
    cap = 32 << 20
    fake.fault("bomb", 10_000_000_000)
    response = await http(ask(fake, stream=stream, max_reply=cap))
    body = response.body
    assert not isinstance(body, bytes)
    sizes: list[int] = []
    start = resident()
    with pytest.raises(Cut) as failed:
        await count_into(sizes, body)
    assert failed.value.processed == "yes"
    assert cap - (256 << 10) <= sum(sizes) <= cap
    assert resident() - start < 16 << 20
    assert (http.busy, http.idle) == (0, 0)


async def test_redirect_is_returned(http: Http, fake: FakeProvider) -> None:
    fake.fault("redirect")
    response, _ = await sent(http, fake)
    assert (response.status, response.header("location")) == (302, "/_redirected")
    assert len(fake.requests()) == 1


async def test_hop_by_hop(http: Http, fake: FakeProvider) -> None:
    fake.fault("hop_headers")
    response, body = await sent(http, fake)
    assert {name for name, _ in response.headers} <= {"content-type", "x-request-id"}
    assert words(body).startswith("echo")


async def test_abandoned_stream_is_seen(http: Http, fake: FakeProvider) -> None:
    fake.fault("gate", 3)
    response = await http(ask(fake))
    await response.aclose()
    row = (await asyncio.to_thread(lambda: fake.meter(finished=1)))["rows"][0]
    assert row["state"] == "cut"
    assert (http.busy, http.idle) == (0, 0)


async def test_slow_drip_ends_by_the_callers_total(http: Http, fake: FakeProvider) -> None:
    fake.fault("drip", 0.02)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.5):
            await sent(http, fake, timeouts=Timeouts(5, 60, 0.3))
    assert (http.busy, http.idle) == (0, 0)


async def read_into(came: list[bytes], body: Stream) -> None:
    async for part in body:
        came.append(part)


async def count_into(sizes: list[int], body: Stream) -> None:
    async for part in body:
        sizes.append(len(part))


def resident() -> int:
    """Bytes of memory this process occupies."""
    if not sys.platform.startswith("linux"):
        pytest.skip("reads /proc")
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE")
