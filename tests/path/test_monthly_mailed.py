"""The report of a month by itself: made and mailed once, whatever breaks in between."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

import pytest

from penstock.config.mail import MailServer
from penstock.errors import Broken, Failed, NotSent, Unavailable
from penstock.gateway import build
from penstock.gateway.upkeep import upkeep
from penstock.ledger import duties
from penstock.ports import Row, Statement, Tables, Value
from penstock.wire.letters import Letter
from tests.path.test_monthly import NOVEMBER, asked, world
from tests.path.world import World

MAILED = """
[mail]
host = "smtp.test"
sender = "penstock@example.com"
[monthly_report]
enabled = true
to = ["ops@example.com", "boss@example.com"]
"""
HOUR = 3_600


class Mailed:
    """A world whose mail server a test answers for."""

    def __init__(self, made: World) -> None:
        self.made = made
        self.fate: list[BaseException | Sequence[str]] = []
        made.platform.mail.handler = self._answer

    def _answer(self, letter: Letter, server: MailServer) -> Sequence[str]:
        assert server.host == "smtp.test"
        fate = self.fate.pop(0) if self.fate else ()
        if isinstance(fate, BaseException):
            raise fate
        return fate

    @property
    def letters(self) -> list[Letter]:
        return self.made.platform.mail.letters

    async def passes(self, seconds: float = 30.0) -> None:
        self.made.platform.clock.advance(seconds)
        await upkeep(self.made.gateway)

    async def listed(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(await asked(self.made, ""))["reports"]
        return found


async def test_it_is_sent_once_with_the_report_in_it() -> None:
    mailed = Mailed(await world(MAILED))
    for _ in range(5):
        await mailed.passes()
    [letter] = mailed.letters
    assert letter.to == ("ops@example.com", "boss@example.com")
    assert letter.subject == "Penstock, October 2026"
    assert "Requests: 20" in letter.text
    [file] = letter.attached
    assert (file.name, file.kind) == ("penstock-2026-10.pdf", "application/pdf")
    assert file.data.startswith(b"%PDF-")
    [row] = await mailed.listed()
    assert (row["month"], row["state"], row["attempts"], row["error"]) == ("2026-10", "sent", 1, None)  # fmt: skip
    await mailed.passes(35 * 86_400.0)
    assert [one.subject for one in mailed.letters[1:]] == [
        "Penstock, December 2026"
    ]  # the one that ended last


async def test_two_gateways_and_one_letter() -> None:
    mailed = Mailed(await world(MAILED))
    other = build(mailed.made.gateway.config, mailed.made.platform, lambda *_: None)
    await upkeep(mailed.made.gateway)
    await upkeep(other)
    await mailed.passes()
    await upkeep(other)
    assert len(mailed.letters) == 1


async def test_on_the_day_that_is_named_and_not_before() -> None:
    mailed = Mailed(await world(MAILED + "day = 28\n"))
    await mailed.passes(11 * HOUR)
    assert not mailed.letters
    await mailed.passes(2 * HOUR)
    assert len(mailed.letters) == 1


async def test_a_crash_after_the_claim_is_made_good_by_another() -> None:
    mailed = Mailed(await world(MAILED))
    tables, now = mailed.made.platform.tables, int(mailed.made.platform.clock.now() * 1000)
    assert await duties.claim(tables, "2026-10", "", now)  # and that process is no more
    await mailed.passes()
    assert not mailed.letters
    await mailed.passes(duties.LEASE_MS / 1000)
    assert len(mailed.letters) == 1
    [row] = await mailed.listed()
    assert (row["state"], row["attempts"]) == ("sent", 2)


class Lost:
    """Tables that fail where the report is noted as sent."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self.ends = 0

    async def rows(self, sql: str, *args: Value) -> Sequence[Row]:
        return await self._tables.rows(sql, *args)

    async def batch(self, *statements: Statement) -> Sequence[Sequence[Row]]:
        if statements[0][0] == duties.sql.END and not self.ends:
            self.ends += 1
            raise Unavailable()
        return await self._tables.batch(*statements)


async def test_a_crash_after_the_letter_sends_it_again_under_the_same_id(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    mailed = Mailed(await world(MAILED))
    monkeypatch.setattr(duties, "done", _done_by(Lost(mailed.made.platform.tables)))
    with pytest.raises(Unavailable):
        await mailed.passes()
    await mailed.passes()
    assert len(mailed.letters) == 1
    await mailed.passes(duties.LEASE_MS / 1000)
    await mailed.passes()
    first, again = mailed.letters
    assert first.id == again.id
    assert re.fullmatch(r"[A-Za-z0-9.-]+", first.id)


def _done_by(lost: Lost) -> Any:
    done = duties.done

    async def through(tables: Tables, *args: Any, **named: Any) -> None:
        await done(lost, *args, **named)

    return through


async def test_a_server_that_is_away_is_asked_again() -> None:
    mailed = Mailed(await world(MAILED))
    mailed.fate = [NotSent(), Broken(), NotSent()]
    for _ in range(3):
        await mailed.passes(1_000)
    assert not mailed.letters
    [row] = await mailed.listed()
    assert (row["state"], row["attempts"], row["error"]) == ("waiting", 3, "upstream_unreachable")
    await mailed.passes(1_000)
    assert [row["state"] for row in await mailed.listed()] == ["sent"]


async def test_a_clock_that_was_ahead_puts_nothing_off() -> None:
    mailed = Mailed(await world(MAILED))
    mailed.fate = [NotSent()]
    await mailed.passes(3 * 86_400.0)
    assert not mailed.letters
    await mailed.passes(-3 * 86_400.0)
    assert len(mailed.letters) == 1


async def test_what_no_server_takes_is_given_up_and_told() -> None:
    mailed = Mailed(await world(MAILED))
    mailed.fate = [Failed("No such place.", code="mail_refused", retryable=False)]
    await mailed.passes()
    await mailed.passes(HOUR)
    [row] = await mailed.listed()
    assert (row["state"], row["error"]) == ("given_up", "mail_refused")
    assert [type(error) for error in mailed.made.reports] == [Failed]


async def test_in_the_end_it_is_given_up() -> None:
    mailed = Mailed(await world(MAILED + "day = 1\n"))
    mailed.fate = [NotSent() for _ in range(duties.MOST_ATTEMPTS + 5)]
    for _ in range(duties.MOST_ATTEMPTS + 5):
        await upkeep(mailed.made.gateway)
        # Within the month, so that it stays the last one.
        await mailed.made.platform.tables.batch(("update monthly_reports set due_at = 0 where outcome = ''", ()))  # fmt: skip
    [row] = await mailed.listed()
    assert (row["state"], row["attempts"]) == ("given_up", duties.MOST_ATTEMPTS)


async def test_some_addresses_are_refused() -> None:
    mailed = Mailed(await world(MAILED))
    mailed.fate = [["boss@example.com"]]
    await mailed.passes()
    [row] = await mailed.listed()
    assert (row["state"], row["error"]) == ("sent", "1 of 2 addresses refused")


async def test_a_page_instead_of_a_pdf() -> None:
    mailed = Mailed(await world(MAILED + 'format = "html"\n'))
    await mailed.passes()
    [file] = mailed.letters[0].attached
    assert (file.name, file.kind) == ("penstock-2026-10.html", "text/html")
    assert file.data == await asked(mailed.made, "month=2026-10")


async def test_of_a_tenant_it_tells_no_other() -> None:
    mailed = Mailed(await world(MAILED + 'format = "html"\ntenant = "acme"\n'))
    await mailed.passes()
    [letter] = mailed.letters
    assert letter.subject == "Penstock, October 2026, tenant acme"
    assert "Requests: 10" in letter.text


async def test_a_new_installation_tells_nobody_of_nothing() -> None:
    mailed = Mailed(World(more=MAILED, now=NOVEMBER / 1000))
    await mailed.passes()
    assert not mailed.letters
    assert [row["state"] for row in await mailed.listed()] == ["empty"]


async def test_what_never_comes_to_an_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(duties, "MOST_ATTEMPTS", 2)
    mailed = Mailed(await world(MAILED))
    mailed.fate = [RuntimeError(), RuntimeError(), RuntimeError()]
    for _ in range(2):
        with pytest.raises(RuntimeError):
            await mailed.passes(duties.LEASE_MS / 1000)
    for _ in range(2):
        await mailed.passes(duties.LEASE_MS / 1000)
    [row] = await mailed.listed()
    assert (row["state"], row["attempts"], row["error"]) == ("given_up", 3, "never_ended")
