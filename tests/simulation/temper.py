"""What goes wrong in a seed, and how often."""

from __future__ import annotations

import random
from dataclasses import dataclass


@dataclass(frozen=True)
class Temper:
    """Which misfortunes a seed has, and how often: without some of them the others go deeper."""

    crash: float
    freeze: float
    leave: float
    refuse: float
    lose: float
    twice: float
    trouble: float
    forgetful: bool
    crowd: bool
    asks: int
    replicas: int

    @staticmethod
    def drawn(rng: random.Random) -> Temper:
        def often(*chances: float) -> float:
            return rng.choice((0.0, *chances))

        # Where the stores work much more is promised, so that in every second seed they do.
        works = rng.random() < 0.5
        return Temper(
            crash=often(0.002, 0.01),
            freeze=often(0.002, 0.005),
            leave=often(0.005, 0.02),
            refuse=0.0 if works else often(0.01, 0.04),
            lose=0.0 if works else often(0.01, 0.04),
            twice=often(0.05),
            trouble=often(0.2, 0.6),
            forgetful=rng.random() < 0.3,
            crowd=rng.random() < 0.3,
            asks=rng.randint(12, 40),
            replicas=rng.randint(1, 3),
        )
