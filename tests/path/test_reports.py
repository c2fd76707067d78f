"""The admin's reports and exports, through the whole request, beside what was asked."""

from __future__ import annotations

import asyncio
import csv
import io
import json
from typing import Any

import pytest

from penstock.ledger import days, exports
from penstock.ledger import sql as ledger
from penstock.ledger.logins import Whence, login, registration
from tests.path.world import World, pieces, read, streamed

MORE = """
[[budgets]]
per = "user"
period = "day"
money = "1.00"
[[costs]]
line = "backend"
name = "one machine"
fixed = "20"
budget = "15"
before = "30"
[[costs]]
line = "models"
budget = "0.000001"
"""


async def world() -> World:
    made = World(more=MORE)
    for text, model in (("hi", "auto"), ("hi", "auto"), ("ho", "gpt-4o"), ("he", "nothing")):
        await read(await made.chat(text, model=model))
    return made


async def asked(made: World, path: str, query: str = "") -> dict[str, Any]:
    response = await made.get(f"/admin/reports/{path}", query, made.token("root", role="admin"))
    found: dict[str, Any] = json.loads(await read(response))
    assert response.status == 200, found
    return found


async def test_overview() -> None:
    made = await world()
    found = await asked(made, "overview")
    totals = found["totals"]
    assert (totals["requests"], totals["cached"], totals["cachedShare"]) == (3, 1, 0.3333)
    savings = found["savings"]
    assert savings["baseline"] == "dear/gpt-4o"
    assert (
        int(savings["wouldCostNanos"]) - int(savings["costNanos"]) == int(savings["savedNanos"]) > 0
    )
    assert found["latency"]["count"] == 3
    assert found["errors"] == {"number": 1, "share": 0.25, "by": [{"status": 404, "code": "model_not_found", "number": 1}]}  # fmt: skip
    assert found["cache"] == [{"kind": "chat", "hits": 1, "misses": 2, "share": 0.3333}]


@pytest.mark.parametrize(
    "query", ["of=user", "of=tenant", "tenant=default", "tenant=default&user=alice"]
)
async def test_errors_that_are_not_counted_so_are_not_told_as_none(query: str) -> None:
    made = await world()
    rows = (await asked(made, "series", query))["rows"]
    assert rows
    assert {(row["latency"], row["errors"]) for row in rows} == {(None, None)}


async def test_the_overview_reads_two_things_at_a_time_and_leaves_the_rest_to_requests() -> None:
    made = await world()
    running, most, plain = 0, 0, made.platform.tables.rows

    async def rows(text: str, *args: Any) -> Any:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        try:
            return await plain(text, *args)
        finally:
            running -= 1

    made.platform.tables.rows = rows  # type: ignore[assignment, method-assign]  # this world's own tables
    await asked(made, "overview")
    assert most == 2


async def test_savings_are_of_what_was_used_and_not_of_what_an_estimate_bears() -> None:
    made = await world()
    before = (await asked(made, "overview"))["savings"]
    made.platform.fetch.handler = lambda request: streamed(pieces("Hel", "lo"))
    left = await made.chat("leave", model="auto", stream=True)
    await left.aclose()
    found = await asked(made, "overview")
    assert found["totals"]["estimated"] == 1
    assert found["totals"]["output"] > 4_096
    assert found["savings"] == before


@pytest.mark.parametrize("of", ["service", "provider", "model", "route", "tenant", "user"])
async def test_each_group_adds_up_to_the_whole(of: str) -> None:
    made = await world()
    whole = (await asked(made, "overview"))["totals"]
    for path, query in (
        ("series", f"of={of}&by=day"),
        ("series", f"of={of}&by=month"),
        ("top", f"of={of}"),
    ):
        rows = (await asked(made, path, query))["rows"]
        assert rows
        for name in ("requests", "cached", "tokens"):
            assert sum(row[name] for row in rows) == whole[name]
        assert sum(int(row["costNanos"]) for row in rows) == int(whole["costNanos"])


async def test_one_users_and_one_models_alone() -> None:
    made = await world()
    mine = await asked(made, "overview", "tenant=default&user=alice")
    assert mine["totals"]["requests"] == 3
    assert mine["latency"] is None
    nobody = await asked(made, "overview", "tenant=default&user=mallory")
    assert nobody["totals"]["requests"] == 0
    rows = (await asked(made, "series", "model=gpt-4o"))["rows"]
    assert [row["requests"] for row in rows] == [1]
    assert rows[0]["latency"]["count"] == 1
    of_tenant = (await asked(made, "top", "tenant=default&of=user&order=tokens"))["rows"]
    assert [row["user"] for row in of_tenant] == ["default/alice"]


@pytest.mark.parametrize(
    ("to", "until"),
    [("2027-01-15", "2027-01-16T00:00:00.000Z"), ("20270115", "2027-01-16T00:00:00.000Z"),
     ("2027-W02-5", "2027-01-16T00:00:00.000Z"), ("2027W02T10", "2027-01-11T10:00:00.000Z"),
     ("20270115T00", "2027-01-15T00:00:00.000Z")],
)  # fmt: skip
async def test_a_bare_day_as_the_end_has_that_day_however_it_is_written(
    to: str, until: str
) -> None:
    made = World()
    assert (await asked(made, "overview", f"to={to}"))["to"] == until


async def savings(made: World, query: str = "") -> dict[str, Any]:
    response = await made.get("/admin/savings", query, made.token("root", role="admin"))
    found: dict[str, Any] = json.loads(await read(response))
    assert response.status == 200, found
    return found


async def test_savings_by_day_and_month_add_up_to_the_overviews() -> None:
    made = await world()
    made.platform.clock.advance(86_400)
    await read(await made.chat("another day", token=made.token(tenant="acme")))
    whole = (await asked(made, "overview"))["savings"]
    for query, periods in (("", ["2027-01-15", "2027-01-16"]), ("by=month", ["2027-01"])):
        found = await savings(made, query)
        assert found["baseline"] == "dear/gpt-4o"
        assert [row["period"] for row in found["rows"]] == periods
        for name in ("wouldCostNanos", "costNanos", "savedNanos"):
            assert found["totals"][name] == whole[name]
            assert sum(int(row[name]) for row in found["rows"]) == int(whole[name])
        assert (found["totals"]["saved"], found["totals"]["share"]) == (whole["saved"], whole["share"])  # fmt: skip
    assert [row["period"] for row in (await savings(made, "tenant=acme"))["rows"]] == ["2027-01-16"]
    nothing = await savings(made, "tenant=nobody")
    assert (nothing["rows"], nothing["totals"]["savedNanos"], nothing["totals"]["share"]) == ([], "0", None)  # fmt: skip


@pytest.mark.parametrize("query", ["by=hour", "by=", "model=gpt-4o", "from=x", "tenant=%00"])
async def test_bad_questions_about_savings(query: str) -> None:
    made = World()
    response = await made.get("/admin/savings", query, made.token("root", role="admin"))
    assert response.status == 400
    assert (await made.get("/admin/savings", "", made.token("bob"))).status == 403


async def test_savings_are_unknown_where_the_baseline_has_no_price_yet() -> None:
    made = World(
        more='[[targets]]\nprovider = "dear"\nmodel = "unheard-of"\n[savings]\nbaseline = "dear/unheard-of"\n'
    )
    await read(await made.chat())
    found = await savings(made)
    assert found["baseline"] == "dear/unheard-of"
    for told in (found["totals"], *found["rows"]):
        assert [told[name] for name in ("wouldCostNanos", "saved", "savedNanos", "share")] == [
            None
        ] * 4
        assert int(told["costNanos"]) > 0
    assert (await asked(made, "overview"))["savings"] is None


BAD = [
    "from=yesterday", "from=2026-01-02&to=2026-01-01", "from=1990-01-01&to=2026-01-01", "by=minute", "by=",
    "of=color", "of=tenant&by=hour", "of=user&model=gpt-4o", "user=alice", "colour=red", f"model={'x' * 201}",
    "of=user%27;drop%20table%20ledger", "to=9999-12-31T23:59:59&from=9999-12-30",
]  # fmt: skip


@pytest.mark.parametrize("query", BAD)
async def test_bad_questions_are_told_so(query: str) -> None:
    made = await world()
    response = await made.get("/admin/reports/series", query, made.token("root", role="admin"))
    told = json.loads(await read(response))
    assert response.status == 400
    assert told["code"] == "invalid_field"


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=101", "limit=0050000000", "limit=-1", "limit=x", "order=name", "of="],
)
async def test_bad_tops_too(query: str) -> None:
    made = await world()
    response = await made.get("/admin/reports/top", query, made.token("root", role="admin"))
    assert response.status == 400


async def test_ten_thousand_groups_are_too_many() -> None:
    made = World()
    now = int(made.platform.clock.now() * 1000)
    await made.platform.tables.batch(
        ("insert into ledger (request_id, attempt, stage, at, model) with recursive n(i) as (select 1 union all"
         " select i + 1 from n where i < 10001) select 'r' || i, 1, 'final', $1, 'm' || i from n", (now,))
    )  # fmt: skip
    for path in ("/admin/reports/series?of=model", "/admin/usage?by=model"):
        path, _, query = path.partition("?")
        response = await made.get(path, query, made.token("root", role="admin"))
        assert response.status == 400
        assert json.loads(await read(response))["code"] == "too_many_groups"


async def test_budgets_and_how_fast_they_go() -> None:
    made = await world()
    [one] = (await asked(made, "budgets"))["budgets"]
    assert one["name"].endswith("alice")
    assert 0 < one["used_share"] < 1
    assert int(one["forecast"]) >= int(one["spent"])


async def test_costs_by_line() -> None:
    made = await world()
    found = await asked(made, "costs")
    lines = {line["line"]: line for line in found["lines"]}
    assert set(lines) == {"edge", "models", "backend", "databases"}
    assert lines["backend"]["forecast_nanos"] == "20000000000"
    assert lines["backend"]["over"]
    assert lines["models"]["over"]
    spent = (await asked(made, "overview"))["totals"]["costNanos"]
    assert lines["models"]["to_date_nanos"] == spent
    assert found["totals"]["before_nanos"] == "30000000000"
    assert not found["preset"]


async def test_the_first_designs_figures_stand_where_none_are_configured() -> None:
    made = World()
    found = await asked(made, "costs")
    assert found["preset"]
    assert found["totals"]["before_nanos"] == "200000000000"
    assert found["totals"]["budget_nanos"] == "40000000000"


async def test_logins_by_day_with_their_share_and_countries() -> None:
    made = World()
    now = int(made.platform.clock.now() * 1000)
    whences = [Whence(f"r{n}", now - n * days.DAY_MS, "192.0.2.1", "NZ") for n in range(3)]
    rows = [login("a@b.test", whence, success=whence.id == "r0") for whence in whences]
    await made.platform.tables.batch(*rows, registration("u", "a@b.test", whences[0]))
    found = await asked(made, "logins")
    assert [row["success_share"] for row in found["rows"]] == [0.0, 0.0, 1.0]
    assert found["totals"]["success_share"] == 0.3333
    assert [(row["country"], row["registrations"]) for row in found["countries"]] == [("NZ", 1)]


async def test_callers_see_no_reports() -> None:
    made = await world()
    for path in (
        "reports/overview",
        "reports/series",
        "reports/top",
        "reports/costs",
        "export/ledger",
    ):
        assert (await made.get(f"/admin/{path}")).status == 403


async def export(made: World, table: str, query: str = "") -> bytes:
    response = await made.get(f"/admin/export/{table}", query, made.token("root", role="admin"))
    assert response.status == 200
    return await read(response)


@pytest.mark.parametrize("table", exports.TABLES)
async def test_every_table_as_csv_and_json(table: str) -> None:
    made = await world()
    rows = list(csv.reader(io.StringIO((await export(made, table)).decode(), newline="")))
    told = json.loads(await export(made, table, "format=json"))
    assert len(rows) == len(told) + 1
    assert all(list(one) == rows[0] for one in told)


async def test_long_tables_come_whole_and_no_cell_is_a_formula(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(exports, "PAGE", 7)
    made = World()
    now = int(made.platform.clock.now() * 1000)
    odd = ("=1+1", "+1", "-1", "@x", "\tx", "\uff1dx", 'a"b', "a,b", "plain")
    rows = [
        login(text, Whence(f"r{n:03}", now, "::1"), success=False) for n, text in enumerate(odd * 3)
    ]
    await made.platform.tables.batch(*rows)
    found = list(csv.DictReader(io.StringIO((await export(made, "logins")).decode(), newline="")))
    assert len(found) == 27
    shown = [row["email"] for row in found[:9]]
    assert shown == ["'=1+1", "'+1", "'-1", "'@x", "x", "'\uff1dx", 'a"b', "a,b", "plain"]
    told = json.loads(await export(made, "logins", "format=json"))
    assert [row["email"] for row in told[:3]] == ["=1+1", "+1", "-1"]


async def test_rows_of_a_span_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exports, "PAGE", 2)
    made = World()
    first = days.parse("2026-11-10") or 0
    rows = [login("a@b.test", Whence(f"r{n:02}", first + n * days.DAY_MS, "::1"), success=True) for n in range(20)]  # fmt: skip
    counts = [(ledger.COUNT_CACHE, (days.day(first + n * days.DAY_MS), "chat", n, 0)) for n in range(20)]  # fmt: skip
    await made.platform.tables.batch(*rows, *counts)
    for table, column in (("logins", "id"), ("cache_counts", "hits")):
        for span, expected in (
            ("from=2026-11-12&to=2026-11-14", [2, 3, 4]), ("to=2026-11-11", [0, 1]), ("from=2026-11-28", [18, 19]),
            ("from=2026-12-24", []), ("from=2026-11-12&to=2026-11-12T00:00:00.001Z", [2]),
        ):  # fmt: skip
            told = json.loads(await export(made, table, f"{span}&format=json"))
            assert [int(str(row[column]).lstrip("r")) for row in told] == expected, (table, span)


@pytest.mark.parametrize(
    "path",
    [
        "logins?from=2026-11-12&to=2026-11-01", "logins?from=x", "logins?to=", "generations?from=2026-01-01", "logins?since=2026-01-01",
        "logins?from=1969-12-31", "logins?to=9999-12-31T23:59:59",
    ],
)  # fmt: skip
async def test_no_span_of_rows(path: str) -> None:
    made = World()
    table, _, query = path.partition("?")
    response = await made.get(f"/admin/export/{table}", query, made.token("root", role="admin"))
    assert response.status == 400
    assert json.loads(await read(response))["code"] == "invalid_field"


@pytest.mark.parametrize(
    "table", ["", "blobs", "installation", "ledger;drop", "..", "sqlite_master"]
)
async def test_other_tables_are_not_there(table: str) -> None:
    made = World()
    response = await made.get(f"/admin/export/{table}", "", made.token("root", role="admin"))
    assert response.status in (400, 404)
    assert (await made.get("/admin/export/ledger", "format=xml", made.token("root", role="admin"))).status == 400  # fmt: skip
