"""The object whose alarm has backends probed: on workerd, and what its statements say on SQLite."""

from __future__ import annotations

import asyncio
import itertools
import json
import sqlite3
from typing import Any

import pytest

from penstock.errors import Unavailable
from penstock.platforms.cloudflare import probes_sql as sql
from penstock.ports import Probed
from tests.edge.home import EdgeHome

START = 1_800_000_000_000_000
SECOND = 1_000_000
NUMBERS = itertools.count(900_000)


class Prober:
    """An object of a test's own."""

    def __init__(self, home: EdgeHome) -> None:
        self._home = home
        self._opening = next(NUMBERS)

    async def read(self, soon: bool = False) -> list[Probed]:
        found: list[Probed] = await self._home.ask("probed", self._opening, soon)
        return found

    async def alarm(self, milliseconds: int = 1) -> None:
        """Now, or so soon, as it would come by itself."""
        assert await self._home.ask("new", f"{self._opening}:probes", milliseconds) == ""

    async def rows(self, statement: str, *args: Any) -> Any:
        asked = (f"{self._opening}:probes", (statement, args))
        return (await self._home.ask("statements", *asked))[0]

    async def found(self, number: int) -> list[Probed]:
        """What it found, once that is so many backends."""
        async with asyncio.timeout(60):
            while len(found := await self.read()) != number:
                continue
        return found


async def test_its_alarm_has_the_gateway_probe_and_keeps_what_was_found(
    edge_home: EdgeHome,
) -> None:
    prober = Prober(edge_home)
    await edge_home.ask("gateway", {"http://one/health": True, "http://two/health": False})
    assert await prober.read() == []
    await prober.alarm()
    found = await prober.found(2)
    assert [(one.backend, one.well) for one in found] == [
        ("http://one/health", True), ("http://two/health", False),
    ]  # fmt: skip
    assert all(0 <= one.age < 60 for one in found)
    [asked] = await edge_home.ask("asked")
    assert json.loads(asked)[1] == {}
    await edge_home.ask("gateway", {"http://two/health": True})
    await prober.alarm()
    assert [(one.backend, one.well) for one in await prober.found(1)] == [
        ("http://two/health", True)
    ]
    [asked] = await edge_home.ask("asked")
    assert {*json.loads(asked)[1]} == {"http://one/health", "http://two/health"}


async def test_an_alarm_that_reaches_no_gateway_is_followed_by_the_next(
    edge_home: EdgeHome,
) -> None:
    prober = Prober(edge_home)
    await edge_home.ask("gateway", None)
    assert await prober.read() == []
    await prober.alarm()
    await edge_home.ask("gateway", {"http://one/health": True})
    await prober.alarm()
    assert await prober.found(1)


async def test_who_reads_does_not_put_it_off(edge_home: EdgeHome) -> None:
    prober = Prober(edge_home)
    await edge_home.ask("gateway", {"http://one/health": True})
    await prober.read()
    await prober.alarm(300)
    assert await prober.found(1)


async def test_what_another_version_kept_is_not_read_and_replaced_by_the_next(
    edge_home: EdgeHome,
) -> None:
    prober = Prober(edge_home)
    await edge_home.ask("gateway", {"http://one/health": True})
    await prober.read()
    await prober.rows(sql.KEEP, '{"http://one/health": "fine"}')
    await prober.rows("update at_alarm set statement = statement || ' -- as it was'")
    with pytest.raises(Unavailable):
        await prober.read()
    await prober.alarm()
    async with asyncio.timeout(60):
        while "fine" in str(await prober.rows("select backends from found")):
            continue
    assert await prober.found(1)
    assert await prober.rows("select statement from at_alarm") == [[sql.NEXT]]


async def test_two_that_ask_first_leave_one_of_each(edge_home: EdgeHome) -> None:
    prober = Prober(edge_home)
    assert await asyncio.gather(*[prober.read() for _ in range(8)]) == [[]] * 8
    for table in ("found", "asked", "at_alarm"):
        assert await prober.rows(f"select count(*) from {table}") == [[1]]


class Object:
    """Its tables, with the time passed in."""

    def __init__(self) -> None:
        self._tables = sqlite3.connect(":memory:")
        for statement in sql.SCHEMA:
            self._tables.execute(statement)
        self.run(sql.FIRST, START)

    def run(self, statement: str, *args: Any) -> list[tuple[Any, ...]]:
        # A number is a double, as JavaScript has them.
        given = [float(arg) if isinstance(arg, int) else arg for arg in args]
        numbered = statement.replace("$1", "?1")
        return self._tables.execute(numbered, given).fetchall()


def test_it_goes_on_while_somebody_asks_and_ends_a_quarter_of_an_hour_after() -> None:
    of = Object()
    quiet = sql.QUIET_SECONDS * SECOND
    [(until, asked)] = of.run(sql.NEXT, START + quiet - SECOND)
    assert until == START + quiet - SECOND + sql.EACH_MS * 1_000
    assert json.loads(asked) == [START + quiet - SECOND, {}]
    assert of.run(sql.NEXT, START + quiet)[0][0] is None


@pytest.mark.parametrize(("seconds", "noted"), [(299, False), (301, True)])
def test_that_it_is_asked_is_written_now_and_then(seconds: int, noted: bool) -> None:
    of = Object()
    of.run(sql.NOTE, START + seconds * SECOND)
    [(at,)] = of.run("select at from asked")
    assert at == START + noted * seconds * SECOND


@pytest.mark.parametrize(
    ("wells", "wait"), [((), sql.EACH_MS), ((1, 1), sql.EACH_MS), ((1, 0), sql.SOON_MS)]
)
def test_it_comes_sooner_while_a_backend_is_bad(wells: tuple[int, ...], wait: int) -> None:
    of = Object()
    found = {f"http://{at}/health": [bool(well), START] for at, well in enumerate(wells)}
    of.run(sql.KEEP, json.dumps(found))
    assert of.run(sql.NEXT, START)[0][0] == START + wait * 1_000


def test_what_was_found_is_asked_with_and_read_with_the_time() -> None:
    of, found = Object(), {"http://one/health": [True, START]}
    of.run(sql.KEEP, json.dumps(found))
    [(now, text)] = of.run(sql.READ, START + 7)
    assert (now, json.loads(text)) == (START + 7, found)
    assert json.loads(of.run(sql.NEXT, START + 7)[0][1]) == [START + 7, found]
