"""What every Tables keeps to."""

from __future__ import annotations

import asyncio

import pytest

from penstock.errors import Conflict
from penstock.ports import Tables

ADD = "insert into things (name, number) values ($1, $2)"
COUNT = "select count(*) from things"


async def count(tables: Tables) -> int:
    [(number,)] = await tables.rows(COUNT)
    return int(number)


async def test_rows_are_tuples_in_the_order_asked(tables: Tables) -> None:
    await tables.batch((ADD, ("b", 2)), (ADD, ("a", 1)), (ADD, ("c", 3)))
    found = await tables.rows("select name, number from things where number > $1 order by name", 1)
    assert list(found) == [("b", 2), ("c", 3)]
    assert list(await tables.rows("select name from things where number > $1", 9)) == []


async def test_a_parameter_may_stand_twice(tables: Tables) -> None:
    await tables.batch((ADD, ("a", 1)), (ADD, ("b", 2)))
    sql = "select name from things where name = $1 or number = $2 or name = $1 order by name"
    assert list(await tables.rows(sql, "a", 2)) == [("a",), ("b",)]


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("name", "ü'$1;--\n\N{GRINNING FACE}"),
        ("number", 2**53 - 1),
        ("share", 0.1),
        ("data", bytes(range(256))),
        ("place", None),
    ],
)
async def test_values_come_back_as_they_went(tables: Tables, column: str, value) -> None:
    if column == "name":
        await tables.batch((ADD, (value, 1)))
    else:
        await tables.batch((f"insert into things (name, {column}) values ($1, $2)", ("a", value)))
    [(found,)] = await tables.rows(f"select {column} from things")
    assert found == value
    assert type(found) is type(value)


async def test_a_batch_answers_each_statement_with_its_rows(tables: Tables) -> None:
    results = await tables.batch(
        (ADD, ("a", 1)),
        ("update things set number = number + $1 returning name, number", (5,)),
        ("select name from things where name = $1", ("nobody",)),
        ("delete from things where name = $1 returning number", ("a",)),
    )
    assert [list(rows) for rows in results] == [[], [("a", 6)], [], [(6,)]]


async def test_like_statements_in_a_row_answer_each_for_itself(tables: Tables) -> None:
    adding = "insert into things (name, number) values ($1, $2) returning number"
    added = await tables.batch(*[(adding, (f"n{number}", number)) for number in range(4)])
    assert [list(rows) for rows in added] == [[(0,)], [(1,)], [(2,)], [(3,)]]
    asking = "select name from things where number = $1"
    asked = await tables.batch(*[(asking, (number,)) for number in (3, 9, 1)])
    assert [list(rows) for rows in asked] == [[("n3",)], [], [("n1",)]]
    plain = await tables.batch(*[(ADD, (f"p{number}", number)) for number in range(4)])
    assert [list(rows) for rows in plain] == [[], [], [], []]
    assert await count(tables) == 8


async def test_nothing_to_do_is_done(tables: Tables) -> None:
    assert list(await tables.batch()) == []


@pytest.mark.parametrize(
    ("statement", "name"),
    [
        ((ADD, ("a", 1)), "things_pkey"),
        ((ADD, ("b", -1)), "things_number"),
        (
            ("insert into things (name, slot) values ($1, $2)", ("b", 7)),
            "things_slot_taken",
        ),
        (
            ("insert into things (name, place) values ($1, $2)", ("b", 7)),
            "things_one_place",
        ),
        (("insert into counters (name, value) values ($1, $2)", ("a", 1)), "counters_pkey"),
    ],
)
async def test_a_violated_constraint_is_named_and_nothing_is_written(
    tables: Tables, statement, name: str
) -> None:
    await tables.batch(
        ("insert into things (name, slot, place) values ($1, $2, $3)", ("a", 7, 7)),
        ("insert into counters (name, value) values ($1, $2)", ("a", 1)),
    )
    with pytest.raises(Conflict) as conflict:
        await tables.batch((ADD, ("before", 1)), statement, (ADD, ("after", 1)))
    assert conflict.value.name == name
    assert await count(tables) == 1


async def test_a_mistaken_statement_writes_nothing_and_is_no_conflict(tables: Tables) -> None:
    with pytest.raises(Exception, match="nowhere") as mistake:
        await tables.batch((ADD, ("a", 1)), ("insert into nowhere values ($1)", (1,)))
    assert not isinstance(mistake.value, Conflict)
    assert await count(tables) == 0


async def test_of_many_batches_at_once_each_stands_alone(tables: Tables) -> None:
    async def add(number: int) -> str:
        try:
            await tables.batch(
                ("insert into counters (name, value) values ($1, $2)", (f"c{number}", number)),
                (ADD, (f"n{number % 150}", number)),
            )
        except Conflict as conflict:
            return conflict.name
        return "added"

    outcomes = await asyncio.gather(*(add(number) for number in range(300)))
    assert sorted(set(outcomes)) == ["added", "things_pkey"]
    assert outcomes.count("added") == 150
    assert await count(tables) == 150
    assert await tables.rows("select count(*) from counters") == [(150,)]


async def test_a_cap_holds_among_many_at_once(tables: Tables) -> None:
    """The shape of a budget: a check is the denial."""
    await tables.batch((ADD, ("budget", 100)))
    spend = "update things set number = number - $1 where name = $2"
    asked = [tables.batch((spend, (7, "budget"))) for _ in range(60)]
    outcomes = await asyncio.gather(*asked, return_exceptions=True)
    refused = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
    assert {outcome.name for outcome in refused if isinstance(outcome, Conflict)} == {
        "things_number"
    }
    assert len(refused) == 60 - 14
    assert await tables.rows("select number from things") == [(2,)]


async def test_batches_take_effect_in_the_order_they_were_sent(tables: Tables) -> None:
    await tables.batch((ADD, ("a", 0)))
    append = "update things set number = number * 10 + $1 where name = $2"
    await asyncio.gather(*(tables.batch((append, (digit, "a"))) for digit in range(1, 10)))
    assert await tables.rows("select number from things") == [(123456789,)]


async def test_what_a_batch_wrote_is_read_at_once(tables: Tables) -> None:
    for number in range(50):
        await tables.batch((ADD, (f"n{number}", number)))
        assert await count(tables) == number + 1


async def test_a_caller_that_leaves_harms_nobody(tables: Tables) -> None:
    task = asyncio.ensure_future(tables.batch((ADD, ("leaver", 1))))
    other = asyncio.ensure_future(tables.batch((ADD, ("stayer", 1))))
    await asyncio.sleep(0)
    task.cancel()
    await other
    assert ("stayer",) in await tables.rows("select name from things")
