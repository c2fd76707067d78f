"""Labels that a test can learn from: hard asks gain by the strong target, easy ones do not."""

from __future__ import annotations

import json
from random import Random
from typing import Any

HARD = ("prove", "derive", "integral", "theorem", "lemma", "bound")
EASY = ("hello", "thanks", "weather", "name", "colour", "capital")


def made(count: int, *, noise: float = 0.2, seed: int = 1, **more: Any) -> list[dict[str, Any]]:
    """So many rows; `noise` of them are the other way round."""
    chance, found = Random(seed), []
    for at in range(count):
        hard = chance.random() < 0.5
        words = [chance.choice(HARD if hard else EASY) for _ in range(6)]
        gains = hard != (chance.random() < noise)
        found.append(
            {
                "prompt": f"{' '.join(words)} {at}",
                "weak": 0.0 if gains else 1.0,
                "strong": 1.0,
                **more,
            }
        )
    return found


def lines(rows: list[dict[str, Any]]) -> list[bytes]:
    return [json.dumps(row).encode() + b"\n" for row in rows]


def draw(seed: int = 1):
    chance = Random(seed)
    return lambda below, count: [int(chance.random() * below) for _ in range(count)]


def silent(_: str) -> None:
    """Tests need no progress."""
