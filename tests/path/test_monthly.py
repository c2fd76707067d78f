"""The report of a month, through the whole request."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from typing import Any

import pytest

from penstock.gateway.upkeep import upkeep
from penstock.ledger import book, budgets, days, decisions
from penstock.ledger.book import Account, Charged
from penstock.ledger.decisions import Decision
from penstock.ledger.logins import Whence, login, registration
from penstock.ports import Statement
from penstock.wire.chat import Usage
from tests.path.world import World, read

NOVEMBER = days.parse("2026-11-27T12:00:00Z") or 0
OCTOBER = days.parse("2026-10-01") or 0
NAUGHTY = ("<script>alert(1)</script>", "</style><img src=x onerror=alert(1)>", '"\'&lt;', "\u202egnp", "日本", "x" * 500, "a\x00b")  # fmt: skip


def bought(number: int, at: int, tenant: str = "acme", model: str = "gpt-4o", amount: int = 1_000_000, **more: Any) -> list[Statement]:  # fmt: skip
    whose = Account(f"req_{number}", f"{tenant.replace('/', '%2F')}/u", tenant, "u", "", more.get("route", "auto"), "chat")  # fmt: skip
    what = Charged("openai", model, f"openai/{model}")
    used = Usage(input=100, output=10)
    decided = Decision(whose.request_id, "chat", route=whose.route, target=what.target, status=200, total_us=50_000)  # fmt: skip
    return [
        decisions.row(decided, at, whose.owner),
        book.final(whose, 1, more.get("ended", "settled"), at, what, used, amount, more.get("cache", "")),
    ]  # fmt: skip


async def world(more: str = "", now: int = NOVEMBER) -> World:
    """In November, after 20 requests in October, 10 in September and one in November."""
    made = World(more=more, now=now / 1000)
    rows: list[Statement] = []
    for number in range(20):
        rows += bought(number, OCTOBER + number * days.DAY_MS, "acme" if number % 2 else "other")
    for number in range(20, 30):
        rows += bought(number, OCTOBER - (number - 19) * days.DAY_MS, amount=500_000)
    rows += bought(30, NOVEMBER - days.DAY_MS, amount=7)
    await made.platform.tables.batch(*rows)
    return made


async def asked(made: World, query: str, status: int = 200) -> bytes:
    response = await made.get("/admin/reports/monthly", query, made.token("root", role="admin"))
    found = await read(response)
    assert response.status == status, found
    return found


async def figures(made: World, query: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(await asked(made, f"{query}&format=json"))
    return found


async def test_a_month_in_figures_beside_the_month_before() -> None:
    made = await world()
    found = await figures(made, "month=2026-10")
    assert found["totals"]["requests"] == 20
    assert found["totals"]["cost_nanos"] == "20000000"
    assert (found["before"]["requests"], found["before"]["cost_nanos"]) == (10, "5000000")
    assert found["over"]
    assert [len(found["days"]), found["days"][3]["requests"]] == [31, 1]
    assert found["latency"]["count"] == 20
    assert found["errors"]["number"] == 0
    assert found["baseline"] == "dear/gpt-4o"
    saved = found["savings"]
    assert int(saved["would_cost_nanos"]) - int(saved["cost_nanos"]) == int(saved["saved_nanos"])
    assert {row["tenant"]: row["requests"] for row in found["groups"]["tenant"]["rows"]} == {"acme": 10, "other": 10}  # fmt: skip
    # In the middle of the month 16 of the 20 had been bought, and 8 in the week before it.
    models = {line["line"]: line for line in found["costs"]["lines"]}["models"]
    guessed = {line["line"]: line for line in found["forecast"]["lines"]}["models"]
    assert models["to_date_nanos"] == "20000000"
    assert 16_000_000 < int(guessed["forecast_nanos"]) < 40_000_000


@pytest.mark.parametrize("of", ["model", "provider", "route", "tenant"])
async def test_ten_of_each_and_the_rest_are_the_whole(of: str) -> None:
    made = await world()
    rows: list[Statement] = []
    for number in range(100, 125):
        more = {"route": f"r{number}"} if of == "route" else {}
        tenant = f"t{number}" if of == "tenant" else "acme"
        model = f"m{number}" if of == "model" else "gpt-4o"
        rows += bought(number, OCTOBER + 5, tenant, model, number, cache="", **more)
    await made.platform.tables.batch(*rows)
    found = await figures(made, "month=2026-10")
    group, totals = found["groups"][of], found["totals"]
    assert len(group["rows"]) == (1 if of == "provider" else 10)
    for name in ("requests", "tokens", "cached"):
        assert sum(row[name] for row in group["rows"]) + group["rest"][name] == totals[name]
    costs = [int(row["cost_nanos"]) for row in group["rows"]]
    assert costs == sorted(costs, reverse=True)
    assert sum(costs) + int(group["rest"]["cost_nanos"]) == int(totals["cost_nanos"])


async def test_a_month_that_runs_is_told_up_to_today_beside_as_many_days() -> None:
    made = await world()
    found = await figures(made, "month=2026-11")
    assert not found["over"]
    assert found["totals"]["requests"] == 1
    assert (found["from"][:10], found["to"][:10]) == ("2026-11-01", "2026-11-28")
    assert (found["before"]["from"][:10], found["before"]["to"][:10]) == ("2026-10-01", "2026-10-28")  # fmt: skip
    page = (await asked(made, "month=2026-11")).decode()
    assert "so far" in page
    assert "2026-11-28" not in page


async def test_before_january_is_december() -> None:
    made = World(now=(days.parse("2027-02-03") or 0) / 1000)
    year = days.parse("2027-01-01") or 0
    await made.platform.tables.batch(*bought(1, year), *bought(2, year - 1))
    found = await figures(made, "month=2027-01")
    assert (found["totals"]["requests"], found["before"]["requests"]) == (1, 1)
    assert found["before"]["from"][:7] == "2026-12"
    assert (await figures(made, "month=2026-12"))["totals"]["requests"] == 1


async def test_a_month_of_march_is_no_longer_than_february_before_it() -> None:
    made = World(now=(days.parse("2027-03-31T05:00:00Z") or 0) / 1000)
    found = await figures(made, "month=2027-03")
    assert (found["before"]["from"][:10], found["before"]["to"][:10]) == ("2027-02-01", "2027-03-01")  # fmt: skip


async def test_a_month_without_anything() -> None:
    made = World(now=NOVEMBER / 1000)
    page = (await asked(made, "month=2026-10")).decode()
    assert "Nothing was asked in this time." in page
    assert (await asked(made, "month=1970-01")).startswith(b"<!doctype html>")
    if made.platform.pdf is not None:
        assert (await asked(made, "month=2026-10&format=pdf")).startswith(b"%PDF-")


async def test_of_one_tenant_alone() -> None:
    made = await world()
    found = await figures(made, "month=2026-10&tenant=acme")
    assert found["totals"]["requests"] == 10
    assert [row["user"] for row in found["groups"]["user"]["rows"]] == ["acme/u"]
    for name in ("latency", "errors", "costs", "budgets", "logins", "cache"):
        assert found[name] is None
    assert int(found["savings"]["cost_nanos"]) == 10_000_000
    page = (await asked(made, "month=2026-10&tenant=acme")).decode()
    assert "tenant acme" in page
    assert "other" not in page.replace("The others", "").replace("another", "").replace("Another", "")  # fmt: skip
    assert (await figures(made, "month=2026-10&tenant=nobody"))["totals"]["requests"] == 0


BAD = [
    "month=", "month=2026", "month=2026-13", "month=2026-00", "month=2026-1", "month=26-10", "month=2026-10-01", "month=october",
    "month=2026-W4", "month=%20026-10", "month=2026-12", "month=9999-12", "month=0000-01", "month=0001-01", "month=1969-12",
    "month=2026-10&format=docx", "month=2026-10&tenant=" + "x" * 201, "month=2026-10&user=a", "tenant=acme", "format=pdf",
    "month=2026-10%27%3Bdrop%20table%20ledger", "month=2026-10&tenant=a%00b",
]  # fmt: skip


@pytest.mark.parametrize("query", BAD)
async def test_bad_questions_are_told_so(query: str) -> None:
    made = await world()
    told = json.loads(await asked(made, query, 400))
    assert told["code"] == "invalid_field"


async def test_callers_see_none() -> None:
    made = await world()
    for query in ("", "month=2026-10"):
        assert (await made.get("/admin/reports/monthly", query)).status == 403
        assert (await made.get("/admin/reports/monthly", query, None)).status == 401


async def test_where_nobody_writes_pdf_it_says_what_to_do() -> None:
    made = await world()
    object.__setattr__(made.gateway, "platform", _without_pdf(made))
    told = json.loads(await asked(made, "month=2026-10&format=pdf", 400))
    assert told["code"] == "pdf_unavailable"
    assert "penstock[reports]" in told["detail"]
    assert "pdf" not in json.loads(await asked(made, ""))["formats"]


def _without_pdf(made: World) -> Any:
    from dataclasses import replace

    return replace(made.platform, pdf=None)


class Elements(HTMLParser):
    """What a page is made of."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.named: dict[str, list[str]] = {}
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        for name, value in attrs:
            self.named.setdefault(name, []).append(value or "")

    def handle_data(self, data: str) -> None:
        self.text.append(data)


async def naughty() -> World:
    made = await world()
    rows: list[Statement] = []
    at = OCTOBER + 1
    for number, text in enumerate(NAUGHTY):
        fit = text.replace("\x00", "") if "\x00" in text else text
        rows += bought(200 + number, at, fit, fit, 10**9 * (number + 1), route=fit)
        whence = Whence(f"w{number}", at, "::1", fit)
        rows += [login("a@b.test", whence, success=True), registration("u", "e", whence)]
        held = budgets.Held(budgets.name("tenant", "month", "nanos", fit), OCTOBER, OCTOBER + 31 * days.DAY_MS, "nanos", 10**10, 1)  # fmt: skip
        rows += budgets.reserve(f"req_{200 + number}", [held])
    await made.platform.tables.batch(*rows)
    return made


async def test_texts_of_others_are_texts() -> None:
    made = await naughty()
    response = await made.get("/admin/reports/monthly", "month=2026-10", made.token("root", role="admin"))  # fmt: skip
    headers = dict(response.headers)
    page = (await read(response)).decode()
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert policy.endswith("sandbox")
    assert "script-src" not in policy
    assert headers["content-disposition"] == 'inline; filename="penstock-2026-10.html"'
    seen = Elements()
    seen.feed(page)
    assert not seen.tags & {"script", "img", "iframe", "object", "link", "base", "form", "a href"}
    assert not {name for name in seen.named if name.startswith("on")}
    assert all(value.startswith("#") for value in seen.named.get("href", []))
    assert "src" not in seen.named
    told = "".join(seen.text)
    assert "<script>alert(1)</script>" in told
    assert "\u202e" not in page
    assert "x" * 81 not in told


async def test_a_page_names_nothing_outside_itself_and_its_charts_have_tables() -> None:
    page = (await asked(await world(), "month=2026-10")).decode()
    assert not re.search(r"https?://|url\(|@import|javascript:", page)
    seen = Elements()
    seen.feed(page)
    ids = set(seen.named["id"])
    assert {value[1:] for value in seen.named["href"]} <= ids
    assert seen.named["role"].count("img") == 2
    assert page.count("<svg") == 2
    assert len(seen.named["aria-label"]) >= 4


def forms(made: World) -> list[str]:
    """What it can be had as: nobody writes PDF on Workers."""
    return [
        form for form in ("html", "pdf", "json") if form != "pdf" or made.platform.pdf is not None
    ]


async def test_the_same_books_give_the_same_bytes() -> None:
    made = await naughty()
    for form in forms(made):
        first = await asked(made, f"month=2026-10&format={form}")
        made.platform.clock.advance(40 * 86_400.0)
        assert await asked(made, f"month=2026-10&format={form}") == first


async def test_the_list_says_what_there_is() -> None:
    made = await world()
    found = json.loads(await asked(made, ""))
    assert found == {
        "reports": [], "first": "2026-09", "running": "2026-11", "formats": forms(made), "enabled": False, "mailed": False,
    }  # fmt: skip


async def test_without_addresses_it_is_noted_alone() -> None:
    made = await world("[monthly_report]\nenabled = true\n")
    for _ in range(2):
        await upkeep(made.gateway)
        made.platform.clock.advance(30.0)
    [row] = json.loads(await asked(made, ""))["reports"]
    assert (row["month"], row["state"], row["attempts"]) == ("2026-10", "made", 1)
