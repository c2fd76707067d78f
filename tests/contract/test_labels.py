"""The statements of feedback and labels on every Tables."""

from __future__ import annotations

import pytest

from penstock.ledger import feedback
from penstock.ledger.feedback import MOST_NAMES, Feedback
from penstock.platforms.migrations import shipped
from penstock.ports import Tables

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
