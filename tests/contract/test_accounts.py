"""The statements of logins and of webhook events on every Tables."""

from __future__ import annotations

import asyncio

import pytest

from penstock.errors import Repeated
from penstock.ledger import days, logins, webhooks
from penstock.ledger.logins import Whence
from penstock.ledger.webhooks import Event
from penstock.platforms.migrations import shipped
from penstock.ports import Tables

NOW = 1_800_000_000_000
BODY = '{"id": "evt_1", "pending_webhooks": 1, "text": "é ☃ \\u0000"}'


@pytest.fixture
async def books(tables: Tables) -> Tables:
    """The tables with those of accounts in them."""
    for step in shipped():
        if step.name == "accounts":
            plain = "\n".join(line for line in step.sql.split("\n") if not line.startswith("--"))
            for statement in plain.split(";"):
                if statement.strip():
                    await tables.batch((statement, ()))
    return tables


async def test_attempts_are_counted_and_dropped(books):
    for number in range(6):
        at = NOW + number * days.HOUR_MS
        whence = Whence(f"req_{number}", at, f"192.0.2.{number % 2}", "NZ", "https://a.test/\0")
        rows = [logins.login(f"{number % 3}@b.test", whence, success=number == 5)]
        if not number:
            rows.append(logins.registration("usr_1", "0@b.test", whence))
        await books.batch(*rows)
    span = {"since": NOW, "until": NOW + 5 * days.HOUR_MS + 1}
    found = await logins.report(books, **span, by="day")
    totals = {"attempts": 6, "succeeded": 1, "failed": 5, "registrations": 1}
    assert found == {"rows": [{"period": "2027-01-15", **totals}], "totals": totals}
    by_hour = (await logins.report(books, **span, by="hour"))["rows"]
    assert [row["period"] for row in by_hour] == [f"2027-01-15T{8 + n:02}:00Z" for n in range(6)]
    by_email = (await logins.report(books, **span, by="email"))["rows"]
    assert [(row["email"], row["attempts"], row["registrations"]) for row in by_email] == [
        ("0@b.test", 2, 1),
        ("1@b.test", 2, 0),
        ("2@b.test", 2, 0),
    ]
    assert not await logins.sweep(books, NOW + 3 * days.HOUR_MS)
    left = await logins.report(books, **span, by="ip")
    assert left["totals"] == {"attempts": 3, "succeeded": 1, "failed": 2, "registrations": 0}
    assert [row["ip"] for row in left["rows"]] == ["192.0.2.1", "192.0.2.0"]


MANY = """
insert into registrations (id, at, user_id, email, ip, country, referrer)
with recursive n(i) as (select 1000 union all select i + 1 from n where i < 2000)
select cast(i as text), $1, '', cast(i as text) || '@b.test', '', '', '' from n
"""


async def test_of_the_most_frequent_both_kinds_are_counted(books):
    whences = [Whence(f"req_{number}", NOW, "192.0.2.1") for number in range(3)]
    rows = [logins.login("2000@b.test", whence, success=True) for whence in whences]
    await books.batch((MANY, (NOW,)), *rows)
    found = (await logins.report(books, since=NOW, until=NOW + 1, by="email"))["rows"]
    assert len(found) == 1_000
    counts = {"attempts": 3, "succeeded": 3, "failed": 0, "registrations": 1}
    assert found[0] == {"email": "2000@b.test", **counts}


async def test_of_many_at_once_one_stores_an_event(books):
    event = Event("evt_1", BODY, "t=1,v1=2", NOW)
    assert sorted(await asyncio.gather(*(webhooks.store(books, event) for _ in range(8)))) == [
        *[False] * 7,
        True,
    ]
    with pytest.raises(Repeated):
        await webhooks.store(books, Event("evt_1", '{"id": "evt_1"}', "t=1,v1=2", NOW))
    assert await webhooks.claim(books, NOW + webhooks.LEASE_MS - 1) is None
    due = NOW + webhooks.LEASE_MS
    claimed = await asyncio.gather(*(webhooks.claim(books, due) for _ in range(8)))
    assert [one for one in claimed if one] == [Event("evt_1", BODY, "t=1,v1=2", NOW, 2)]


async def test_the_longest_due_comes_first_until_each_has_ended(books):
    for number in range(3):
        await webhooks.store(books, Event(f"evt_{number}", BODY, "", NOW + number))
    due = NOW + webhooks.LEASE_MS + 10
    first = await webhooks.claim(books, due)
    assert first is not None
    await webhooks.failed(books, first, 500, due)
    second = await webhooks.claim(books, due)
    assert second is not None
    await webhooks.delivered(books, second, 200, due)
    third = await webhooks.claim(books, due)
    assert third is not None
    assert [one.id for one in (first, second, third)] == ["evt_0", "evt_1", "evt_2"]
    assert await webhooks.claim(books, due) is None
    # What an earlier claim says later counts no more.
    again = await webhooks.claim(books, due + webhooks.BACKOFF_MS[1])
    assert again is not None
    assert (again.id, again.attempts) == ("evt_0", 3)
    await webhooks.failed(books, first, 500, due)
    assert await webhooks.claim(books, due + webhooks.BACKOFF_MS[1]) is None
    await webhooks.failed(books, again, 500, NOW + webhooks.PATIENCE_MS)
    assert not await webhooks.sweep(books, NOW + webhooks.KEPT_MS)
    await webhooks.sweep(books, NOW + webhooks.PATIENCE_MS + webhooks.KEPT_MS + 1)
    rows = await books.rows("select id from webhook_events order by id")
    assert [tuple(row) for row in rows] == [("evt_2",)]


async def test_one_that_was_given_up_begins_anew_once(books):
    await webhooks.store(books, Event("evt_1", BODY, "t=1,v1=2", NOW))
    late = NOW + webhooks.PATIENCE_MS
    first = await webhooks.claim(books, late)
    assert first is not None
    await webhooks.failed(books, first, 500, late)
    assert await webhooks.claim(books, late + webhooks.PATIENCE_MS) is None
    again = Event("evt_1", BODY.replace("1, ", "0, "), "t=2,v1=3", late)
    stored = await asyncio.gather(*(webhooks.store(books, again) for _ in range(4)))
    assert sorted(stored) == [False, False, False, True]
    claimed = await webhooks.claim(books, late + webhooks.LEASE_MS)
    assert claimed == Event("evt_1", again.body, "t=2,v1=3", late, 2)
    await webhooks.delivered(books, claimed, 200, late)
    assert not await webhooks.store(books, again)
