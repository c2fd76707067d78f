"""What an operator reads at `/metrics`: valid Prometheus text, labels that callers cannot multiply."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import pytest

from penstock.errors import NotSent, Unavailable
from penstock.gateway.counters import Counters, Load
from penstock.wire.http import JSON, Request, Response
from tests.path.world import World, pieces, read, streamed, whole

ANY = """
[providers.house]
kind = "openai"
base_url = "http://house.test/v1"
any_model = true
"""
ODD = 'a"b\\c'
LINE = re.compile(r'(\w+)(?:\{((?:\w+="(?:[^"\\\n]|\\[\\"n])*",?)*)\})? (\d+)')
Samples = dict[tuple[str, str], int]


def samples(text: str) -> Samples:
    """(name, labels) → value of a valid text, every name with its HELP and TYPE right before it."""
    found: Samples = {}
    told = ""
    lines = text.split("\n")
    assert lines.pop() == ""
    for line in lines:
        if line.startswith("# HELP "):
            told = line.split(" ")[2]
        elif line.startswith("# TYPE "):
            assert line in (f"# TYPE {told} counter", f"# TYPE {told} gauge")
        else:
            match = LINE.fullmatch(line)
            assert match, line
            assert match[1] == told
            key = match[1].removeprefix("penstock_"), match[2] or ""
            assert key not in found
            found[key] = int(match[3])
    return found


async def scraped(world: World) -> Samples:
    response = await world.get("/metrics", token=world.token("root", role="admin"))
    assert (response.header("content-type") or "").startswith("text/plain; version=0.0.4")
    return samples((await read(response)).decode())


def attempts(found: Samples) -> dict[str, int]:
    return {labels: n for (name, labels), n in found.items() if name == "upstream_attempts_total"}


async def test_at_first_all_kinds_stand_at_nothing() -> None:
    found = await scraped(World())
    for kind in ("chat", "embed"):
        assert found["cache_hits_total", f'kind="{kind}"'] == 0
        assert found["cache_misses_total", f'kind="{kind}"'] == 0
    assert found["journal_dropped_rows_total", ""] == 0
    assert attempts(found) == {}


async def test_hits_and_misses_of_each_kind() -> None:
    def answer(request: Request) -> Response:
        if b"embeddings" not in request.target:
            return whole("Hello!")
        data = (
            b'{"data":[{"index":0,"embedding":[1.0]}],"usage":{"prompt_tokens":1,"total_tokens":1}}'
        )
        return Response(200, [JSON], data)

    world = World(answer)
    for _ in range(3):
        await world.chat()
        assert (await world.ask("/v1/embeddings", {"model": "embed", "input": "a"})).status == 200
    await world.chat(headers=[("cache-control", "no-store")])
    found = await scraped(world)
    for kind in ("chat", "embed"):
        assert found["cache_hits_total", f'kind="{kind}"'] == 2
        assert found["cache_misses_total", f'kind="{kind}"'] == 1
    assert attempts(found) == {
        'target="cheap/gpt-4o-mini",outcome="answered"': 2,
        'target="cheap/text-embedding-3-small",outcome="answered"': 1,
    }


async def test_each_attempt_by_its_target_and_outcome() -> None:
    def answer(request: Request) -> Response:
        if b"cheap" in request.target:
            raise NotSent
        return Response(429, [JSON], b"{}") if b"strict" in request.target else whole("Hello!")

    strict = '\n[providers.strict]\nkind = "openai"\nbase_url = "http://strict.test/v1"\n'
    strict += '[[targets]]\nprovider = "strict"\nmodel = "m"\n'
    route = '[routes.three]\ntargets = ["cheap/gpt-4o-mini", "strict/m", "dear/gpt-4o"]\n'
    world = World(answer, strict + route)
    assert (await world.chat(model="three")).status == 200
    assert attempts(await scraped(world)) == {
        'target="cheap/gpt-4o-mini",outcome="upstream_unreachable"': 1,
        'target="strict/m",outcome="upstream_rate_limited"': 1,
        'target="dear/gpt-4o",outcome="answered"': 1,
    }


async def test_one_that_its_caller_gave_up_and_one_that_nobody_foresaw() -> None:
    never = asyncio.Event()

    async def answer(request: Request) -> Response:
        if b"dear" in request.target:
            raise ZeroDivisionError
        await never.wait()
        return whole("Hello!")

    world = World(answer)
    asked = asyncio.create_task(world.chat())
    await world.platform.clock.run(0)
    asked.cancel()
    await asyncio.wait([asked])
    assert (await world.chat(model="dear/gpt-4o")).status == 500
    assert attempts(await scraped(world)) == {
        'target="cheap/gpt-4o-mini",outcome="cancelled"': 1,
        'target="dear/gpt-4o",outcome="internal_error"': 1,
    }


@pytest.mark.parametrize("stream", [False, True])
async def test_names_that_callers_made_up_are_one_label(stream: bool) -> None:
    world = World(lambda _: streamed(pieces("Hi")) if stream else whole("Hello!"), ANY)
    for number in range(5):
        await read(await world.chat(model=f"house/secret-{number}", stream=stream))
    assert attempts(await scraped(world)) == {'target="house/*",outcome="answered"': 5}


async def test_labels_are_escaped() -> None:
    target = f"[[targets]]\nprovider = \"house\"\nmodel = '{ODD}'\n"
    world = World(more=ANY + target)
    assert (await world.chat(model=f"house/{ODD}")).status == 200
    assert attempts(await scraped(world)) == {
        'target="house/a\\"b\\\\c",outcome="answered"': 1,
    }
    counters = Counters()
    counters.attempt("two\nlines", "answered")
    assert attempts(samples(counters.text(0, Load()))) == {
        'target="two\\nlines",outcome="answered"': 1
    }


async def test_rows_that_the_journal_dropped(monkeypatch) -> None:
    monkeypatch.setattr("penstock.ledger.journal.MOST_WAITING", 1)
    world = World()
    await world.chat()

    async def down(*statements: Any) -> Any:
        raise Unavailable

    monkeypatch.setattr(world.platform.tables, "batch", down)
    for _ in range(3):
        assert (await world.chat()).header("x-penstock-cache") == "hit"
    assert (await scraped(world))["journal_dropped_rows_total", ""] > 0
