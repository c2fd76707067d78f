"""Alerts wherever a gateway runs: on Workers too, where a turn comes every five minutes and each pass is a request's."""

from __future__ import annotations

from penstock.errors import NotSent
from penstock.gateway.alerting import tell
from penstock.wire.http import Response
from tests.path.alerts import Watched
from tests.path.world import read, whole

BUDGET = (
    '[[alerts]]\nkind = "budget"\n[[budgets]]\nper = "user"\nperiod = "month"\nmoney = "1.00"\n'
)


async def test_a_budget_is_told_once_and_when_it_is_well() -> None:
    made = Watched(BUDGET)
    await read(await made.chat())
    await made.platform.tables.batch(("update budgets set spent = 900000000", ()))
    await made.minutes(15)
    assert made.events == [("budget", "firing")]
    await made.platform.tables.batch(("update budgets set spent = 0", ()))
    await made.minutes(15)
    assert made.events == [("budget", "firing"), ("budget", "recovered")]
    told = await made.told()
    assert [one["deliveries"][0]["outcome"] for one in told["notices"]] == ["delivered"] * 2


async def test_a_provider_that_fails_is_told_by_whoever_saw_it() -> None:
    made = Watched('[[alerts]]\nkind = "provider_down"\nprovider = "cheap"\nfor_minutes = 0\n')

    def down(request: object) -> Response:
        raise NotSent

    made.provider = down
    for minute in range(6):
        await read(await made.chat(f"a {minute}"))
        await read(await made.chat(f"b {minute}"))
        await tell(made.gateway, backends=False)  # as a Worker does behind each reply
        await made.minutes()
    assert made.events == [("provider_down", "firing")]
    made.provider = lambda request: whole("Hello!")
    await read(await made.chat("c"))
    await made.minutes(20)
    assert made.events == [("provider_down", "firing"), ("provider_down", "recovered")]


async def test_failing_requests_are_told() -> None:
    made = Watched('[[alerts]]\nkind = "errors"\n')
    for _ in range(12):
        await made.ended(30, 502)
        await made.minutes()
    assert made.events == [("errors", "firing")]


async def test_a_channel_alone_has_the_standing_set() -> None:
    made = Watched()
    await made.minutes(6)
    told = await made.told()
    assert [one["name"] for one in told["rules"]] == [
        "spend_rate", "budget", "errors", "errors-slow", "hit_rate", "provider_down", "backend_down",
    ]  # fmt: skip
    assert (told["firing"], told["notices"]) == ([], [])


async def test_only_an_admin_sees_them() -> None:
    made = Watched()
    assert (await made.get("/admin/alerts")).status == 403
    assert (await made.get("/admin/alerts", token=None)).status == 401
    assert (await made.get("/admin/alerts", "x=1", made.token("root", role="admin"))).status == 400
