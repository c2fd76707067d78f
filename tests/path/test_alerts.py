"""Alerts through a whole gateway with a clock of its own: each kind fires, is told once, and is well again."""

from __future__ import annotations

import json

import pytest

from penstock.auth.signatures import verified
from penstock.errors import NotSent
from penstock.wire.http import Response
from tests.path.alerts import HOUR, MAIL, NOW, SECRET, SLACK, Watched
from tests.path.world import read, whole


def only(kind: str, more: str = "") -> str:
    return f'[[alerts]]\nkind = "{kind}"\n{more}\n'


async def test_without_a_channel_nothing_is_judged() -> None:
    made = Watched(channels="")
    await made.minutes(2)
    assert not await made.platform.tables.rows("select version from alert_turns")


async def test_money_that_goes_fast_is_told_and_that_it_does_no_more() -> None:
    made = Watched(only("spend_rate"))
    for hour in range(1, 72):
        await made.spent(1_000_000_000, NOW - hour * HOUR)
    await made.minutes()
    assert made.sent == []
    await made.spent(9_000_000_000)
    await made.minutes(3)
    [notice] = made.sent
    assert (notice["event"], notice["severity"], notice["kind"]) == (
        "firing",
        "critical",
        "spend_rate",
    )
    assert notice["subjects"][0]["facts"]["usual_nanos_an_hour"] == pytest.approx(1e9, rel=0.1)
    assert notice["text"].startswith("all: $9.")
    assert verified(
        dict(made.posts[0].headers)["penstock-signature"], made.bodies[0], [SECRET],
        made.platform.clock.now(),
    )  # fmt: skip
    await made.minutes(180)
    assert made.events == [("spend_rate", "firing"), ("spend_rate", "recovered")]
    assert made.sent[0]["subjects"][0]["alert"] == made.sent[1]["subjects"][0]["alert"]
    assert "well again" in made.sent[1]["text"]


async def test_an_absolute_rate_needs_no_past() -> None:
    made = Watched(only("spend_rate", 'money = "2.00"\neach = "route"'))
    await made.spent(1_900_000_000)
    await made.minutes()
    assert made.sent == []
    await made.spent(200_000_000)
    await made.minutes()
    assert [one["subjects"][0]["subject"] for one in made.sent] == ["auto"]


async def test_little_money_is_never_told() -> None:
    made = Watched(only("spend_rate"))
    for hour in range(1, 72):
        await made.spent(1_000_000, NOW - hour * HOUR)
    await made.spent(900_000_000)
    await made.minutes(2)
    assert made.sent == []


BUDGET = '[[budgets]]\nper = "user"\nperiod = "day"\nmoney = "1.00"\n'


async def test_a_budget_is_told_as_near_then_as_used_up_and_well_when_it_begins_again() -> None:
    made = Watched(only("budget") + BUDGET)
    await read(await made.chat())
    spend = "update budgets set spent = $1, reserved = 0"
    await made.platform.tables.batch((spend, (810_000_000,)))
    await made.minutes(3)
    await made.platform.tables.batch((spend, (995_000_000,)))
    await made.minutes(3)
    assert made.events == [("budget", "firing"), ("budget", "worse")]
    assert [one["severity"] for one in made.sent] == ["warning", "critical"]
    assert "81 % of $1 is spent" in made.sent[0]["text"]
    assert made.sent[0]["subjects"][0]["subject"] == "user:day:nanos:default/alice"
    made.platform.clock.advance(16 * HOUR)
    await made.minutes(6)
    assert made.events[2:] == [("budget", "recovered")]


async def test_a_budget_that_will_be_over_is_told_before_it_is() -> None:
    made = Watched(only("budget") + BUDGET)
    await read(await made.chat())
    await made.platform.tables.batch(("update budgets set spent = 500000000, reserved = 0", ()))
    await made.minutes()
    [notice] = made.sent
    assert "as things go it comes to 150 %" in notice["text"]


async def test_failing_requests_are_told_by_two_windows() -> None:
    made = Watched(only("errors"))
    await made.minutes()
    for _ in range(8):
        await made.ended(30)
        await made.minutes()
    assert made.sent == []
    for _ in range(4):
        await made.ended(30, 502)
        await made.minutes()
    assert made.events == [("errors", "firing")]
    assert made.sent[0]["severity"] == "critical"
    for _ in range(12):
        await made.ended(30)
        await made.minutes()
    assert made.events == [("errors", "firing"), ("errors", "recovered")]


async def test_what_callers_did_wrong_is_no_error_and_few_are_none() -> None:
    made = Watched(only("errors"))
    for _ in range(8):
        await made.ended(20, 400)
        await made.ended(2, 502)
        await made.minutes()
    assert made.sent == []


async def test_errors_of_one_route_are_not_hidden_by_the_others() -> None:
    made = Watched(only("errors", 'each = "route"'))
    for _ in range(8):
        await made.ended(300)
        await made.ended(30, 502, route="embed", target="")
        await made.ended(30, 502, route="of a caller's making")
        await made.minutes()
    assert [one["subject"] for one in made.sent[0]["subjects"]] == ["embed", "other"]


async def test_fewer_hits_are_told_where_it_is_not_chance() -> None:
    made = Watched(only("hit_rate"))
    for hour in range(2, 20):
        await made.spent(0, NOW - hour * HOUR, hits=50, misses=50)
    await made.spent(0, NOW - 60, hits=110, misses=90)
    await made.minutes()
    await made.spent(0, hits=20, misses=480)
    await made.minutes(3)
    assert made.events == [("hit_rate", "firing")]
    assert "usually 50 %" in made.sent[0]["text"]
    await made.spent(0, hits=4_000, misses=2_000)
    await made.minutes(8)
    assert made.events == [("hit_rate", "firing"), ("hit_rate", "recovered")]


def down(request: object) -> Response:
    raise NotSent


async def test_a_provider_that_answers_nobody_is_down_by_what_all_processes_saw() -> None:
    made = Watched(only("provider_down"))
    other = made.beside()
    made.provider = down
    for minute in range(5):
        for _ in range(2):
            await read(await made.chat(f"{minute}"))
        first, made.gateway = made.gateway, other
        await read(await made.chat(f"other {minute}"))
        made.gateway = first
        await made.minutes(1, other)
    assert made.events == [("provider_down", "firing")]
    assert made.sent[0]["subjects"][0]["subject"] == "cheap"
    made.provider = lambda request: whole("Hello!")
    await read(await made.chat("again"))
    await made.minutes(8, other)
    assert made.events == [("provider_down", "firing"), ("provider_down", "recovered")]


async def test_a_provider_that_answers_some_is_not_down() -> None:
    made = Watched(only("provider_down", 'provider = "cheap"'))
    for minute in range(6):
        made.provider = down
        for each in range(4):
            await read(await made.chat(f"{minute} {each}"))
        made.provider = lambda request: whole("Hello!")
        await read(await made.chat(f"{minute}"))
        await made.minutes()
    assert made.sent == []


SERVICE = """
[services.orders]
prefixes = ["/api/orders"]
auth = "none"
backends = [{ url = "http://one.test", health = "" }, { url = "http://two.test", health = "" }]
"""


async def test_a_bad_backend_is_told_and_that_it_is_good_again() -> None:
    made = Watched(only("backend_down") + SERVICE)
    made.provider = lambda request: down(request) if b"one.test" in request.target else whole("x")
    for _ in range(4):
        for _ in range(12):
            await read(await made.get("/api/orders"))
        await made.minutes()
    assert made.events == [("backend_down", "firing")]
    assert made.sent[0]["severity"] == "warning"
    assert made.sent[0]["subjects"][0]["subject"] == "orders http://one.test"
    made.provider = lambda request: whole("x")
    made.platform.clock.advance(400)
    for _ in range(12):
        await read(await made.get("/api/orders"))
    await made.minutes(12)
    assert made.events == [("backend_down", "firing"), ("backend_down", "recovered")]


async def test_slack_and_mail_say_the_same_and_no_name_is_markup() -> None:
    name = "<!channel>*@here* `x` https://evil.test WWW.evil.test _em_\r\nBcc: eve@example.com"
    made = Watched(only("budget") + BUDGET, SLACK + MAIL)
    await read(await made.chat(token=made.token("placeholder")))
    await made.platform.tables.batch(
        ("update budgets set budget = $1, spent = 900000000", (f"user:day:nanos:default/{name}",))
    )
    await made.minutes()
    [post], [letter] = made.bodies, made.platform.mail.letters
    told = json.loads(post)
    assert "<" not in told["text"]
    assert "&lt;!channel&gt;*\u200b@\u200bhere" in told["text"]
    assert "https:\u200b//evil.\u200btest WWW.\u200bevil.\u200btest _\u200bem_" in told["text"]
    assert [one["type"] for one in told["blocks"]] == ["header", "section", "context"]
    assert told["blocks"][1]["text"]["type"] == "plain_text"
    assert "\n" not in told["blocks"][1]["text"]["text"]
    assert letter.to == ("ops@example.com", "me@example.com")
    assert "\nBcc" not in letter.text
    assert letter.subject == "Penstock [warning] A budget comes to its end"


async def test_it_is_told_again_after_a_day_while_it_lasts() -> None:
    made = Watched(only("budget", "repeat_hours = 1") + BUDGET.replace("day", "month"))
    await read(await made.chat())
    await made.platform.tables.batch(("update budgets set spent = 900000000", ()))
    await made.minutes(130)
    assert made.events == [("budget", "firing"), ("budget", "reminder"), ("budget", "reminder")]


async def test_a_rule_that_is_taken_away_is_told_as_over() -> None:
    made = Watched(only("budget") + BUDGET)
    await read(await made.chat())
    await made.platform.tables.batch(("update budgets set spent = 900000000", ()))
    await made.minutes()
    other = Watched(only("errors"))
    config = other.gateway.config
    made.gateway.config = config
    await made.minutes(8)
    assert made.events == [("budget", "firing"), ("budget", "recovered")]
