"""What the dashboard asks of every Tables: sessions, keys a page at a time, and the log of requests."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

import pytest

from penstock.auth import keys, sessions
from penstock.auth.addresses import Networks
from penstock.auth.sessions import PLAIN
from penstock.errors import Unauthorized
from penstock.ledger import book, decisions, requests
from penstock.ledger.book import Account, Charged
from penstock.ledger.decisions import Decision
from penstock.platforms import memory
from penstock.platforms.migrations import shipped
from penstock.ports import Platform, Tables
from penstock.wire.chat import Usage
from penstock.wire.http import Request

NOW = 1_800_000_000_000
STEPS = ("ledger", "keys", "sessions")
NO_PROXY = Networks(())


@pytest.fixture
async def kept(tables: Tables) -> Tables:
    """The tables with those that are asked."""
    for step in shipped():
        if step.name in STEPS:
            plain = "\n".join(line for line in step.sql.split("\n") if not line.startswith("--"))
            for statement in plain.split(";"):
                if statement.strip():
                    await tables.batch((statement, ()))
    return tables


def around(tables: Tables, seconds: float = 0.0) -> Platform:
    """A platform with these tables, so much later."""
    base = memory.platform(now=NOW / 1000 + seconds)
    parts = {name: getattr(base, name) for name in Platform.__dataclass_fields__}
    return Platform(**parts | {"tables": tables, "secret": b"s" * 32})


def asked(token: str) -> Request:
    return Request("GET", b"/", headers=[("cookie", f"{PLAIN}={token}")])


async def test_a_session_is_there_for_its_time_and_gone_at_once(kept: Tables) -> None:
    now = around(kept)
    token, begun = await sessions.begin(now, "pk-é\0-the-credential", 0.0)
    other, _ = await sessions.begin(replace(now, ids=memory.platform(seed=1).ids), "pk-other", 0.0)
    assert await sessions.resume(now, asked(token), NO_PROXY) == begun
    assert begun.expires == NOW / 1000 + sessions.SECONDS
    for wrong in (around(kept, sessions.SECONDS), replace(now, secret=b"t" * 32)):
        with pytest.raises(Unauthorized):
            await sessions.resume(wrong, asked(token), NO_PROXY)
    await sessions.end(now, token)
    await sessions.end(now, token)
    with pytest.raises(Unauthorized):
        await sessions.resume(now, asked(token), NO_PROXY)
    assert (await sessions.resume(now, asked(other), NO_PROXY)).credential == "pk-other"


async def test_what_is_sealed_elsewhere_does_not_open(kept: Tables) -> None:
    """Rows that somebody swapped are no sessions."""
    now = around(kept)
    tokens = [(await sessions.begin(now, f"pk-{n}", 0.0))[0] for n in range(2)]
    rows = await kept.rows("select name, sealed from sessions order by name")
    await kept.batch(("update sessions set sealed = $1 where name = $2", (rows[1][1], rows[0][0])))
    found = []
    for token in tokens:
        with suppress(Unauthorized):
            found.append(await sessions.resume(now, asked(token), NO_PROXY))
    assert len(found) == 1


async def test_what_is_over_is_swept_some_at_a_time(kept: Tables) -> None:
    insert = "insert into sessions (name, sealed, created_at, expires_at) values ($1, 's', 0, $2)"
    many = sessions.SWEEP_ROWS + 3
    await kept.batch(*[(insert, (f"n{n}", NOW)) for n in range(many)], (insert, ("later", NOW + 1)))
    assert await sessions.sweep(kept, now=NOW / 1000)
    assert not await sessions.sweep(kept, now=NOW / 1000)
    assert [tuple(row) for row in await kept.rows("select name from sessions")] == [("later",)]


async def test_keys_come_the_newest_first(kept: Tables) -> None:
    ids = memory.platform().ids
    made = [
        (await keys.create(kept, ids, now=NOW / 1000, sub="s", tenant="t" if n % 2 else "ü/'"))[1]
        for n in range(5)
    ]
    made.reverse()
    assert await keys.newest(kept, "", 10) == made
    assert await keys.newest(kept, "", 2) == made[:2]
    assert await keys.newest(kept, made[1].id, 10) == made[2:]
    assert await keys.newest(kept, made[0].id, 1, "ü/'") == [made[2]]
    assert await keys.newest(kept, "", 10, "nobody") == []


def id_of(n: int) -> str:
    return f"req_{NOW + n:012x}{n:020x}"


async def logged(tables: Tables) -> None:
    """Ten requests, each with its ledger; the odd ones of two parts, the last not in the ledger."""
    rows = []
    for n in range(10):
        owner = "a%2Fc/b/ö" if n % 3 else "default/alice"
        decision = Decision(
            id_of(n), "chat", target=f"p/m{n}", asked="auto", route="r", status=200 + n
        )
        rows.append(decisions.row(decision, NOW + n, owner))
        account = Account(id_of(n), owner, "", "", "", "r", "chat")
        for part in range(n % 2 + 1) if n < 9 else ():
            at = book.part(account, part) if part else account
            took = Usage(input=10, output=5, cached_input=2)
            rows.append(
                book.final(at, 1, "settled", NOW, Charged("p", f"m{n}", f"p/m{n}"), took, 100)
            )
        if n == 4:
            rows.append(book.correction(account, 1, NOW, Charged("p", "m4"), Usage(output=-1), -10))
    await tables.batch(*rows)


async def test_the_log_has_each_request_with_all_that_it_took(kept: Tables) -> None:
    await logged(kept)
    page = await requests.page(kept, requests.FIRST, requests.LAST, 100, None, 1_000)
    assert [one.id for one in page.rows] == [id_of(n) for n in reversed(range(10))]
    assert page.next == ""
    found = {one.id: one for one in page.rows}
    assert found[id_of(0)].taken == requests.Taken("p", "m0", "r", 12, 5, 100)
    assert found[id_of(1)].taken == requests.Taken("p", "m1", "r", 24, 10, 200)
    assert found[id_of(4)].taken == requests.Taken("p", "m4", "r", 12, 4, 90)
    assert found[id_of(9)].taken == requests.NOTHING
    assert (found[id_of(9)].provider, found[id_of(9)].model) == ("p", "auto")
    assert (found[id_of(1)].tenant, found[id_of(1)].user) == ("a/c", "b/ö")
    assert await requests.one(kept, id_of(4)) == found[id_of(4)]
    assert await requests.one(kept, "req_nobody") is None


@pytest.mark.parametrize("most", [1, 3, 10])
async def test_its_pages_follow_each_other(kept: Tables, most: int) -> None:
    await logged(kept)
    for wanted, whole in ((None, 10), (lambda one: one.decision.status % 2 == 0, 5)):
        seen, below = [], requests.LAST
        while below:
            page = await requests.page(kept, requests.FIRST, below, most, wanted, 4)
            seen += [one.id for one in page.rows]
            below = page.next
        assert seen == sorted(set(seen), reverse=True)
        assert len(seen) == whole


async def test_a_span_is_between_two_ids(kept: Tables) -> None:
    await logged(kept)
    above, below = requests.bounds(NOW + 2, NOW + 5)
    page = await requests.page(kept, above, below, 10, None, 100)
    assert [one.id for one in page.rows] == [id_of(n) for n in (4, 3, 2)]
