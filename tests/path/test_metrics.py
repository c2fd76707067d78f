"""What an operator reads at `/metrics`: valid Prometheus text, labels that callers cannot multiply."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

import penstock
from penstock.errors import NotSent, Unavailable
from penstock.gateway.admin import own_metrics
from penstock.gateway.counters import Counters, Load
from penstock.gateway.measures import MOST, MOST_TIMED
from penstock.gateway.upkeep import upkeep
from penstock.wire.http import JSON, Request, Response
from tests.pages import ROOT
from tests.path.world import World, pieces, read, streamed, whole

ANY = """
[providers.house]
kind = "openai"
base_url = "http://house.test/v1"
any_model = true
"""
PARTS = re.compile(r"_(bucket|sum|count)$")
ODD = 'a"b\\c'
LINE = re.compile(r'(\w+)(?:\{((?:\w+="(?:[^"\\\n]|\\[\\"n])*",?)*)\})? (\d+(?:\.\d{6})?)')
Samples = dict[tuple[str, str], float]


def samples(text: str) -> Samples:
    """(name, labels) → value of a valid text, every name with its HELP and TYPE right before it."""
    found: Samples = {}
    read = [one for family in text_string_to_metric_families(text) for one in family.samples]
    told = ""
    lines = text.split("\n")
    assert lines.pop() == ""
    for line in lines:
        if line.startswith("# HELP "):
            assert told != line.split(" ")[2]
            told = line.split(" ")[2]
            assert line.removeprefix(f"# HELP {told} ").strip()
        elif line.startswith("# TYPE "):
            kind = line.removeprefix(f"# TYPE {told} ")
            assert kind in ("counter", "gauge", "histogram")
            assert (kind == "counter") == told.endswith("_total")
        else:
            match = LINE.fullmatch(line)
            assert match, line
            assert PARTS.sub("", match[1]) == told if kind == "histogram" else match[1] == told
            key = match[1].removeprefix("penstock_"), match[2] or ""
            assert key not in found
            found[key] = float(match[3])
    assert len(read) == len(found)
    return found


async def scraped(world: World) -> Samples:
    response = await world.get("/metrics", token=world.token("root", role="admin"))
    assert (response.header("content-type") or "").startswith("text/plain; version=0.0.4")
    return samples((await read(response)).decode())


def attempts(found: Samples) -> dict[str, float]:
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
    counters.attempt("two\nlines", "answered", 0.1)
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


async def test_what_calls_took_and_cost_is_what_the_books_say() -> None:
    world = World()
    for _ in range(3):
        await world.chat()
    await world.chat("another one", model="dear/gpt-4o")
    found = await scraped(world)
    rows = await world.ledger("target, stage, cache, amount_nanos, input, output")
    for target in ("cheap/gpt-4o-mini", "dear/gpt-4o"):
        settled = [row for row in rows if row[:3] == (target, "final", "")]
        assert len(settled) == 1
        [(_, _, _, nanos, tokens, output)] = settled
        assert nanos > 0
        named = f'target="{target}"'
        assert found["cost_nanodollars_total", named] == nanos
        assert found["tokens_total", f'{named},kind="input"'] == tokens
        assert found["tokens_total", f'{named},kind="output"'] == output
    spared = found["cost_nanodollars_total", 'target="cheap/gpt-4o-mini"'] * 2
    assert found["saved_nanodollars_total", 'target="cheap/gpt-4o-mini"'] == spared


async def test_durations_are_sorted_into_buckets() -> None:
    async def answer(request: Request) -> Response:
        await world.platform.clock.sleep(0.2)
        return streamed(pieces("Hi")) if b"dear" in request.target else whole("Hello!")

    world = World(answer)
    first = asyncio.create_task(world.chat())
    await world.platform.clock.run(0.3)
    assert (await first).status == 200
    second = asyncio.create_task(world.chat(model="dear/gpt-4o", stream=True))
    await world.platform.clock.run(0.3)
    response = await second
    assert (await scraped(world))["open_streams", ""] == 1
    world.platform.clock.advance(7)
    await read(response)
    found = await scraped(world)
    assert found["open_streams", ""] == 0
    took, path = "request_duration_seconds", 'path="/v1/chat/completions"'
    buckets = [found[f"{took}_bucket", f'{path},le="{le}"'] for le in (0.1, 0.25, 5.0, 10.0)]
    assert buckets == [0, 1, 1, 2]
    assert found[f"{took}_bucket", f'{path},le="+Inf"'] == found[f"{took}_count", path] == 2
    assert found[f"{took}_sum", path] == pytest.approx(7.4, abs=0.1)
    waited = "upstream_duration_seconds"
    assert found[f"{waited}_bucket", 'target="dear/gpt-4o",le="0.25"'] == 1


async def test_refusals_by_their_code() -> None:
    world = World()
    assert (await world.chat(model="nobody/knows")).status == 404
    assert (await world.ask("/v1/chat/completions", b"{")).status == 400
    assert (await world.get("/v1/models", token="forged")).status == 401
    for _ in range(2):
        assert (await world.get("/wp-login.php")).status == 404
    found = await scraped(world)
    refused = {key: n for (name, key), n in found.items() if name == "refusals_total"}
    assert refused == {
        'code="model_not_found"': 1,
        'code="invalid_json"': 1,
        'code="invalid_token"': 1,
        'code="not_found"': 2,
    }
    assert found["requests_total", 'path="other",method="other",status="404"'] == 2


async def test_budgets_by_how_much_of_them_is_used() -> None:
    budgets = """
[[budgets]]
per = "user"
period = "day"
tokens = 1000
[[budgets]]
per = "tenant"
period = "month"
name = "acme"
money = "1.00"
"""
    world = World(more=budgets)
    for sub in ("alice", "bob"):
        token = world.token(sub, tenant="acme")
        assert (await world.chat(sub, token=token, max_tokens=10)).status == 200
    found = await scraped(world)
    shares = {key: n for (name, key), n in found.items() if name == "budget_used_ratio"}
    users = 'per="user",name="",period="day",unit="tokens"'
    assert set(shares) == {users, 'per="tenant",name="acme",period="month",unit="nanos"'}
    assert shares[users] == 0.015  # 10 tokens in, 5 out, of a thousand


async def test_what_runs_and_how_far_its_sums_are_behind(monkeypatch) -> None:
    world = World()
    await world.chat()
    await world.gateway.journal.flush()
    found = await scraped(world)
    assert found["build_info", f'version="{penstock.__version__}",platform="memory"'] == 1
    assert found["start_time_seconds", ""] == 1_800_000_000
    assert found["rollup_rows_behind", 'book="ledger"'] == 3
    await upkeep(world.gateway)
    found = await scraped(world)
    assert found["rollup_rows_behind", 'book="ledger"'] == 0
    assert found["upkeep_passes_total", 'outcome="done"'] == 1

    async def down(*_: Any) -> Any:
        raise Unavailable

    monkeypatch.setattr(world.platform.tables, "rows", down)
    with pytest.raises(Unavailable):
        await upkeep(world.gateway)
    found = await scraped(world)
    assert found["upkeep_passes_total", 'outcome="unavailable"'] == 1
    assert ("rollup_rows_behind", 'book="ledger"') not in found


@pytest.mark.parametrize("away", ["budgets.nearest", "rollups.behind"])
async def test_what_cannot_be_read_takes_nothing_else_along(monkeypatch, away: str) -> None:
    async def down(*_: Any) -> Any:
        raise Unavailable

    world = World(more='[[budgets]]\nper = "user"\nperiod = "day"\ntokens = 1000\n')
    await world.chat(max_tokens=10)
    monkeypatch.setattr(f"penstock.ledger.{away}", down)
    names = {name for name, _ in await scraped(world)}
    assert ("budget_used_ratio" in names, "rollup_rows_behind" in names) == (
        away != "budgets.nearest",
        away != "rollups.behind",
    )
    assert "requests_total" in names


async def test_passes_are_told_of_before_there_was_one() -> None:
    # Nothing can be said to stand still that was never there.
    assert (await scraped(World()))["upkeep_passes_total", 'outcome="done"'] == 0


def test_labels_are_bounded() -> None:
    counters = Counters()
    for number in range(2 * MOST):
        counters.request(f"/{number}", "GET", 200, 1.0)
        counters.attempt(f"house/{number}", "answered", 1.0)
    found = samples(counters.text(0, Load()))
    requests = {key: n for (name, key), n in found.items() if name == "requests_total"}
    assert len(requests) == MOST + 1
    assert requests['path="other",method="other",status="other"'] == MOST
    assert sum(attempts(found).values()) == 2 * MOST
    timed = {key: n for (name, key), n in found.items() if name == "upstream_duration_seconds_sum"}
    assert len(timed) == MOST_TIMED + 1
    assert sum(timed.values()) == 2 * MOST


async def test_two_processes_are_one_text() -> None:
    worlds = [World(), World()]
    for world in worlds:
        await world.chat()
    here, there = worlds
    here.gateway.counters.elsewhere = lambda: [own_metrics(there.gateway)]
    found = await scraped(here)
    path = 'path="/v1/chat/completions"'
    assert found["request_duration_seconds_count", path] == 2
    assert found["request_duration_seconds_bucket", f'{path},le="+Inf"'] == 2
    assert found["start_time_seconds", ""] == 1_800_000_000


async def test_each_metric_is_in_the_reference_and_none_else() -> None:
    world = World(more='[[budgets]]\nper = "user"\nperiod = "day"\ntokens = 9\n')
    token = world.token("root", role="admin")
    text = (await read(await world.get("/metrics", token=token))).decode()
    page = (ROOT / "docs/reference/http.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^# TYPE (\w+) ", text, re.MULTILINE)) == set(
        re.findall(r"^\| `(penstock_\w+)` \|", page, re.MULTILINE)
    )
