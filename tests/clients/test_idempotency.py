"""Idempotency-Key against real processes: a hundred at once, lost clients, a killed gateway; the provider's meter decides."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import openai
import pytest
from openai import OpenAI

from load.fake_provider import FakeProvider
from tests.clients.conftest import CONFIG, environment
from tests.clients.process import Penstock, token, until

SUB = "repeater"


@pytest.fixture
def doomed(provider: FakeProvider, fresh_home: Callable[[str], Path]) -> Iterator[Penstock]:
    with Penstock(fresh_home("repeats"), CONFIG, environment(provider)) as served:
        yield served


def ask(served: Penstock, key: str, text: str = "once", stream: bool = False) -> httpx.Response:
    asked = {
        "model": "gpt-4o-mini",
        "messages": [{"role": "user", "content": text}],
        "stream": stream,
    }
    headers = {
        "authorization": f"Bearer {token(SUB, tier='enterprise')}",
        "idempotency-key": key,
        "cache-control": "no-store",
    }
    url = f"{served.url}/v1/chat/completions"
    return httpx.post(url, json=asked, headers=headers, timeout=30.0)


def code(response: httpx.Response) -> str:
    return response.json()["error"]["code"] if response.status_code >= 400 else ""


def test_a_hundred_at_once_are_one_call(doomed: Penstock, fake: FakeProvider) -> None:
    with ThreadPoolExecutor(25) as threads:
        replies = [*threads.map(lambda _: ask(doomed, "k", "[[fault:latency=500]] x"), range(100))]
    told = Counter(code(reply) for reply in replies)
    assert set(told) <= {"", "idempotency_in_flight"}
    assert len({reply.content for reply in replies if reply.status_code == 200}) == 1
    assert fake.meter(finished=1)["calls"] == 1
    assert doomed.rows("select stage, ended from ledger order by at, stage = 'final'") == [
        ("reserve", ""), ("dispatched", ""), ("final", "settled"),
    ]  # fmt: skip


@pytest.mark.parametrize("stream", [False, True])
def test_a_reply_outlives_the_process(doomed: Penstock, fake: FakeProvider, stream: bool) -> None:
    first = ask(doomed, "k", stream=stream)
    assert first.status_code == 200
    doomed.kill()
    doomed.start()
    again = ask(doomed, "k", stream=stream)
    assert again.content == first.content
    assert again.headers["content-type"] == first.headers["content-type"]
    assert again.headers["x-penstock-replayed"] == first.headers["x-request-id"]
    assert fake.meter()["calls"] == 1


def test_a_killed_gateway_never_sends_the_call_again(doomed: Penstock, fake: FakeProvider) -> None:
    fake.fault("gate", 0)
    with ThreadPoolExecutor(1) as threads:
        asked = threads.submit(ask, doomed, "k")
        fake.meter(calls=1)
        doomed.kill()
        assert isinstance(asked.exception(), httpx.TransportError)
    fake.release()
    fake.clear_faults()
    doomed.start()
    for _ in range(3):
        assert code(ask(doomed, "k")) == "idempotency_in_flight"  # its lease still runs
    assert code(ask(doomed, "another")) == ""
    assert fake.meter(calls=2)["calls"] == 2


def test_a_client_that_left_is_told_that_nobody_knows(doomed: Penstock, fake: FakeProvider) -> None:
    options = {"api_key": token(SUB), "base_url": f"{doomed.url}/v1", "max_retries": 2}
    extra = {"idempotency-key": "k", "cache-control": "no-store"}
    with OpenAI(**options) as client:  # type: ignore[arg-type]  # all of them are the client's
        messages = [{"role": "user", "content": "[[fault:gate=3]] one two three four"}]
        how = {"model": "gpt-4o-mini", "messages": messages, "stream": True}
        stream = client.chat.completions.create(**how, extra_headers=extra)  # type: ignore[call-overload]  # as above
        next(stream)
        stream.close()
        lost = "select state from idempotency"
        until(lambda: doomed.rows(lost) == [("lost",)])
        with pytest.raises(openai.ConflictError) as told:
            client.chat.completions.create(**how, extra_headers=extra)  # type: ignore[call-overload]  # as above
    assert told.value.code == "idempotency_outcome_unknown"
    assert fake.meter(calls=1)["calls"] == 1
    fake.release()
