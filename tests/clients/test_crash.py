"""The gateway is killed in the middle: what it had promised before the call is there when it is opened again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import openai
import pytest
from openai import OpenAI
from openai.types.chat import ChatCompletion, ChatCompletionMessageParam

from load.fake_provider import FakeProvider
from tests.clients.conftest import CONFIG, environment
from tests.clients.process import Penstock, token

SUB = "survivor"


@pytest.fixture
def doomed(provider: FakeProvider, fresh_home: Callable[[str], Path]) -> Iterator[Penstock]:
    with Penstock(fresh_home("doomed"), CONFIG, environment(provider)) as served:
        yield served


def ask(client: OpenAI, text: str) -> ChatCompletion:
    messages: list[ChatCompletionMessageParam] = [{"role": "user", "content": text}]
    return client.chat.completions.create(model="gpt-4o-mini", messages=messages)


def client_of(served: Penstock) -> OpenAI:
    return OpenAI(base_url=f"{served.url}/v1", api_key=token(SUB), max_retries=0)


def test_a_hold_outlives_the_process_that_made_it(doomed: Penstock, fake: FakeProvider) -> None:
    fake.fault("gate", 0)
    with client_of(doomed) as client, ThreadPoolExecutor(3) as threads:
        asks = [threads.submit(ask, client, f"call {number}") for number in range(3)]
        fake.meter(calls=3)
        doomed.kill()
        for asked in asks:
            assert isinstance(asked.exception(), openai.APIConnectionError)
    fake.release()
    fake.clear_faults()
    called = {row["x_request_id"].removesuffix(".1") for row in fake.meter()["rows"]}
    assert len(called) == 3
    assert {name for (name,) in doomed.rows("select request_id from ledger")} == called
    for name in called:
        (reserve, dispatched) = doomed.ledger(name)
        assert reserve[:2] == ("reserve", "")
        assert reserve[2] > 0
        assert dispatched == ("dispatched", "", 0)
    assert doomed.rows("pragma integrity_check") == [("ok",)]

    doomed.start()
    with client_of(doomed) as client:
        done = ask(client, "back again")
    assert (done.choices[0].message.content or "").startswith("echo back again #")
    assert all(len(doomed.ledger(name)) == 2 for name in called)


def test_a_stream_cut_by_a_crash_leaves_its_hold(doomed: Penstock, fake: FakeProvider) -> None:
    with client_of(doomed) as client:
        stream = client.chat.completions.create(
            model="gpt-4o-mini",
            messages=[{"role": "user", "content": "[[fault:gate=3]] one two three four"}],
            stream=True,
        )
        request_id = stream.response.headers["x-request-id"]
        next(stream)
        next(stream)
        doomed.kill()
        with pytest.raises(openai.APIConnectionError):
            list(stream)
    assert [stage for stage, _, _ in doomed.ledger(request_id)] == ["reserve", "dispatched"]


def test_an_orderly_end_settles_what_runs(doomed: Penstock, fake: FakeProvider) -> None:
    with client_of(doomed) as client, ThreadPoolExecutor(1) as threads:
        asked = threads.submit(ask, client, "[[fault:latency=400]] slow")
        fake.meter(calls=1)
        assert doomed.stop() == ""
        assert (asked.result().choices[0].message.content or "").startswith("echo")
    ((charged,),) = doomed.rows("select amount_nanos from ledger where ended = 'settled'")
    assert charged == fake.meter(finished=1)["charged_nanos"]
