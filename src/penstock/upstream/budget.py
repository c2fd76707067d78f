"""The retry budget: at total failure the load on the targets stays under 1.2 times the callers'."""

from __future__ import annotations

SHARE = 0.2


class RetryBudget:
    """Retries in the air may be a fifth of the first attempts in the air; a single one always may."""

    __slots__ = ("firsts", "retries")

    def __init__(self) -> None:
        self.firsts = 0
        self.retries = 0

    def may_retry(self) -> bool:
        return self.retries < max(1.0, SHARE * (self.firsts - self.retries))
