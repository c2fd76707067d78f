"""The ledger against the fake provider's own meter, which was written independently: equal to the nano-dollar."""

from __future__ import annotations

from typing import Any

import pytest
from openai import OpenAI
from openai.types.chat import ChatCompletionToolParam

from load.fake_provider import FakeProvider
from tests.clients.conftest import Served
from tests.clients.process import Penstock, until

TOOL: ChatCompletionToolParam = {"type": "function", "function": {"name": "look"}}
USAGE = {"stream": True, "stream_options": {"include_usage": True}}
LONG = "one two three four five six seven eight nine ten"
CHATS: list[tuple[str, str, dict[str, Any]]] = [
    ("gpt-4o-mini", "plain", {}),
    ("gpt-4o-mini", "streamed", {"stream": True}),
    ("gpt-4o-mini", "streamed with usage", USAGE),
    ("gpt-4o", f"[[cached:7]] {LONG}", {}),
    ("gpt-4o", f"[[cached:7]] {LONG} streamed", USAGE),
    ("gpt-4o", "[[reasoning:33]] thought", {}),
    ("gpt-4o", "[[reasoning:33]] thought aloud", {"stream": True}),
    ("gpt-4o", "[[words:90]] cut", {"max_tokens": 20}),
    ("gpt-4o", "call tool", {"tools": [TOOL]}),
    ("gpt-4o", "call tool now", {"tools": [TOOL], "stream": True}),
    ("gpt-4o", "three of them", {"n": 3}),
    ("gpt-4o", "[[fault:usage_early]] early", {"stream": True}),
    ("gpt-4o", "[[fault:usage_twice]] twice", {"stream": True}),
    ("claude-haiku-4-5", "plain", {"max_tokens": 100}),
    ("claude-haiku-4-5", "streamed", {"max_tokens": 100, "stream": True}),
    ("claude-haiku-4-5", f"[[cached:4]] [[cache_write:5]] {LONG}", {"max_tokens": 100}),
    ("claude-haiku-4-5", f"[[cached:4]] [[cache_write:5]] {LONG} streamed",
     {"max_tokens": 100, **USAGE}),
    ("claude-haiku-4-5", "[[fault:usage_early]] early", {"max_tokens": 100, "stream": True}),
]  # fmt: skip


def ask(client: OpenAI, model: str, text: str, more: dict[str, Any]) -> str:
    """Asks, reads to the end, and returns the request's id."""
    raw = client.chat.completions.with_raw_response.create(
        model=model, messages=[{"role": "user", "content": text}], **more
    )
    answer = raw.parse()
    if more.get("stream"):
        list(answer)
    return raw.headers["x-request-id"]


@pytest.mark.parametrize(
    ("model", "text", "more"), CHATS, ids=[f"{m}-{t[:30]}" for m, t, _ in CHATS]
)
def test_a_chat_is_charged_what_the_provider_charged(
    client: OpenAI,
    fake: FakeProvider,
    gateway: Served,
    model: str,
    text: str,
    more: dict[str, Any],
) -> None:
    request_id = ask(client, model, text, more)
    charged = fake.look_up(f"{request_id}.1")
    assert charged is not None
    assert charged["charged_nanos"] > 0
    assert gateway.ledger(request_id)[-1] == ("final", "settled", charged["charged_nanos"])
    columns = "input, cached_input, cache_write, output"
    ((*units,),) = gateway.rows(
        f"select {columns} from ledger where request_id = ? and stage = 'final'", request_id
    )
    assert units == [charged[name] for name in columns.split(", ")]


def test_a_callers_whole_bill_is_the_providers(
    client: OpenAI, fake: FakeProvider, gateway: Served, sub: str
) -> None:
    for model, text, more in CHATS[::3]:
        ask(client, model, text, more)
        ask(client, model, text, more)
    client.embeddings.create(model="embed", input="one text of five words")
    client.embeddings.create(model="embed", input=["one text of five words", "another", "third"])
    client.embeddings.create(model="embed", input=["another", "third"])
    meter = fake.meter()
    assert meter["finished"] == meter["calls"] > 8
    (total,) = gateway.rows(
        "select sum(amount_nanos) from ledger where sub = ? and stage = 'final'", sub
    )
    assert total == (meter["charged_nanos"],)
    if isinstance(gateway, Penstock):  # the commands read no D1
        found = until(
            lambda: [r for r in gateway.ask("usage", "--by", "user")["rows"] if r["user"] == sub]
        )
        assert found[0]["cost_nanos"] == meter["charged_nanos"]
        assert found[0]["tokens"] == sum(
            row["input"] + row["cached_input"] + row["cache_write"] + row["output"]
            for row in meter["rows"]
        )
    ended = gateway.rows("select distinct ended from ledger where sub = ? and ended > ''", sub)
    assert ended == [("settled",)]


def test_an_answer_without_usage_is_never_charged_less_than_it_cost(
    client: OpenAI, fake: FakeProvider, gateway: Served
) -> None:
    for text, more in (("whole", {}), ("streamed", {"stream": True})):
        request_id = ask(client, "gpt-4o", f"[[fault:usage_missing]] {text}", more)
        charged = fake.look_up(f"{request_id}.1")
        assert charged is not None
        stage, ended, amount = gateway.ledger(request_id)[-1]
        assert (stage, ended) == ("final", "estimated")
        assert amount >= charged["charged_nanos"] > 0
