"""The statements of feedback and labels on every Tables."""

from __future__ import annotations

import asyncio

import pytest

from penstock.errors import Conflict
from penstock.ledger import book, feedback, labels, logs
from penstock.ledger.feedback import MOST_NAMES, Feedback
from penstock.ledger.labels import Label
from penstock.platforms.migrations import shipped
from penstock.ports import Tables
from penstock.wire.chat import Usage

NOW = 1_800_000_000_000


@pytest.fixture
async def kept(tables: Tables) -> Tables:
    """The tables with the ledger's and those of labels in them."""
    for step in shipped():
        if step.name in ("ledger", "labels"):
            plain = "\n".join(line for line in step.sql.split("\n") if not line.startswith("--"))
            for statement in plain.split(";"):
                if statement.strip():
                    await tables.batch((statement, ()))
    return tables


def said(name: str, value: float, at: int = NOW, tenant: str = "t", sub: str = "a") -> Feedback:
    return Feedback(f"req_{sub}", name, f"{tenant}/{sub}", tenant, value, at)


async def test_feedback_has_names_up_to_a_bound_and_the_last_word_counts(kept: Tables) -> None:
    for number in range(MOST_NAMES):
        assert await kept.batch(feedback.put(said(f"n{number}", number))) == [[(f"n{number}",)]]
    assert [len(rows) for rows in await kept.batch(feedback.put(said("more", 1)))] == [0]
    assert len((await kept.batch(feedback.put(said("n0", -0.25))))[0]) == 1
    found = await feedback.of(kept, "req_a")
    assert found == {"n0": -0.25, **{f"n{n}": float(n) for n in range(1, MOST_NAMES)}}


async def test_feedback_has_no_more_names_however_many_come_at_once(kept: Tables) -> None:
    said = [feedback.put(Feedback("r", f"n{number}", "t/a", "t", 1.0, NOW)) for number in range(40)]
    found = await asyncio.gather(*(kept.batch(one) for one in said))
    assert sum(bool(rows) for [rows] in found) == feedback.MOST_NAMES
    assert len(await feedback.of(kept, "r")) == feedback.MOST_NAMES


async def test_feedback_is_swept_by_age_and_forgotten_by_tenant_and_owner(kept: Tables) -> None:
    rows = [said("s", 1, NOW - 1), said("t", 1), said("s", 1, sub="b"), said("s", 1, tenant="u")]
    rows[3] = Feedback("req_u", "s", "u/a", "u", 1, NOW)
    await kept.batch(*map(feedback.put, rows))
    assert not await feedback.sweep(kept, NOW)
    assert await feedback.of(kept, "req_a") == {"t": 1.0}
    assert await feedback.forget(kept, "t", "t/b") == 1
    assert await feedback.of(kept, "req_b") == {}
    assert await feedback.forget(kept, "t") == 1
    assert await feedback.of(kept, "req_u") == {"s": 1.0}


async def test_whose_a_request_is_the_ledger_and_the_decisions_say(kept: Tables) -> None:
    decided = "insert into decisions (request_id, at, owner, record) values ($1, $2, $3, '{}')"
    await kept.batch((decided, ("req_1", NOW, "t/a")))
    assert await feedback.is_of(kept, "req_1", "t/a")
    assert not await feedback.is_of(kept, "req_1", "t/b")
    assert not await feedback.is_of(kept, "req_2", "t/a")


def label(number: int, tenant: str = "t", sub: str = "a", route: str = "auto") -> Label:
    return Label(
        f"req_{number}", f"shd_{number}", NOW + number // 2, f"{tenant}/{sub}", tenant, route, "exact", "a/w", "b/s",
        0.0, 1.0, 2**40, 0, "[]", "é ☃", "", "\\n",
    )  # fmt: skip


async def test_labels_come_back_in_order_with_the_callers_score(kept: Tables) -> None:
    given = [label(number, route="auto" if number % 3 else "other") for number in range(7)]
    await kept.batch(*map(labels.put, reversed(given)))
    await kept.batch(
        feedback.put(Feedback("req_4", "score", "t/a", "t", -1, NOW)),
        feedback.put(Feedback("req_4", "more", "t/a", "t", 1, NOW)),
    )
    found = await labels.page(kept, (NOW, ""), NOW + 3)
    assert [one.request_id for one in found] == [f"req_{number}" for number in range(6)]
    assert [one.feedback for one in found] == [None] * 4 + [-1.0, None]
    assert found[1] == given[1]
    assert [one.request_id for one in await labels.page(kept, labels.behind(found), 2**52)] == [
        "req_6"
    ]
    others = await labels.page(kept, (NOW + 1, ""), 2**52, "other")
    assert [one.request_id for one in others] == ["req_3", "req_6"]
    with pytest.raises(Conflict):
        await kept.batch(labels.put(label(1)))


async def test_labels_and_prompts_are_swept_by_age_and_forgotten_by_tenant_and_owner(
    kept: Tables,
) -> None:
    rows = [label(0), label(2, sub="b"), label(4), label(6, tenant="u")]
    await kept.batch(*map(labels.put, rows))
    prompts = [
        (f"req_{n}", NOW + n, who, who[0], b"[]") for n, who in enumerate(["t/a", "t/b", "u/a"])
    ]
    await kept.batch(*(logs.prompt(*one) for one in prompts))
    assert not await labels.sweep(kept, NOW + 1)
    assert not await logs.sweep(kept, NOW + 1)
    assert await labels.forget(kept, "t", "t/b") == 1
    assert await logs.forget(kept, "t", "t/a") == 0
    assert (await labels.forget(kept, "t"), await logs.forget(kept, "t")) == (1, 1)
    assert [one.tenant for one in await labels.page(kept, (0, ""), 2**52)] == ["u"]


async def test_a_page_of_a_log_has_the_chats_that_ended(kept: Tables) -> None:
    rows = []
    ends: list[tuple[str, book.Ended]] = [
        ("chat", "settled"), ("chat", "released"), ("shadow", "settled"), ("chat", "estimated"),
    ]  # fmt: skip
    for number, (service, ended) in enumerate(ends):
        of = book.Account(f"req_{number}", "t/a", "t", "a", "", "auto", service)
        what = book.Charged("p", "m", "p/m")
        rows.append(book.final(of, 1, ended, NOW, what, Usage(1, 2, 3, 4), 5))
    await kept.batch(*rows)
    await kept.batch(logs.prompt("req_3", NOW, "t/a", "t", b'[{"role":"user"}]'))
    lines, place = await logs.page(kept, (NOW, ""), NOW + 1, {"t"})
    assert [line.id for line in lines] == ["req_0", "req_3"]
    assert (lines[0].input_tokens, lines[0].output_tokens, lines[0].cost_nanos) == (6, 4, 5)
    assert (lines[0].messages, lines[1].messages) == (None, [{"role": "user"}])
    assert (await logs.page(kept, place, NOW + 1, {"t"}))[0] == []
    withdrawn, _ = await logs.page(kept, (NOW, ""), NOW + 1, {"u"})
    assert [line.messages for line in withdrawn] == [None, None]
