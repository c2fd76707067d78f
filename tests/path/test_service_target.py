"""A chat service as a target: asked as the caller, answered in every face, and charged once."""

from __future__ import annotations

import json
from typing import Any

import pytest

from penstock.auth import calls
from penstock.errors import Misconfigured
from penstock.ledger import logs
from penstock.limits.replay import Replay, choices, sides
from penstock.wire.http import Request, Response
from penstock.wire.json import encode
from penstock.wire.logs import logged
from tests.path.services import Backend, Served
from tests.path.world import SECRET, Script, World, body, read, streamed, whole

ENV = {
    "JWT_SECRET": SECRET,
    "OPENAI_API_KEY": "sk-openai",
    "OPENAI_BASE_URL": "http://openai.test/v1",
    "CHAT_SERVICE_URL": "http://chat.test/base",
}
COMPLEX = "Explain and compare these two."
TARGET = "chat/gpt-4o"
USED = {"input": 100, "output": 50}
COST = 100 * 2_500 + 50 * 10_000
"""Of that usage at gpt-4o's price, in nano-dollars."""


def said(text: str = "Well.", **more: Any) -> dict[str, Any]:
    named = more or {"usage": USED, "tokens": 150, "cost": 99.0}
    return {
        "message": {"role": "assistant", "content": text},
        "model": "gpt-4o-2024-08-06",
        "provider": "openai",
        **named,
    }


def answer(text: str = "Well.", **more: Any) -> Response:
    return Response(
        200, [("content-type", "application/json")], json.dumps(said(text, **more)).encode()
    )


def replying(reply: bytes) -> Backend:
    return lambda request: Response(200, [], reply)


def event(data: Any) -> bytes:
    return b"data: " + json.dumps(data).encode() + b"\n\n"


class Deep(Served):
    """A gateway whose strong model is a chat service that a test answers for."""

    def __init__(self, more: str = "", **env: str) -> None:
        super().__init__(more, env=ENV | env)
        self.answer: Backend = lambda request: answer()
        self.backends["chat.test"] = lambda request: self.answer(request)
        self.backends["openai.test"] = lambda request: whole("From the small one.")

    async def sums(self) -> list[tuple[str, int, int, int]]:
        """How each request ended: for what, and at what price."""
        rows = await self.ledger("stage, ended, input, output, amount_nanos")
        return sorted(row[1:] for row in rows if row[0] == "final")


async def test_a_complex_question_goes_to_the_service_and_is_charged_once():
    world = Deep()
    token = world.token()
    response = await world.chat(COMPLEX, token=token, temperature=0.5, headers=[("cookie", "a=b")])
    told = await body(response)
    assert response.header("x-penstock-target") == TARGET
    assert told["choices"][0]["message"]["content"] == "Well."
    assert (told["usage"]["prompt_tokens"], told["usage"]["completion_tokens"]) == (100, 50)
    assert response.header("x-penstock-cost-nanos") == str(COST)
    assert await world.sums() == [("settled", 100, 50, COST)]
    [sent] = world.seen
    assert (sent.method, sent.target) == ("POST", b"http://chat.test/base/api/chat/completions")
    assert isinstance(sent.body, bytes)
    assert json.loads(sent.body) == {
        "messages": [{"role": "user", "content": COMPLEX}],
        "model": "gpt-4o",
        "temperature": 0.5,
    }
    assert world.sent("authorization") == [f"Bearer {token}"]
    assert world.sent("cookie") == []
    [mark] = world.sent(calls.NAME)
    assert calls.holds(mark, world.platform.clock.now() + 600, world.platform.secret)
    assert not calls.holds(mark, world.platform.clock.now() + 602, world.platform.secret)


async def test_a_simple_one_does_not():
    world = Deep()
    assert (await world.chat("hello")).header("x-penstock-target") == "openai/gpt-4o-mini"
    assert world.sent(calls.NAME) == []
    assert world.sent("authorization") == ["Bearer sk-openai"]


async def test_the_product_face_says_what_it_cost_by_our_table():
    world = Deep()
    response = await world.chat(COMPLEX, path="/api/ai/chat/completions")
    told = await body(response)
    assert (told["provider"], told["model"], told["tokens"]) == ("chat", "gpt-4o", 150)
    assert told["cost"] == COST / 1e9


async def test_the_bare_name_means_it_where_no_provider_has_the_model():
    world = Deep(OPENAI_API_KEY="")
    response = await world.ask("/v1/chat/completions", {"model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}]})  # fmt: skip
    assert response.header("x-penstock-target") == TARGET
    simple = await world.chat("hello")
    assert (simple.header("x-penstock-target") or "").startswith("sandbox/")


async def test_a_stream_is_openais():
    world = Deep()
    parts = [event({"delta": "We"}), event({"delta": "ll."}) + event(said()), b"data: [DONE]\n\n"]
    world.answer = lambda request: streamed(parts)
    response = await world.chat(COMPLEX, stream=True, stream_options={"include_usage": True})
    lines = (await read(response)).decode().strip().split("\n\n")
    assert lines[-1] == "data: [DONE]"
    chunks = [json.loads(line.removeprefix("data: ")) for line in lines[:-1]]
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks if chunk["choices"]]
    assert deltas == [{"role": "assistant", "content": "We"}, {"content": "ll."}, {}]
    assert chunks[-2]["choices"][0]["finish_reason"] == "stop"
    assert chunks[-1]["usage"]["total_tokens"] == 150
    assert await world.sums() == [("settled", 100, 50, COST)]
    assert isinstance(world.last.body, bytes)
    assert json.loads(world.last.body)["stream"] is True


async def test_a_stream_without_pieces_is_its_whole_reply():
    world = Deep()
    world.answer = lambda request: streamed([event(said()), b"data: [DONE]\n\n"])
    text = (await read(await world.chat(COMPLEX, stream=True))).decode()
    assert '"content":"Well."' in text
    assert text.endswith("data: [DONE]\n\n")


@pytest.mark.parametrize(
    "end",
    [
        event({"error": {"message": "secret words", "code": "x"}}),
        b"",
        b"data: [DONE]\n\n",
        event({"unknown": 1}),
        b"data: {\n\n",
        event(said()) + event(said()),
    ],
)
async def test_a_stream_that_does_not_end_well_is_no_success_and_paid_for(end):
    world = Deep()
    world.answer = lambda request: streamed([event({"delta": "We"}), end])
    text = (await read(await world.chat(COMPLEX, stream=True))).decode()
    assert '"error"' in text
    assert "[DONE]" not in text
    assert "secret words" not in text
    [(ended, *_, amount)] = await world.sums()
    assert ended in ("estimated", "settled")
    assert amount > 0


async def test_tokens_in_one_sum_are_output_and_an_estimate():
    world = Deep()
    world.answer = lambda request: answer(tokens=150)
    await read(await world.chat(COMPLEX))
    assert await world.sums() == [("estimated", 0, 150, 150 * 10_000)]


async def test_without_a_usage_it_is_the_most_it_can_have_been():
    world = Deep()
    world.answer = lambda request: answer(cost=0.0)
    await read(await world.chat(COMPLEX, max_tokens=1000))
    [(ended, _, output, _)] = await world.sums()
    assert (ended, output) == ("estimated", 1000)


async def test_a_price_of_your_own_goes_before():
    prices = '[[prices]]\nprovider = "chat"\nmodel = "gpt-4o"\ninput = "0"\noutput = "1"\n'
    world = Deep(prices)
    await read(await world.chat(COMPLEX))
    assert await world.sums() == [("settled", 100, 50, 50 * 1_000)]


BELIEVED = '[providers.chat]\nkind = "service"\nbase_url = "http://chat.test/base"\nbelieved = true\n[providers.openai]\nkind = "openai"\nbase_url = "http://openai.test/v1"\napi_key = "k"\n'


@pytest.mark.parametrize(
    ("cost", "amount"),
    [
        ("0.0000000015", 2),
        ("1e-9", 1),
        ("0", 0),
        ("0.25", 250_000_000),
        ("-1", COST),
        ("1e9", COST),
        ("99999999", COST),
        ('"0.1"', COST),
        ("null", COST),
    ],
)
async def test_its_own_cost_counts_only_where_it_is_believed(cost, amount):
    for world, due in ((Deep(BELIEVED), amount), (Deep(), COST)):
        reply = json.dumps(said()).replace("99.0", cost).encode()
        world.answer = replying(reply)
        assert (await world.chat(COMPLEX)).header("x-penstock-cost-nanos") == str(due)
        assert await world.sums() == [("settled", 100, 50, due)]


async def test_a_log_of_one_that_is_believed_is_replayed_by_its_word():
    world = Deep(BELIEVED)
    for cost in ("0.25", "0"):
        world.answer = replying(json.dumps(said()).replace("99.0", cost).encode())
        assert (await world.chat(f"{COMPLEX} {cost}")).status == 200
    await world.gateway.journal.flush()
    lines, _ = await logs.page(world.platform.tables, (0, ""), 2**52, ())
    chosen = choices(world.gateway.config, sides(world.gateway.config, "auto"), ["logged"], {})
    replay = Replay(world.gateway.config, chosen, TARGET, 60, 0)
    for number, line in enumerate(lines, 1):
        replay.add(logged(number, encode(line)), line.output_tokens or 0)
    assert replay.plain["logged"].nanos == 250_000_000


async def test_a_usage_beyond_the_reserve_is_charged_all_the_same():
    world = Deep('[[budgets]]\nper = "user"\nperiod = "day"\nmoney = "1.00"\n')
    world.answer = lambda request: answer(usage={"input": 50_000, "output": 1})
    await read(await world.chat(COMPLEX, max_tokens=5))
    assert await world.sums() == [("settled", 50_000, 1, 50_000 * 2_500 + 10_000)]


@pytest.mark.parametrize("status", [401, 429, 503])
async def test_where_it_refuses_unprocessed_the_next_target_answers(status):
    world = Deep()
    world.answer = lambda request: Response(status, [], b'{"error": "secret words"}')
    response = await world.chat(COMPLEX)
    assert (response.status, response.header("x-penstock-target")) == (200, "openai/gpt-4o-mini")
    assert b"secret words" not in await read(response)


async def test_a_wait_that_the_service_asks_of_one_caller_holds_up_no_other():
    world = Deep()
    alice, bob = world.token("alice"), world.token("bob")

    def per_caller(request: Request) -> Response:
        if request.header("authorization") == f"Bearer {alice}":
            return Response(429, [("retry-after", "3600")], b"{}")
        return answer()

    world.answer = per_caller
    for token, target in ((alice, "openai/gpt-4o-mini"), (bob, TARGET)):
        response = await world.chat(COMPLEX, token=token)
        assert (response.status, response.header("x-penstock-target")) == (200, target)


@pytest.mark.parametrize("reply", [b"", b"{}", b"[]", b"nope", b'{"message": 1}', b'{"message": {"content": "x"}, "usage": {"input": -1, "output": 1}}'])  # fmt: skip
async def test_garbage_is_no_answer(reply):
    world = Deep()
    world.answer = lambda request: Response(200, [], reply)
    response = await world.chat(COMPLEX)
    assert (response.status, (await body(response))["error"]["code"]) == (
        502,
        "upstream_unreadable",
    )


@pytest.mark.parametrize(
    "more",
    [
        {"tools": [{"type": "function", "function": {"name": "f"}}]},
        {"n": 2},
        {"top_p": 0.5},
        {"response_format": {"type": "json_object"}},
        {"seed": 1},
        {"reasoning_effort": "low"},
        {"unheard_of": 1},
    ],
)
async def test_what_it_has_no_words_for_is_refused_by_name(more):
    world = Deep()
    [name] = more
    refused = await world.ask("/v1/chat/completions", {"model": TARGET, "messages": [{"role": "user", "content": "hi"}], **more})  # fmt: skip
    assert (refused.status, (await body(refused))["error"]["param"]) == (400, name)
    assert (await world.chat(COMPLEX, **more)).header("x-penstock-target") == "openai/gpt-4o-mini"


async def test_messages_are_flattened_or_refused():
    world = Deep()
    plain = [
        {"role": "developer", "content": "Be brief."},
        {"role": "assistant", "content": ""},
        {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
    ]
    sent = await world.ask("/v1/chat/completions", {"model": TARGET, "messages": plain, "top_p": 1})
    assert sent.status == 200
    assert isinstance(world.last.body, bytes)
    assert json.loads(world.last.body)["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "assistant", "content": ""},
        {"role": "user", "content": "a\nb"},
    ]
    tool = [*plain, {"role": "tool", "tool_call_id": "1", "content": "x"}]
    assert (await world.ask("/v1/chat/completions", {"model": TARGET, "messages": tool})).status == 400  # fmt: skip


async def test_who_is_nobody_is_shown_as_nobody():
    world = Deep(f'[routes.open]\ntargets = ["{TARGET}"]\nauth = "optional"\n')
    asked = {"model": "open", "messages": [{"role": "user", "content": "hi"}]}
    response = await world.ask("/v1/chat/completions", asked, token="forged.forged.forged")
    assert response.status == 200
    assert world.sent("authorization") == []


async def test_a_key_in_its_own_header_is_shown_as_a_bearer():
    world = Deep()
    token = world.token()
    await world.chat(COMPLEX, token=None, headers=[("x-api-key", token)])
    assert world.sent("authorization") == [f"Bearer {token}"]
    assert world.sent("x-api-key") == []


async def test_the_reply_is_closed_when_its_reader_leaves():
    world = Deep()
    script = Script([event({"delta": "We"}), event({"delta": "ll"}), event(said())])
    world.answer = lambda request: Response(200, [], script)
    response = await world.chat(COMPLEX, stream=True)
    assert not isinstance(response.body, bytes)
    await anext(response.body)
    await response.aclose()
    assert script.closed
    [(ended, *_, amount)] = await world.sums()
    assert (ended, amount > 0) == ("estimated", True)


def test_what_is_filled_in():
    world = Deep()
    assert "auto: simple openai/gpt-4o-mini, medium openai/gpt-4o-mini, strong chat/gpt-4o" in world.notes  # fmt: skip
    own = '[services.chat]\nbackends = [{ url = "http://mine.test" }]\n'
    assert Deep(own).gateway.config.routes["auto"].strong == "openai/gpt-4o"


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ('kind = "service"', "base_url is no http"),
        ('kind = "service"\nbase_url = "http://host/x?y"', "base_url has more than a root"),
        ('kind = "service"\nbase_url = "internal://chat"', "no service that runs in this process"),
    ],
)
def test_where_it_is_must_be_plain(text, wrong):
    with pytest.raises(Misconfigured, match=wrong):
        World(more=f"[providers.mine]\n{text}\n")


def test_only_a_service_is_believed():
    with pytest.raises(Misconfigured, match="tells no cost"):
        World(
            more='[providers.mine]\nkind = "openai"\nbase_url = "http://mine.test"\nbelieved = true\n'
        )


def test_it_embeds_nothing():
    with pytest.raises(Misconfigured, match="only chats"):
        World(
            more='[providers.mine]\nkind = "service"\nbase_url = "http://mine.test"\n'
            '[[targets]]\nprovider = "mine"\nmodel = "m"\nverb = "embed"\n'
        )
