"""A target with several deployments: who is asked, who is left alone, and what a reload keeps."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from penstock.config import decode, defaults
from penstock.errors import Broken, NotSent
from penstock.gateway import build
from penstock.upstream.deployments import Deployments
from penstock.wire.http import JSON, Request, Response
from tests.path.world import SECRET, World, body, pieces, read, streamed, whole

BASE = f"""
[auth]
issuers = [{{ mode = "hs256", secret = "{SECRET}" }}]
[tiers.free]
requests_per_hour = 10000
scale = 100
[providers.other]
kind = "openai"
base_url = "http://other.test/v1"
[[targets]]
provider = "many"
model = "gpt-4o-mini"
[[targets]]
provider = "many"
model = "text-embedding-3-small"
verb = "embed"
[[targets]]
provider = "other"
model = "gpt-4o"
[routes.auto]
targets = ["many/gpt-4o-mini"]
[routes.both]
targets = ["many/gpt-4o-mini", "other/gpt-4o"]
[routes.embed]
verb = "embed"
targets = ["many/text-embedding-3-small"]
[providers.many]
kind = "openai"
"""
TWO = """deployments = [
  { name = "a", url = "http://a.test/v1", key = "sk-a" }, { name = "b", url = "http://b.test/v1", key = "sk-b" },
]
"""
LIMITED = """deployments = [
  { name = "a", url = "http://a.test/v1", key = "sk-a", requests_per_minute = 3 },
  { name = "b", url = "http://b.test/v1", key = "sk-b", requests_per_minute = 2 },
]
"""
BUSY = Response(429, [JSON, ("retry-after", "30")], b"{}")


def host(request: Request) -> str:
    return request.target.decode().split("/")[2].partition(".")[0]


def hosts(world: World) -> list[str]:
    return [host(request) for request in world.platform.fetch.requests]


def made(upstream: Callable[[Request], Any], deployments: str = TWO) -> World:
    return World(upstream, BASE + deployments, env={})


def busy_at(*names: str, retry_after: str = "30") -> Callable[[Request], Any]:
    def upstream(request: Request) -> Response:
        if host(request) in names:
            return Response(429, [JSON, ("retry-after", retry_after)], b"{}")
        return whole(f"from {host(request)}")

    return upstream


def deployments(world: World) -> Deployments:
    """Those of the chat target."""
    found = world.gateway.lasting.fleet.of(
        world.gateway.names.routes.find("auto", "chat").offers[0]
    )
    assert found is not None
    return found


async def ask(world: World, model: str = "auto", text: str = "hello", **more: Any) -> Response:
    return await world.chat(text, model=model, headers=[("cache-control", "no-store")], **more)


async def test_each_is_asked_in_turn_with_its_own_key() -> None:
    world = made(lambda request: whole("hi"))
    for _ in range(4):
        await read(await ask(world))
    assert Counter(hosts(world)) == {"a": 2, "b": 2}
    for request in world.platform.fetch.requests:
        assert request.header("authorization") == f"Bearer sk-{host(request)}"


async def test_a_429_cools_that_one_only_and_another_answers() -> None:
    world = made(busy_at("a"))
    for _ in range(5):
        assert (await ask(world)).status == 200
    assert Counter(hosts(world)) == {"a": 1, "b": 5}
    world.platform.clock.advance(29)
    await ask(world)
    assert hosts(world)[-1] == "b"
    world.platform.clock.advance(2)
    world.platform.fetch.requests.clear()
    for _ in range(2):
        await ask(world)
    assert "a" in hosts(world)


async def test_a_refusal_that_names_a_date_is_counted_from_the_replys_own() -> None:
    def upstream(request: Request) -> Response:
        if host(request) == "a":
            dates = [
                ("date", "Wed, 21 Oct 2026 07:28:00 GMT"),
                ("retry-after", "Wed, 21 Oct 2026 07:28:20 GMT"),
            ]
            return Response(429, [JSON, *dates], b"{}")
        return whole("hi")

    world = made(upstream)
    await ask(world)
    world.platform.clock.advance(19)
    for _ in range(3):
        await ask(world)
    assert Counter(hosts(world))["a"] == 1
    world.platform.clock.advance(2)
    for _ in range(3):
        await ask(world)
    assert Counter(hosts(world))["a"] == 2


async def test_no_refusal_keeps_one_away_for_more_than_a_minute() -> None:
    world = made(busy_at("a", retry_after="86400"))
    await ask(world)
    world.platform.clock.advance(61)
    for _ in range(2):
        await ask(world)
    assert Counter(hosts(world))["a"] == 2


async def test_all_cooling_goes_on_to_the_next_target() -> None:
    world = made(busy_at("a", "b"))
    response = await ask(world, "both")
    assert response.header("x-penstock-target") == "other/gpt-4o"
    assert hosts(world) == ["a", "b", "other"]
    await ask(world, "both")
    assert hosts(world)[3:] == ["other"]
    assert await world.stages() == {"reserve": 2, "dispatched": 5, "settled": 2}
    targets = await world.ledger("target, attempt, stage")
    assert (
        "other/gpt-4o",
        2,
        "final",
    ) in targets  # the first target's row was written and never sent


async def test_all_cooling_and_no_other_target_is_a_503_that_says_how_long() -> None:
    world = made(busy_at("a", "b"))
    await ask(world)
    response = await ask(world)
    assert (response.status, response.header("retry-after")) == (503, "30")
    assert (await body(response))["error"]["code"] == "upstream_cooling"
    assert response.header("x-should-retry") is None
    assert len(hosts(world)) == 2
    assert (await world.stages())["released"] == 2


async def test_what_was_sent_and_has_no_known_outcome_is_not_repeated_elsewhere() -> None:
    def upstream(request: Request) -> Response:
        raise Broken

    world = made(upstream)
    assert (await ask(world)).status == 502
    assert len(hosts(world)) == 1
    assert (await world.stages())["estimated"] == 1


async def test_a_refused_connection_is_tried_at_the_other() -> None:
    def upstream(request: Request) -> Response:
        if host(request) == "a":
            raise NotSent
        return whole("hi")

    world = made(upstream)
    for _ in range(12):
        assert (await ask(world)).status == 200
    # After five failures in a row it is left alone.
    assert Counter(hosts(world)) == {"a": 5, "b": 12}
    world.platform.clock.advance(31)
    for _ in range(2):
        await ask(world)
    assert Counter(hosts(world))["a"] > 5


async def test_a_fault_in_the_request_is_not_asked_of_the_other_deployment() -> None:
    too_long = b'{"error":{"code":"context_length_exceeded","message":"too long"}}'

    def upstream(request: Request) -> Response:
        return whole("hi") if host(request) == "other" else Response(400, [JSON], too_long)

    world = made(upstream)
    assert (await ask(world, "both")).status == 200
    assert hosts(world) == ["a", "other"]


async def test_limits_are_never_passed_and_fill_again() -> None:
    world = made(lambda request: whole("hi"), LIMITED)
    statuses = [(await ask(world)).status for _ in range(7)]
    assert statuses == [200] * 5 + [503] * 2
    assert Counter(hosts(world)) == {"a": 3, "b": 2}
    world.platform.clock.advance(61)
    assert (await ask(world)).status == 200


async def test_limits_hold_over_processes() -> None:
    world = made(lambda request: whole("hi"), LIMITED)
    config, platform = world.gateway.config, world.platform
    other = build(config, platform, lambda *_: None)
    first = world.gateway
    statuses = []
    for number in range(8):
        world.gateway = (first, other)[number % 2]
        statuses.append((await ask(world)).status)
    assert statuses.count(200) == 5
    assert Counter(hosts(world)) == {"a": 3, "b": 2}


async def test_tokens_count_as_the_most_until_they_are_known() -> None:
    one = 'deployments = [{ name = "a", url = "http://a.test/v1", tokens_per_minute = 5000 }]\n'
    world = made(lambda request: streamed(pieces("Hello")), one)
    running = await ask(world, stream=True)
    # An answer without a cap counts as 4,096 until it has ended, so two at a time are too many.
    assert (await ask(world, stream=True)).status == 503
    await read(running)
    # It took 15, so that there is room again.
    for _ in range(5):
        await read(await ask(world, stream=True))
    assert len(hosts(world)) == 6


async def test_a_call_larger_than_the_limit_takes_all_of_it() -> None:
    one = 'deployments = [{ name = "a", url = "http://a.test/v1", tokens_per_minute = 100 }]\n'
    world = made(lambda request: whole("hi"), one)
    assert (await ask(world)).status == 200


async def test_embeddings_go_elsewhere_too() -> None:
    def upstream(request: Request) -> Response:
        if host(request) == "a":
            return BUSY
        data = (
            b'{"data":[{"index":0,"embedding":[0.5]}],"usage":{"prompt_tokens":1,"total_tokens":1}}'
        )
        return Response(200, [JSON], data)

    world = made(upstream)
    for text in ("x", "y", "z"):
        response = await world.ask("/v1/embeddings", {"model": "embed", "input": text})
        assert response.status == 200
    assert Counter(hosts(world)) == {"a": 1, "b": 3}


async def test_a_stream_is_in_the_air_until_it_has_ended() -> None:
    world = made(lambda request: streamed(pieces("Hello")))
    running = [await ask(world, stream=True) for _ in range(3)]
    each = deployments(world)
    assert sorted(one.member.in_air for one in each.each) == [1, 2]
    for response in running[:2]:
        await read(response)
    await running[2].aclose()  # its caller left
    assert [one.member.in_air for one in each.each] == [0, 0]
    assert [one.member.failures for one in each.each] == [0, 0]


async def test_a_stream_that_breaks_off_counts_against_its_deployment() -> None:
    world = made(lambda request: streamed([*pieces("Hello")[:2], Broken(processed="yes")]))
    await read(await ask(world, stream=True))
    each = deployments(world)
    assert sum(one.member.failures for one in each.each) == 1


def reloaded(world: World, text: str) -> None:
    config, _ = defaults(decode(BASE + text, {}), {})
    before = world.gateway
    world.gateway = build(config, before.platform, before.report, before.edge, before)


async def test_keys_rotate_and_what_is_known_stays() -> None:
    world = made(busy_at("a"))
    for _ in range(2):
        await ask(world)
    reloaded(world, TWO.replace("sk-a", "sk-new-a").replace("sk-b", "sk-new-b"))
    await ask(world)
    assert hosts(world)[-1] == "b"  # a is still left alone
    assert world.platform.fetch.requests[-1].header("authorization") == "Bearer sk-new-b"
    assert (await ask(world)).status == 200


async def test_a_reload_leaves_a_running_stream_and_its_count() -> None:
    world = made(lambda request: streamed(pieces("Hello")))
    running = await ask(world, stream=True)
    old = world.platform.fetch.requests[-1]
    reloaded(world, TWO.replace("sk-a", "sk-new").replace("sk-b", "sk-new-b"))
    each = deployments(world).each
    assert sum(one.member.in_air for one in each) == 1
    assert b"[DONE]" in await read(running)
    assert old.header("authorization") in ("Bearer sk-a", "Bearer sk-b")
    assert sum(one.member.in_air for one in each) == 0


async def test_one_that_failed_for_its_key_is_asked_again_with_the_new_one() -> None:
    def upstream(request: Request) -> Response:
        bad = request.header("authorization") == "Bearer sk-a"
        return Response(401, [JSON], b"{}") if bad else whole("hi")

    world = made(upstream)
    for _ in range(12):
        assert (await ask(world)).status == 200
    assert Counter(hosts(world))["a"] == 5
    reloaded(world, TWO.replace("sk-a", "sk-new-a"))
    world.platform.fetch.requests.clear()
    for _ in range(4):
        await ask(world)
    assert Counter(hosts(world))["a"] == 2


async def test_an_operator_sees_names_and_no_address_or_key() -> None:
    world = made(busy_at("a"))
    await ask(world)
    admin = world.token(scope="admin")
    told = await body(await world.get("/admin/deployments", token=admin))
    (found,) = told["targets"][:1]
    by_name = {one["name"]: one for one in found["deployments"]}
    assert found["target"] == "many/gpt-4o-mini"
    assert by_name["a"]["cooling"] == 30.0
    assert by_name["b"]["picks"] == 1
    metrics = (await read(await world.get("/metrics", token=admin))).decode()
    assert 'penstock_deployment_cooling{target="many/gpt-4o-mini",deployment="a"} 1' in metrics
    assert (await world.get("/admin/deployments")).status == 403
    for text in (metrics, str(told)):
        assert "sk-" not in text
        assert ".test" not in text


async def test_the_record_says_by_which_one_it_was_answered() -> None:
    world = made(busy_at("a"))
    response = await ask(world)
    await world.gateway.journal.flush()
    (row,) = await world.platform.tables.rows("select record from decisions")
    assert '"deployment":"b"' in row[0]
    assert response.header("x-penstock-target") == "many/gpt-4o-mini"


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/api/ai/chat/completions"])
async def test_followers_of_one_that_found_all_cooling_are_told_so_too(path: str) -> None:
    world = made(busy_at("a", "b"))
    await ask(world)
    tasks = [world.chat("same", path, model="auto") for _ in range(3)]
    statuses = {response.status for response in await asyncio.gather(*tasks)}
    assert statuses == {503}
    assert len(hosts(world)) == 2
