"""Seeds of crashes, reorderings, duplicates, lost replies and frozen hosts: the money adds up at every moment of each."""

from __future__ import annotations

import pytest

from tests.simulation.broken import BROKEN
from tests.simulation.seeds import play, play_all
from tests.simulation.world import Broken, World

SEEDS = 200
GROUP = 50


def test_a_seed_is_the_same_world_each_time() -> None:
    first, second = play(7), play(7)
    assert first.trace == second.trace
    assert len(first.trace) > 100


@pytest.mark.parametrize("first", range(0, SEEDS, GROUP))
def test_the_money_adds_up(first: int) -> None:
    play_all(range(first, first + GROUP))


def test_what_a_simulation_is_for_happens_in_these_seeds() -> None:
    happened: dict[str, int] = {}
    for seed in range(40):
        for what, times in told_of(play(seed)).items():
            happened[what] = happened.get(what, 0) + times
    assert [what for what, times in happened.items() if not times] == []


def told_of(world: World) -> dict[str, int]:
    """How often a seed had what."""
    said = "\n".join(world.trace)
    told = [told for ask in world.asks for told in ask.told]
    words = {
        "killed": "is killed", "frozen": "is frozen", "left": " leaves", "lost": "reply is lost", "twice": "delivered twice",
        "refused": "is refused", "conflict": "Conflict('constraint ledger_", "correction": "CORRECTION",
        "look-up": "/usage/", "second attempt": ".2 came", "second part": ".1.1 came",
    }  # fmt: skip
    codes = (
        "insufficient_quota",
        "parallel_limit_exceeded",
        "idempotency_in_flight",
        "outcome_unknown",
    )
    found = {what: said.count(word) for what, word in words.items()}
    found |= {code: sum(code.encode() in one.data for one in told) for code in codes}
    found["replayed"] = sum(one.replayed for one in told)
    found["shared"] = sum(one.cache == "hit" for one in told)
    return found


@pytest.mark.parametrize("wrong", BROKEN)
def test_wrong_books_are_seen(wrong: str) -> None:
    with pytest.raises(Broken, match=r"(?s)seed \d+: .*\nTo see it again"):
        play_all(range(SEEDS), BROKEN[wrong])
