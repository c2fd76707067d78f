"""A real client that goes away in the middle of a stream: the ledger against the fake provider's own meter."""

from __future__ import annotations

import time
import tomllib
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from load.fake_provider import FakeProvider
from tests.clients.conftest import CONFIG, Served, environment
from tests.clients.process import Penstock, token, until
from tests.edge.worker import Worker

WORDS = 40
PLACES = {"byte 1": 1, "50 %": WORDS // 2, "before the usage": WORDS + 2}
"""How many of its events a stream has sent when it waits: a role, the words, the end's reason, then the usage."""
PREAMBLE = 3
"""Events of Anthropic's before any word, of which the caller sees one."""
SECONDS_TO_CANCEL, SECONDS_TO_SETTLE = 1.0, 5.0
MODELS = ["gpt-4o-mini", "claude-haiku-4-5"]


def policy(name: str, more: str = "") -> str:
    """The tests' configuration, both of whose providers have a policy."""
    line = f'api_key = "${{OPENAI_API_KEY}}"\non_disconnect = "{name}"{more}'
    other = f'api_key = "${{ANTHROPIC_API_KEY}}"\non_disconnect = "{name}"{more}'
    first = CONFIG.replace('api_key = "${OPENAI_API_KEY}"', line)
    return first.replace('api_key = "${ANTHROPIC_API_KEY}"', other)


@pytest.fixture(scope="module", params=["embedded", "cloudflare"])
def homes(
    request: pytest.FixtureRequest, provider: FakeProvider, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[str], Served]]:
    """A gateway for each policy, started when a test first asks for it."""
    served: dict[str, Served] = {}
    with ExitStack() as stack:

        def serving(name: str) -> Served:
            if name not in served:
                variables = environment(provider)
                if request.param == "cloudflare":
                    worker = Worker(tomllib.loads(policy(name)), variables)
                    served[name] = stack.enter_context(worker)
                else:
                    process = Penstock(tmp_path_factory.mktemp(name), policy(name), variables)
                    served[name] = stack.enter_context(process)
            return served[name]

        yield serving


def leave(gateway: Served, fake: FakeProvider, sub: str, model: str, after: int) -> str:
    """Asks for a stream that waits after so many events, reads what comes and hangs up; returns the request's id."""
    prompt = f"[[words:{WORDS}]] [[fault:gate={after}]] tell"
    body = {"model": model, "stream": True, "messages": [{"role": "user", "content": prompt}]}
    sent = {"authorization": f"Bearer {token(sub)}"}
    with httpx.stream(
        "POST", f"{gateway.url}/v1/chat/completions", json=body, headers=sent
    ) as reply:
        request_id = reply.headers["x-request-id"]
        seen = 0
        for line in reply.iter_lines():
            seen += line.startswith("data: ")
            if seen >= max(1, min(after, WORDS) - PREAMBLE):
                break
    return request_id


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("place", PLACES)
def test_a_cancelled_one_ends_upstream_within_a_second_and_is_never_under_estimated(
    homes: Callable[[str], Served], fake: FakeProvider, sub: str, model: str, place: str
) -> None:
    gateway = homes("cancel")
    request_id = leave(gateway, fake, sub, model, PLACES[place])
    left = time.monotonic()
    fake.meter(finished=1)
    assert time.monotonic() - left < SECONDS_TO_CANCEL
    charged = fake.look_up(f"{request_id}.1")
    assert charged is not None
    assert charged["rows"][0]["state"] == "cut"
    until(lambda: len(gateway.ledger(request_id)) == 3, SECONDS_TO_SETTLE)
    stage, ended, amount = gateway.ledger(request_id)[-1]
    assert (stage, ended) == ("final", "estimated")
    assert amount >= charged["charged_nanos"] > 0


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("place", PLACES)
def test_a_drained_one_is_charged_what_the_provider_charged(
    homes: Callable[[str], Served], fake: FakeProvider, sub: str, model: str, place: str
) -> None:
    gateway = homes("drain")
    request_id = leave(gateway, fake, sub, model, PLACES[place])
    fake.release()
    assert fake.meter(finished=1)["rows"][0]["state"] == "done"
    until(lambda: len(gateway.ledger(request_id)) == 3, SECONDS_TO_SETTLE)
    charged = fake.look_up(f"{request_id}.1")
    assert charged is not None
    assert gateway.ledger(request_id)[-1] == ("final", "settled", charged["charged_nanos"])


def test_one_that_the_provider_does_not_bill(
    homes: Callable[[str], Served], fake: FakeProvider, sub: str
) -> None:
    gateway = homes("none")
    request_id = leave(gateway, fake, sub, "gpt-4o-mini", PLACES["50 %"])
    until(lambda: len(gateway.ledger(request_id)) == 3, SECONDS_TO_SETTLE)
    assert gateway.ledger(request_id)[-1] == ("final", "estimated", 0)


def test_a_stop_does_not_wait_for_a_drain(
    provider: FakeProvider, fake: FakeProvider, sub: str, fresh_home: Callable[[str], Path]
) -> None:
    with Penstock(fresh_home("stopped"), policy("drain"), environment(provider)) as gateway:
        request_id = leave(gateway, fake, sub, "gpt-4o-mini", PLACES["50 %"])
        begun = time.monotonic()
        assert gateway.stop() == ""
        assert time.monotonic() - begun < SECONDS_TO_SETTLE
        charged = fake.look_up(f"{request_id}.1")
        stage, ended, amount = gateway.ledger(request_id)[-1]
        assert (stage, ended) == ("final", "estimated")
        assert charged is not None
        assert amount >= charged["charged_nanos"]
