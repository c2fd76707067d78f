"""The spans of a request: one for it, one for each look into the cache and each attempt, named by the GenAI conventions."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from penstock.errors import Broken, NotSent
from penstock.wire.http import JSON, Request, Response
from penstock.wire.json import encode
from tests.path.asking import EATS, Asking
from tests.path.documents import WALRUS, Documents
from tests.path.services import Served
from tests.path.test_disconnects import Left
from tests.path.test_metrics import ANY
from tests.path.traced import GIVEN, PARENT, TRACE, Traced
from tests.path.world import World, body, pieces, read, streamed, whole

CHAT = "POST /v1/chat/completions"
ANSWERED = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-4o-mini",
    "gen_ai.response.id": "chatcmpl-1",
    "gen_ai.response.model": "gpt-4o-mini-2024-07-18",
    "gen_ai.response.finish_reasons": ["stop"],
    "gen_ai.usage.input_tokens": 10,
    "gen_ai.usage.output_tokens": 5,
    "server.address": "cheap.test",
    "server.port": 80,
    "penstock.target": "cheap/gpt-4o-mini",
    "penstock.attempt": 1,
    "penstock.cost.nanodollars": 4_500,
}


def within(traced: Traced) -> None:
    """All spans are of one trace, under its first one, and none lies outside of it."""
    [root] = [span for span in traced.spans if span.kind == "server"]
    ids = {span.id for span in traced.spans}
    assert len(ids) == len(traced.spans)
    for span in traced.spans:
        assert span.trace == root.trace
        assert len(span.id) == 16
        assert root.began <= span.began <= span.ended
        if span is not root:
            assert span.parent in ids


async def test_a_miss_a_hit_and_one_around_the_cache() -> None:
    world = World()
    traced = Traced(world)
    response = await world.chat(temperature=0.5, max_tokens=20, seed=7)
    assert response.header("x-penstock-cache") == "miss"
    assert traced.names == [CHAT, "cache chat", "chat gpt-4o-mini"]
    within(traced)
    root, cache, call = traced.spans
    asked = {
        "gen_ai.request.temperature": 0.5,
        "gen_ai.request.max_tokens": 20,
        "gen_ai.request.seed": 7,
    }
    assert call.attributes == ANSWERED | asked
    assert (root.kind, cache.kind, call.kind) == ("server", "internal", "client")
    assert cache.attributes == {"penstock.cache": "miss", "penstock.cache.kind": "chat"}
    assert root.attributes == {
        "http.request.method": "POST",
        "http.route": "/v1/chat/completions",
        "http.response.status_code": 200,
        "url.scheme": "http",
        "penstock.request.id": response.header("x-request-id"),
        "penstock.caller": root.attributes["penstock.caller"],
        "penstock.route": "auto",
        "penstock.target": "cheap/gpt-4o-mini",
        "penstock.cache": "miss",
        "penstock.policy": "heuristic",
        "penstock.tier": "free",
        "penstock.cost.nanodollars": 4_500,
    }
    assert (root.parent, root.error, call.error) == ("", "", "")
    traced.spans.clear()
    await world.chat(temperature=0.5, max_tokens=20, seed=7)
    assert traced.names == [CHAT, "cache chat"]
    assert traced.spans[0].attributes["penstock.cost.nanodollars"] == 0
    assert traced.spans[1].attributes["penstock.cache"] == "hit"
    traced.spans.clear()
    await world.chat(headers=[("cache-control", "no-store")])
    assert traced.one("cache").attributes["penstock.cache"] == "bypass"


async def test_a_stream_ends_with_its_last_event() -> None:
    async def answer(request: Request) -> Response:
        await world.platform.clock.sleep(0.5)
        return streamed(pieces("Hel", "lo"))

    world = World(answer)
    traced = Traced(world)
    asked = asyncio.create_task(world.chat(stream=True))
    await world.platform.clock.run(1)
    response = await asked
    assert traced.spans == []
    world.platform.clock.advance(2)
    await read(response)
    within(traced)
    root, _, call = traced.spans
    assert call.attributes == ANSWERED | {
        "gen_ai.request.stream": True,
        "gen_ai.response.time_to_first_chunk": 0.5,
    }
    assert root.ended - root.began == pytest.approx(3)
    assert call.ended - call.began == pytest.approx(3)


async def test_each_attempt_is_a_span_of_its_own() -> None:
    def answer(request: Request) -> Response:
        if b"cheap" in request.target:
            raise NotSent
        return whole("Hello!")

    route = '[routes.two]\ntargets = ["cheap/gpt-4o-mini", "dear/gpt-4o"]\n'
    world = World(answer, route)
    traced = Traced(world)
    assert (await world.chat(model="two")).status == 200
    within(traced)
    first, second = traced.all("chat ")
    assert (first.name, first.error) == ("chat gpt-4o-mini", "upstream_unreachable")
    assert first.attributes["error.type"] == "upstream_unreachable"
    assert "gen_ai.response.id" not in first.attributes
    assert (second.name, second.error) == ("chat gpt-4o", "")
    assert second.attributes["penstock.attempt"] == 2
    assert traced.one(CHAT).error == ""


async def test_a_refusal_is_no_error_of_the_server_and_a_failure_is() -> None:
    def answer(request: Request) -> Response:
        raise Broken("It broke.", processed="yes")

    world = World(answer)
    traced = Traced(world)
    assert (await world.chat(model="nobody/knows")).status == 404
    [refused] = traced.spans
    assert (refused.error, refused.attributes["penstock.error"]) == ("", "model_not_found")
    assert "error.type" not in refused.attributes
    traced.spans.clear()
    assert (await world.chat()).status == 502
    root, _, call = traced.spans
    assert root.error == call.error == root.attributes["error.type"] != ""
    assert root.attributes["http.response.status_code"] == 502


async def test_a_stream_that_breaks_off_is_an_error_though_its_status_was_good() -> None:
    world = World(lambda _: streamed([*pieces("Hel")[:2], Broken("Gone.", processed="yes")]))
    traced = Traced(world)
    await read(await world.chat(stream=True))
    root, _, call = traced.spans
    assert root.attributes["http.response.status_code"] == 200
    assert root.error == call.error == root.attributes["penstock.error"]
    assert root.error.startswith("upstream_")


async def test_whose_caller_left_before_the_first_event() -> None:
    never = asyncio.Event()

    async def answer(request: Request) -> Response:
        await never.wait()
        return whole("Hello!")

    world = World(answer)
    traced = Traced(world)
    asked = asyncio.create_task(world.chat())
    await world.platform.clock.run(1)
    asked.cancel()
    await asyncio.wait([asked])
    within(traced)
    assert traced.one(CHAT).attributes["http.response.status_code"] == 499
    assert (traced.one(CHAT).error, traced.one("chat ").error) == ("", "cancelled")


async def test_whose_caller_left_a_stream() -> None:
    world = Left()
    traced = Traced(world)
    await world.leave_after(2)
    await world.turn()
    within(traced)
    assert traced.one("chat ").attributes["gen_ai.request.stream"] is True


async def test_embeddings_by_call_and_by_cache() -> None:
    def answer(request: Request) -> Response:
        assert isinstance(request.body, bytes)
        texts = json.loads(request.body)["input"]
        data = [{"index": at, "embedding": [1.0]} for at in range(len(texts))]
        usage = {"prompt_tokens": 3, "total_tokens": 3}
        return Response(200, [JSON], encode({"data": data, "usage": usage}))

    world = World(answer)
    traced = Traced(world)
    assert (
        await world.ask("/v1/embeddings", {"model": "embed", "input": ["a", "b"]})
    ).status == 200
    within(traced)
    assert traced.names == [
        "POST /v1/embeddings", "embeddings text-embedding-3-small", "cache embed",
    ]  # fmt: skip
    call = traced.one("embeddings ").attributes
    assert call["gen_ai.operation.name"] == "embeddings"
    assert call["gen_ai.usage.input_tokens"] == 3
    assert (
        call["penstock.cost.nanodollars"] == traced.spans[0].attributes["penstock.cost.nanodollars"]
    )
    traced.spans.clear()
    await world.ask("/v1/embeddings", {"model": "embed", "input": "a"})
    assert traced.names == ["POST /v1/embeddings", "cache embed"]


async def test_a_question_to_documents_with_all_that_is_asked_for_it() -> None:
    world = Asking(dense=True)
    await world.put(WALRUS)
    traced = Traced(world)
    assert (await world.query()).status == 200
    within(traced)
    search = traced.one("retrieval")
    assert search.attributes["gen_ai.operation.name"] == "retrieval"
    assert search.attributes["gen_ai.retrieval.top_k"] == 5
    assert search.attributes["penstock.sources"] == 1
    assert traced.one("embeddings ").parent == search.id
    assert traced.one("chat ").parent == traced.one("POST ").id
    text = repr(traced.spans)
    assert EATS not in text
    assert "clams" not in text


async def test_a_search_that_fails_says_with_what() -> None:
    world = Documents(dense=True)
    await world.put(WALRUS)
    traced = Traced(world)
    response = await world.ask("/api/rag/search", {"query": "a", "documentId": "doc_nobodys"})
    assert response.status == 404
    assert traced.one("retrieval").error == "not_found"


async def test_a_callers_trace_goes_on_to_services() -> None:
    world = Served()
    traced = Traced(world)
    state = ("tracestate", "vendor=1")
    await read(await world.ask("/api/orders/7?token=hush", {}, headers=[GIVEN, state]))
    root, passed = traced.one("POST /api/orders/*"), traced.one("POST orders")
    assert (root.trace, root.parent) == (TRACE, PARENT)
    assert passed.parent == root.id
    assert world.sent("traceparent") == [f"00-{TRACE}-{passed.id}-01"]
    assert world.sent("tracestate") == ["vendor=1"]
    assert passed.attributes["server.address"] in ("one.test", "two.test")
    assert passed.attributes["http.response.status_code"] == 200


@pytest.mark.parametrize(
    "bad",
    [
        "", "x", f"00-{TRACE}-{PARENT}", f"00-{TRACE.upper()}-{PARENT}-01", f"00-{'0' * 32}-{PARENT}-01",
        f"00-{TRACE}-{'0' * 16}-01", f"ff-{TRACE}-{PARENT}-01", f"00-{TRACE}-{PARENT}-01-more",
        f"00-{TRACE}-{PARENT}-01\n", f"01-{TRACE}-{PARENT}-01-{'a' * 5_000}",
    ],
)  # fmt: skip
async def test_one_that_is_none_begins_anew(bad: str) -> None:
    world = Served()
    traced = Traced(world)
    given = [("traceparent", bad), ("tracestate", "vendor=1")]
    await read(await world.ask("/api/orders", {}, headers=given))
    root = traced.one("POST /api/orders/*")
    assert root.parent == ""
    assert root.trace != TRACE
    assert world.sent("traceparent") == [f"00-{root.trace}-{traced.one('POST orders').id}-01"]
    assert world.sent("tracestate") == []


async def test_two_parents_are_none_and_a_newer_version_is_one() -> None:
    world = World()
    traced = Traced(world)
    await world.get("/v1/models")
    await world.ask("/v1/models", method="GET", headers=[GIVEN, GIVEN])
    newer = ("traceparent", f"01-{TRACE}-{PARENT}-01-more")
    await world.ask("/v1/models", method="GET", headers=[newer])
    assert [span.parent for span in traced.spans] == ["", "", PARENT]


async def test_no_provider_is_told_of_a_trace() -> None:
    world = World()
    Traced(world)
    await world.chat(headers=[GIVEN, ("tracestate", "vendor=1"), ("baggage", "a=b")])
    [request] = world.platform.fetch.requests
    assert {"traceparent", "tracestate", "baggage"} & {name for name, _ in request.headers} == set()


async def test_without_telemetry_a_services_caller_is_heard_as_before() -> None:
    world = Served()
    await read(await world.ask("/api/orders", {}, headers=[GIVEN]))
    assert world.sent("traceparent") == [GIVEN[1]]


async def test_the_log_and_the_decision_name_the_trace() -> None:
    world = World()
    Traced(world)
    request = Request(
        "POST", b"/v1/chat/completions", "/v1/chat/completions", "",
        [("authorization", f"Bearer {world.token()}"), GIVEN], "192.0.2.1",
        encode({"model": "auto", "messages": [{"role": "user", "content": "hello"}]}),
    )  # fmt: skip
    await world.gateway(request)
    assert request.notes["trace"] == TRACE
    await world.gateway.journal.flush()
    [(record,)] = await world.platform.tables.rows("select record from decisions")
    assert json.loads(record)["trace"] == TRACE


@pytest.mark.parametrize(("sample", "told"), [(0.0, 0), (0.25, 50), (1.0, 200)])
async def test_a_share_of_traces_is_sampled(sample: float, told: int) -> None:
    world = World()
    traced = Traced(world, sample=sample)
    for _ in range(200):
        await world.get("/health", token=None)
    assert len(traced.spans) == 200  # all are measured
    assert abs(sum(span.sampled for span in traced.spans) - told) < 25
    traced.spans.clear()
    not_sampled = ("traceparent", GIVEN[1].removesuffix("01") + "00")
    for given in (GIVEN, not_sampled):
        await world.ask("/health", method="GET", token=None, headers=[given])
    assert [span.sampled for span in traced.spans] == [sample > 0, False]


async def test_what_has_no_room_is_counted_and_nobody_notices() -> None:
    world = World()
    traced = Traced(world, most=3)
    for _ in range(3):
        assert (await world.chat()).status == 200
    assert len(traced.spans) == 3
    text = (
        await read(await world.get("/metrics", token=world.token("root", role="admin")))
    ).decode()
    assert "\npenstock_spans_dropped_total 4\n" in text


async def test_a_broken_recorder_breaks_no_request() -> None:
    world = World()
    traced = Traced(world)

    def broken(spans: Any) -> None:
        raise RuntimeError("hush")

    traced.kept.record = broken  # type: ignore[method-assign]  # a recorder that fails
    assert (await body(await world.chat()))["choices"]
    assert [type(error) for error in world.reports] == [RuntimeError]


async def test_a_model_that_a_caller_made_up_is_in_no_span() -> None:
    world = World(lambda _: whole("Hello!"), ANY)
    traced = Traced(world)
    assert (await world.chat(model="house/my-secret")).status == 200
    assert (await world.chat(model="house/my-secret")).header("x-penstock-cache") == "hit"
    vectors = {"model": "house/my-secret", "input": "a walrus"}
    await world.ask("/v1/embeddings", vectors)
    assert traced.one("chat ").name == "chat *"
    assert traced.one("chat ").attributes["penstock.target"] == "house/*"
    assert "my-secret" not in str([(span.name, span.attributes) for span in traced.spans])
