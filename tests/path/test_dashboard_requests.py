"""The log of requests: all of them, the newest first, filtered and paged, with why each went where it went."""

from __future__ import annotations

from typing import Any

import pytest

from penstock.gateway import requests
from penstock.ledger import decisions
from penstock.ledger.decisions import Decision
from penstock.wire.http import Response
from tests.path.dashboard import code
from tests.path.world import Script, World, body, pieces, read, whole

DAY_MS = 86_400_000


def admin(world: World) -> str:
    return world.token("root", role="admin")


async def asked(world: World, query: str = "", id: str = "") -> dict[str, Any]:
    path = f"/admin/requests/{id}" if id else "/admin/requests"
    response = await world.get(path, query, admin(world))
    found: dict[str, Any] = await body(response)
    assert response.status == 200, found
    return found


async def lived() -> World:
    """One with chats of two people, a hit, an embedding, one that asks for what is not there, and one that failed."""

    def upstream(request: Any) -> Response:
        if b"dear" in request.target:
            return Response(
                401, [("content-type", "application/json")], b'{"error":{"message":"no"}}'
            )
        if b"embeddings" in request.target:
            data = b'{"data":[{"index":0,"embedding":[0.5]}],"usage":{"prompt_tokens":3,"total_tokens":3}}'
            return Response(200, [("content-type", "application/json")], data)
        return whole("Hello!")

    world = World(upstream)
    for text, model, who in (
        ("hi", "auto", world.token("alice")), ("hi", "auto", world.token("alice")),
        ("ho", "auto", world.token("b/ö b", tenant="a/c me")), ("he", "nothing", world.token("alice")),
        ("hu", "dear/gpt-4o", world.token("alice")),
    ):  # fmt: skip
        await read(await world.chat(text, model=model, token=who))
        world.platform.clock.advance(1)
    await read(await world.ask("/v1/embeddings", {"model": "embed", "input": "x"}))
    return world


async def test_a_stream_tells_how_long_its_first_piece_took() -> None:
    """Of one that was bought: from the cache it comes at once."""

    class Slow(Script):
        async def __anext__(self) -> bytes:
            world.platform.clock.advance(0.25)
            return await super().__anext__()

    def upstream(request: Any) -> Response:
        return Response(200, [("content-type", "text/event-stream")], Slow(pieces("Hel", "lo")))

    world = World(upstream)
    for _ in range(2):
        await read(await world.chat("hi", stream=True))
        world.platform.clock.advance(1)
    hit, bought = (await asked(world))["requests"]
    assert (bought["cache"], bought["stream"], bought["firstMs"]) == ("miss", True, 250.0)
    assert bought["latencyMs"] > bought["firstMs"]
    assert (hit["cache"], hit["stream"], hit["firstMs"]) == ("hit", True, None)
    assert (await asked(world, id=bought["id"]))["firstMs"] == 250.0


async def test_all_of_them_the_newest_first() -> None:
    world = await lived()
    found = (await asked(world))["requests"]
    assert [(one["service"], one["status"], one["cache"]) for one in found] == [
        ("embeddings", 200, "miss"), ("chat", 502, "miss"), ("chat", 404, "bypass"), ("chat", 200, "miss"),
        ("chat", 200, "hit"), ("chat", 200, "miss"),
    ]  # fmt: skip
    first = found[-1]
    assert first | {"id": "", "costNanos": "", "cost": 0, "latencyMs": 0} == {
        "id": "", "time": "2027-01-15T08:00:00.000Z", "tenant": "default", "user": "alice", "service": "chat",
        "route": "auto", "model": "gpt-4o-mini", "provider": "cheap", "target": "cheap/gpt-4o-mini", "status": 200,
        "code": None, "cache": "miss", "input": 10, "output": 5, "cost": 0, "costNanos": "", "latencyMs": 0,
        "firstMs": None, "stream": False,
    }  # fmt: skip
    assert int(first["costNanos"]) == 4500
    hit, other, missing = found[4], found[3], found[2]
    assert (hit["input"], hit["costNanos"], hit["provider"]) == (0, "0", "cheap")
    assert (other["tenant"], other["user"]) == ("a/c me", "b/ö b")
    assert (missing["model"], missing["provider"], missing["code"]) == (
        "nothing",
        None,
        "model_not_found",
    )


@pytest.mark.parametrize(
    ("query", "many"),
    [
        ("", 6), ("user=alice", 5), ("tenant=a%2Fc+me", 1), ("tenant=default&user=alice&cache=hit", 1), ("status=404", 1),
        ("status=4xx", 1), ("status=2xx", 4), ("status=5xx", 1), ("model=gpt-4o-mini", 3), ("model=nothing", 1),
        ("provider=cheap", 4), ("provider=dear", 1), ("route=auto", 3), ("route=embed", 1), ("cache=miss", 4),
        ("user=mallory", 0), ("user=%27%20or%201%3D1", 0),
    ],
)  # fmt: skip
async def test_filters(query: str, many: int) -> None:
    found = await asked(await lived(), query)
    assert (len(found["requests"]), found["next"]) == (many, None)


@pytest.mark.parametrize("query", ["", "&user=alice", "&status=2xx"])
async def test_pages_have_each_once(query: str) -> None:
    world = await lived()
    whole_page = (await asked(world, f"limit=200{query}"))["requests"]
    found, before = [], ""
    while True:
        page = await asked(world, f"limit=2{query}{before}")
        assert len(page["requests"]) <= 2
        found += page["requests"]
        if page["next"] is None:
            break
        before = f"&before={page['next']}"
    assert found == whole_page


async def test_what_is_rare_is_looked_for_a_piece_at_a_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A page that has not found enough says where to go on: nobody holds the process up by a filter."""
    for name in ("REACH", "REACH_ALONE"):
        monkeypatch.setattr(requests, name, 700)
    world = World()
    rows = [
        decisions.row(
            Decision(f"req_{n:032x}", "chat", status=500 if n == 100 else 200), n, "default/alice"
        )
        for n in range(1_600)
    ]
    await world.platform.tables.batch(*rows)
    pages, before = [], ""
    while True:
        page = await asked(world, f"status=500{before}")
        pages.append(len(page["requests"]))
        if page["next"] is None:
            break
        before = f"&before={page['next']}"
    assert pages == [0, 0, 1]


async def test_from_and_to_are_of_when_they_began() -> None:
    world = World()
    now = int(world.platform.clock.now() * 1000)
    begun = [now - DAY_MS * n for n in range(5)]
    rows = [
        decisions.row(
            Decision(f"req_{at:012x}{at:020x}", "chat", status=200, total_us=5_000_000),
            at + 5_000,
            "default/a",
        )
        for at in begun
    ]
    await world.platform.tables.batch(*rows)
    for query, many in (
        ("from=2027-01-14", 2), ("to=2027-01-13", 3), ("from=2027-01-12&to=2027-01-13", 2), ("from=2027-01-15T08:00:00Z", 1),
        ("from=2027-01-15T08:00:01Z", 0),
    ):  # fmt: skip
        found = (await asked(world, query))["requests"]
        assert len(found) == many, query
    assert found == []
    assert (await asked(world))["requests"][0]["time"] == "2027-01-15T08:00:00.000Z"


BAD = [
    "from=yesterday", "from=2026-01-02&to=2026-01-01", "from=1990-01-01&to=2026-01-01", "limit=0", "limit=201", "limit=x",
    "limit=", "before=", "before=req_", "before=req_'", "before=doc_1", "before=req_" + "a" * 61, "status=ok", "status=9xx",
    "status=", "colour=red", f"model={'x' * 201}", "user=a&user=b", "to=9999-12-31T23:59:59&from=9999-12-30",
]  # fmt: skip


@pytest.mark.parametrize("query", BAD)
async def test_bad_questions_are_told_so(query: str) -> None:
    world = World()
    response = await world.get("/admin/requests", query, admin(world))
    told = await body(response)
    assert response.status == 400
    assert told["code"] in ("invalid_field", "duplicate_field")


async def test_one_says_why_it_went_where_it_went() -> None:
    world = await lived()
    first = (await asked(world))["requests"][-1]
    found = await asked(world, id=first["id"])
    assert {name: found[name] for name in first} == first
    why = found["decision"]
    assert (why["policy"], why["offers"][0], why["tries"], why["asked"]) == (
        "heuristic", "cheap/gpt-4o-mini", 1, "auto",
    )  # fmt: skip
    assert why["reason"]
    assert why["warm"] is None
    assert [step["stage"] for step in found["ledger"]] == ["reserve", "dispatched", "final"]
    assert found["ledger"][-1]["costNanos"] == first["costNanos"]


@pytest.mark.parametrize(
    ("warm", "told"),
    [
        (
            {"target": "dear/gpt-4o", "tokens": 2048, "instead_of": "cheap/gpt-4o-mini", "saves_nanos": 15},
            {"target": "dear/gpt-4o", "tokens": 2048, "deployment": None, "insteadOf": "cheap/gpt-4o-mini", "savesNanos": "15"},
        ),
        (
            {"target": "dear/gpt-4o", "tokens": 1024, "deployment": "eu"},
            {"target": "dear/gpt-4o", "tokens": 1024, "deployment": "eu", "insteadOf": None, "savesNanos": None},
        ),
    ],
)  # fmt: skip
async def test_a_warm_prompt_is_told_with_what_it_saves(
    warm: dict[str, Any], told: dict[str, Any]
) -> None:
    world = World()
    decision = Decision("req_1", "chat", status=200, warm=warm)
    await world.platform.tables.batch(decisions.row(decision, DAY_MS, "default/alice"))
    assert (await asked(world, id="req_1"))["decision"]["warm"] == told


async def test_one_that_only_the_ledger_knows_is_told_as_far_as_that_goes() -> None:
    world = await lived()
    id = (await asked(world))["requests"][-1]["id"]
    await world.platform.tables.batch(("delete from decisions where request_id = $1", (id,)))
    found = await asked(world, id=id)
    assert (found["decision"], found["status"], found["costNanos"]) == (None, None, "4500")
    assert found["provider"] == "cheap"


@pytest.mark.parametrize(
    "id", ["req_nobody", "x", "req_", "req_'", "req_" + "a" * 61, "req_a/b", "req_é"]
)
async def test_there_is_no_such_request(id: str) -> None:
    world = World()
    response = await world.get(f"/admin/requests/{id}", token=admin(world))
    assert await code(response) == (404, "not_found")


async def test_no_prompt_and_nobody_elses_eyes() -> None:
    world = World()
    await read(await world.chat("a very private question"))
    id = (await asked(world))["requests"][0]["id"]
    told = await read(await world.get(f"/admin/requests/{id}", token=admin(world)))
    assert b"private" not in told
    for path in ("/admin/requests", f"/admin/requests/{id}"):
        assert (await world.get(path, token=world.token("alice"))).status == 403
        assert (await world.ask(path, method="GET", token=None)).status == 401
