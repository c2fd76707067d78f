"""Errors, retries and time-outs as the official SDK understands them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import openai
import pytest
from openai import OpenAI

from load.fake_provider import FakeProvider
from tests.clients.conftest import CONFIG, Served, environment
from tests.clients.process import Penstock, token, until

HELLO: Any = [{"role": "user", "content": "hello"}]


def fault(name: str) -> Any:
    return [{"role": "user", "content": f"hello [[fault:{name}]]"}]


@pytest.mark.parametrize(
    ("key", "code"),
    [
        ("pk-nonsense", "invalid_api_key"),
        ("nonsense", "invalid_token"),
        ("eyJhbGciOiJub25lIn0.e30.", "invalid_token"),
    ],
)
def test_a_bad_key(client: OpenAI, fake: FakeProvider, key: str, code: str) -> None:
    with pytest.raises(openai.AuthenticationError) as caught:
        client.with_options(api_key=key).models.list()
    assert caught.value.code == code
    assert caught.value.type == "authentication_error"
    assert (caught.value.request_id or "").startswith("req_")
    assert key not in str(caught.value)


def test_an_unknown_model(client: OpenAI, fake: FakeProvider) -> None:
    with pytest.raises(openai.NotFoundError) as caught:
        client.chat.completions.create(model="no-such", messages=HELLO)
    assert caught.value.code == "model_not_found"
    assert caught.value.param == "model"
    with pytest.raises(openai.NotFoundError) as caught:
        client.models.retrieve("no-such")
    assert caught.value.code == "model_not_found"
    assert fake.meter()["calls"] == 0


@pytest.mark.parametrize(
    ("wrong", "param"),
    [
        ({"messages": []}, "messages"),
        ({"temperature": 3}, "temperature"),
        ({"n": 129}, "n"),
        ({"extra_body": {"api_base": "http://10.0.0.1"}}, "api_base"),
        ({"messages": [{"role": "user", "content": 5}]}, "messages[0].content"),
    ],
)
def test_a_bad_request(
    client: OpenAI, fake: FakeProvider, wrong: dict[str, Any], param: str
) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(**({"model": "auto", "messages": HELLO} | wrong))
    assert caught.value.type == "invalid_request_error"
    assert caught.value.param is not None
    assert caught.value.param.replace("[...]", "[0]") == param
    assert fake.meter()["calls"] == 0


def test_a_body_the_provider_refuses(client: OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(model="auto", messages=fault("400"))
    assert caught.value.code == "upstream_refused"


def test_a_scope_that_is_missing(client: OpenAI, sub: str) -> None:
    reader = client.with_options(api_key=token(sub, scope="embed"))
    with pytest.raises(openai.PermissionDeniedError) as caught:
        reader.chat.completions.create(model="auto", messages=HELLO)
    assert caught.value.code == "insufficient_scope"


def test_a_used_up_rate_says_when_to_come_back(
    client: OpenAI, fake: FakeProvider, sub: str
) -> None:
    once = client.with_options(api_key=token(sub, tier="once"), max_retries=2)
    once.chat.completions.create(model="auto", messages=HELLO)
    with pytest.raises(openai.RateLimitError) as caught:
        once.chat.completions.create(model="auto", messages=HELLO)
    headers = caught.value.response.headers
    assert caught.value.code == "rate_limit_exceeded"
    assert 3_590 <= int(headers["retry-after"]) <= 3_600
    assert headers["x-ratelimit-limit-requests"] == "1"
    assert headers["x-ratelimit-remaining-requests"] == "0"
    # An hour is not to be slept through within a call.
    assert headers["x-should-retry"] == "false"


@pytest.fixture(scope="module")
def brief(provider: FakeProvider, fresh_home: Callable[[str], Path]) -> Iterator[Penstock]:
    """A gateway whose chat rate is one a second."""
    config = CONFIG + '[limits]\nchat = { requests = 1, window = 1, scale = "none" }\n'
    with Penstock(fresh_home("brief"), config, environment(provider)) as served:
        yield served


def test_the_sdk_waits_as_long_as_it_is_told_and_tries_again(
    brief: Penstock, fake: FakeProvider
) -> None:
    with OpenAI(base_url=f"{brief.url}/v1", api_key=token("waiting"), max_retries=2) as waiting:
        for text in ("first", "second"):
            waiting.chat.completions.create(
                model="auto", messages=[{"role": "user", "content": text}]
            )
    lines = until(lambda: found if len(found := brief.access()) == 3 else None)
    assert [line["status"] for line in lines] == [200, 429, 200]
    assert fake.meter()["calls"] == 2


def test_what_may_have_been_billed_is_not_tried_again(
    client: OpenAI, fake: FakeProvider, gateway: Served
) -> None:
    with pytest.raises(openai.InternalServerError) as caught:
        client.with_options(max_retries=3).chat.completions.create(
            model="gpt-4o-mini", messages=fault("reset_after")
        )
    assert caught.value.status_code == 502
    assert caught.value.code == "upstream_broken"
    assert caught.value.response.headers["x-should-retry"] == "false"
    assert fake.meter()["calls"] == 1
    assert caught.value.request_id is not None
    steps = until(lambda: gateway.ledger(caught.value.request_id or "")[2:])
    charged = fake.meter()["charged_nanos"]
    assert steps[0][:2] == ("final", "estimated")
    assert steps[0][2] >= charged > 0


def test_what_was_surely_not_billed_is_tried_again(client: OpenAI, fake: FakeProvider) -> None:
    fake.fault("503", 0.01, times=4)
    done = client.with_options(max_retries=2).chat.completions.create(
        model="gpt-4o-mini", messages=HELLO
    )
    # Three tries of the gateway for the first of the SDK's, then one that meets the last fault.
    assert done._request_id is not None
    assert fake.meter()["calls"] == 5
    assert fake.meter()["charged_calls"] == 1


def test_an_error_within_a_stream_is_raised_by_the_sdk(client: OpenAI) -> None:
    stream = client.chat.completions.create(
        model="gpt-4o-mini", messages=fault("close_mid=3"), stream=True
    )
    said = []
    with pytest.raises(openai.APIError) as caught:
        said += [chunk.choices[0].delta.content for chunk in stream]
    assert caught.value.code == "upstream_broken"


def test_the_routes_time_out_is_a_504(client: OpenAI, fake: FakeProvider) -> None:
    with pytest.raises(openai.InternalServerError) as caught:
        client.chat.completions.create(model="impatient", messages=fault("stall_first"))
    assert caught.value.status_code == 504
    assert caught.value.code == "upstream_timeout"
    assert caught.value.response.headers["x-should-retry"] == "false"
    assert fake.meter(finished=1, wait_seconds=1)["finished"] == 1


def test_the_clients_own_time_out_frees_everything(
    client: OpenAI, fake: FakeProvider, gateway: Served, sub: str
) -> None:
    with pytest.raises(openai.APITimeoutError):
        client.with_options(timeout=1.0).chat.completions.create(
            model="gpt-4o-mini", messages=fault("stall_first")
        )
    assert fake.meter(finished=1, wait_seconds=1)["finished"] == 1
    sql = "select ended from ledger where sub = ? and stage = 'final'"
    assert until(lambda: gateway.rows(sql, sub)) == [("estimated",)]


def test_models_are_listed_and_found(client: OpenAI) -> None:
    listed = [model.id for model in client.models.list()]
    assert listed[:3] == ["auto", "impatient", "embed"]
    assert "openai/gpt-4o" in listed
    found = client.models.retrieve("openai/gpt-4o")
    assert (found.id, found.object, found.owned_by) == ("openai/gpt-4o", "model", "openai")
    assert client.models.retrieve("auto").owned_by == "penstock"
