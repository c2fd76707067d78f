"""Chat on the product face, to the letter: fields, values, streams, names, forced providers."""

from __future__ import annotations

import asyncio
import json
import re
from typing import Any

import pytest

from penstock.errors import Broken, NotSent
from penstock.wire.http import Request, Response
from tests.path.product import CHAT, CONFIG, MEDIUM, ONE, SMALL, Product, user
from tests.path.world import body, payloads, read

MINI_PRICE = (10 * 150_000_000 + 5 * 600_000_000) // 10**6
STRONG_PRICE = (10 * 2_500_000_000 + 5 * 10_000_000_000) // 10**6
STRONG = "Explain the trade-offs."
RENAMED = CONFIG.replace("providers.cloudflare", "providers.workers").replace(
    'provider = "cloudflare"', 'provider = "workers"'
)
CLOUDFLARE = "cloudflare.test/client/v4/accounts/acc/ai/run/"


@pytest.mark.parametrize("path", [CHAT, ONE])
async def test_a_reply_has_these_fields_and_no_others(path: str) -> None:
    world = Product()
    response = await world.say(path=path)
    assert response.status == 200
    assert response.header("content-type") == "application/json"
    assert await body(response) == {
        "message": {"role": "assistant", "content": "Hello!"},
        "model": SMALL,
        "provider": "cloudflare",
        "tokens": 15,
        "cost": 0,
    }
    assert world.sent[0][0] == CLOUDFLARE + SMALL
    assert world.sent[0][1]["messages"] == [user("hello")]


async def test_a_paid_reply_says_what_it_cost_in_dollars() -> None:
    world = Product()
    response = await world.say(STRONG)
    data = await read(response)
    told = json.loads(data)
    assert told["provider"] == "openai"
    assert told["model"] == "gpt-4o"
    assert told["cost"] == STRONG_PRICE / 10**9
    assert response.header("x-penstock-cost-nanos") == str(STRONG_PRICE)
    assert response.header("x-penstock-target") == "openai/gpt-4o"
    assert "cached" not in told


@pytest.mark.parametrize("tokens", [(1, 0), (10, 5), (123_457, 1_003), (3, 7)])
async def test_a_cost_has_at_most_nine_decimals(tokens: tuple[int, int]) -> None:
    world = Product()
    world.tokens = tokens
    cost = (await body(await world.say(model="gpt-4o-mini")))["cost"]
    nanos = -(-(tokens[0] * 150_000_000 + tokens[1] * 600_000_000) // 10**6)
    assert cost == nanos / 10**9
    assert round(cost, 9) == cost


async def test_a_hit_says_so_and_costs_nothing() -> None:
    world = Product()
    first = await body(await world.say(STRONG))
    again = await world.say(STRONG)
    assert await body(again) == first | {"cost": 0, "cached": True}
    assert again.header("x-penstock-cache") == "hit"
    assert len(world.sent) == 1


async def test_both_faces_share_no_form_but_the_one_message_form_is_the_other() -> None:
    world = Product()
    await world.say("hello", CHAT)
    assert (await body(await world.say("hello", ONE)))["cached"] is True


@pytest.mark.parametrize("path", [CHAT, ONE])
@pytest.mark.parametrize("text", ["hello", STRONG])
async def test_a_stream_is_deltas_then_the_whole_reply_then_done(path: str, text: str) -> None:
    world = Product()
    response = await world.say(text, path, stream=True)
    assert (response.header("content-type") or "").startswith("text/event-stream")
    assert response.header("cache-control") == "no-cache"
    assert response.header("x-accel-buffering") == "no"
    assert response.header("x-penstock-cost-nanos") is None
    data = await read(response)
    assert re.fullmatch(rb"(data: [^\n]+\n\n)+", data)
    *deltas, whole, done = payloads(data)
    assert deltas == [{"delta": "Hel"}, {"delta": "lo!"}]
    assert done == "[DONE]"
    strong = text == STRONG
    assert whole == {
        "message": {"role": "assistant", "content": "Hello!"},
        "model": "gpt-4o" if strong else SMALL,
        "provider": "openai" if strong else "cloudflare",
        "tokens": 15,
        "cost": STRONG_PRICE / 10**9 if strong else 0,
    }
    assert sum(amount for (amount,) in await finals(world)) == (STRONG_PRICE if strong else 0)


async def finals(world: Product) -> list[tuple[Any, ...]]:
    return [
        (amount,) for stage, amount in await world.ledger("stage, amount_nanos") if stage == "final"
    ]


async def test_a_kept_answer_streams_in_the_same_form() -> None:
    world = Product()
    await world.say(STRONG)
    *deltas, whole, done = payloads(await read(await world.say(STRONG, stream=True)))
    assert "".join(one["delta"] for one in deltas) == "Hello!"
    assert (whole["cached"], whole["cost"], whole["tokens"]) == (True, 0, 15)
    assert done == "[DONE]"


async def test_a_stream_that_breaks_ends_with_an_error_and_no_reply() -> None:
    world = Product()
    world.words = ["Hel", "[broken]"]
    inner = world.upstream

    def breaking(request: Request) -> Any:
        response = inner(request)
        response.body.parts = [response.body.parts[0], Broken()]
        return response

    world.platform.fetch.handler = breaking
    data = await read(await world.say(stream=True))
    first, last = payloads(data)
    assert first == {"delta": "Hel"}
    assert last["error"]["code"] == "upstream_broken"
    assert b"[DONE]" not in data


@pytest.mark.parametrize("stream", [False, True])
async def test_a_failure_before_the_first_byte_is_a_status(stream: bool) -> None:
    world = Product()
    world.platform.fetch.handler = lambda request: Response(500, [], b"our secret")
    response = await world.say(stream=stream)
    assert response.status == 502
    told = await body(response)
    assert told["error"] == "Chat completion failed"
    assert told["code"] == "upstream_failed"
    assert "secret" not in json.dumps(told)


@pytest.mark.parametrize(
    "messages",
    [
        None, [], "hello", {}, [5], [{}], [user("a"), None], [{"role": "user"}],
        [{"role": "user", "content": None}], [{"role": "user", "content": 5}],
        [{"role": "user", "content": [{"type": "text", "text": "a"}]}],
        [{"role": "tool", "content": "a"}], [{"role": 1, "content": "a"}], [{"content": "a"}],
    ],
)  # fmt: skip
async def test_messages_that_are_none(messages: Any) -> None:
    world = Product()
    response = await world.ask(CHAT, {"messages": messages})
    assert response.status == 400
    told = await body(response)
    assert told["error"] == "Invalid messages"
    assert told["status"] == 400
    assert world.sent == []
    assert await world.ledger() == []


@pytest.mark.parametrize("given", [{}, {"message": ""}, {"message": 5}, {"messages": [user("a")]}])
async def test_the_one_message_form_wants_a_message(given: dict[str, Any]) -> None:
    response = await Product().ask(ONE, given)
    assert response.status == 400
    assert (await body(response))["error"] == "Missing required fields"


async def test_what_is_taken_goes_upstream_and_the_rest_is_ignored() -> None:
    world = Product()
    response = await world.say(
        temperature=0.3, max_tokens=99, conversationId="c-1", context={"a": 1}, tools="not a list"
    )
    assert response.status == 200
    sent = world.sent[0][1]
    assert (sent["temperature"], sent["max_tokens"]) == (0.3, 99)
    assert sent.keys() <= {"messages", "temperature", "max_tokens"}


@pytest.mark.parametrize(
    "field", ["provider", "api_base", "base_url", "api_key", "headers", "extra_headers"]
)
@pytest.mark.parametrize("path", [CHAT, ONE])
async def test_fields_that_would_steer_the_call_are_refused(field: str, path: str) -> None:
    world = Product()
    given = {"message": "hi", "messages": [user("hi")], field: "http://10.0.0.1"}
    response = await world.ask(path, given)
    assert response.status == 400
    assert (await body(response))["code"] == "forbidden_field"
    assert world.sent == []


@pytest.mark.parametrize("wrong", [{"temperature": "hot"}, {"max_tokens": 0}, {"stream": "yes"}])
async def test_values_of_the_wrong_type(wrong: dict[str, Any]) -> None:
    world = Product()
    response = await world.say(**wrong)
    assert response.status == 400
    assert (await body(response))["param"] in wrong
    assert world.sent == []


@pytest.mark.parametrize(
    ("model", "target"),
    [
        ("auto", f"cloudflare/{SMALL}"),
        ("gpt-4o", "openai/gpt-4o"),
        ("openai/gpt-4o-mini", "openai/gpt-4o-mini"),
        (MEDIUM, f"cloudflare/{MEDIUM}"),
        (f"cloudflare/{SMALL}", f"cloudflare/{SMALL}"),
        ("@cf/meta/llama-2-7b-chat-int8", f"cloudflare/{SMALL}"),
        ("@cf/mistral/mistral-7b-instruct-v0.1", f"cloudflare/{MEDIUM}"),
    ],
)
async def test_a_model_is_named_as_on_v1(model: str, target: str) -> None:
    world = Product()
    assert (await world.say(model=model)).header("x-penstock-target") == target
    assert (await world.chat("other", model=model)).header("x-penstock-target") == target


async def test_an_unknown_model_is_not_found() -> None:
    response = await Product().say(model="gpt-3")
    assert response.status == 404
    told = await body(response)
    assert (told["error"], told["code"]) == ("Not Found", "model_not_found")


FORCING = "chat route:force"


@pytest.mark.parametrize(
    "given",
    [
        {"messages": [user("hi")]},
        {"messages": [user("hi")], "model": "gpt-4o"},
        {"messages": []},
        {"messages": [user("hi")], "provider": "x"},
    ],
)
@pytest.mark.parametrize("provider", ["openai", "cloudflare", "nobody", 5])
async def test_forcing_a_provider_needs_its_scope_before_all_else(
    given: dict[str, Any], provider: Any
) -> None:
    world = Product()
    response = await world.ask(CHAT, given | {"forceProvider": provider})
    assert response.status == 403
    assert (await body(response))["code"] == "insufficient_scope"
    assert world.sent == []


@pytest.mark.parametrize("path", [CHAT, ONE])
@pytest.mark.parametrize(
    ("given", "target"),
    [
        ({"forceProvider": "openai"}, "openai/gpt-4o"),
        ({"forceProvider": "openai", "model": "gpt-4o-mini"}, "openai/gpt-4o-mini"),
        ({"forceProvider": "openai", "model": "openai/gpt-4o-mini"}, "openai/gpt-4o-mini"),
        ({"forceProvider": "openai", "model": "auto"}, "openai/gpt-4o"),
        ({"forceProvider": "cloudflare", "model": "auto"}, f"cloudflare/{SMALL}"),
        ({"forceProvider": "cloudflare"}, f"cloudflare/{SMALL}"),
        ({"forceProvider": "cloudflare", "model": MEDIUM}, f"cloudflare/{MEDIUM}"),
        (
            {"forceProvider": "cloudflare", "model": "@cf/mistral/mistral-7b-instruct-v0.1"},
            f"cloudflare/{MEDIUM}",
        ),
        ({"forceProvider": None}, f"cloudflare/{SMALL}"),
    ],
)
async def test_a_forced_provider(path: str, given: dict[str, Any], target: str) -> None:
    world = Product()
    response = await world.say(path=path, token=world.token(scope=FORCING), **given)
    assert response.status == 200
    assert response.header("x-penstock-target") == target


@pytest.mark.parametrize("provider", ["anthropic", "nobody", "", 5, ["openai"]])
async def test_a_provider_that_is_not_configured(provider: Any) -> None:
    world = Product()
    response = await world.say(token=world.token(scope=FORCING), forceProvider=provider)
    assert response.status == 400
    assert (await body(response))["param"] == "forceProvider"
    assert world.sent == []


async def test_workers_ai_is_cloudflare_whatever_its_name_is() -> None:
    world = Product(config=RENAMED)
    assert (await body(await world.say()))["provider"] == "cloudflare"
    forced = await world.say(
        "hello again", token=world.token(scope=FORCING), forceProvider="cloudflare"
    )
    assert forced.status == 200
    assert forced.header("x-penstock-target") == f"workers/{SMALL}"
    told = await body(await world.ask("/api/ai/embeddings", {"text": "a"}))
    assert told["provider"] == "cloudflare"


@pytest.mark.parametrize("error", [NotSent(), Broken()])
async def test_every_failed_try_is_a_bad_gateway(error: Exception) -> None:
    world = Product()

    def fails(request: Request) -> Response:
        raise error

    world.platform.fetch.handler = fails
    asked = asyncio.create_task(world.say("hello", model="gpt-4o"))
    while not asked.done():
        await world.platform.clock.run(1)
    response = asked.result()
    assert response.status == 502
    assert (await body(response))["error"] == "Chat completion failed"
    assert (response.header("x-should-retry") == "false") == isinstance(error, Broken)
