"""Rate standings as headers: OpenAI's, the IETF draft's, and the first design's."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from math import ceil

from penstock.limits.rates import tightest
from penstock.ports import Standing

Pairs = list[tuple[str, str]]


def common(standings: Sequence[Standing], tokens: Standing | None = None) -> Pairs:
    """`x-ratelimit-*` in OpenAI's form and the IETF draft's two fields."""
    pairs: Pairs = []
    least = tightest(standings)
    if least is not None:
        policies = ", ".join([_policy(s.policy, s.limit, s.window) for s in standings])
        left = ", ".join([f'"{s.policy}";r={s.remaining};t={ceil(s.reset)}' for s in standings])
        pairs = [
            ("x-ratelimit-limit-requests", str(least.limit)),
            ("x-ratelimit-remaining-requests", str(least.remaining)),
            ("x-ratelimit-reset-requests", duration(least.reset)),
            ("ratelimit-policy", policies),
            ("ratelimit", left),
        ]
    if tokens is not None:
        pairs += [
            ("x-ratelimit-limit-tokens", str(tokens.limit)),
            ("x-ratelimit-remaining-tokens", str(tokens.remaining)),
            ("x-ratelimit-reset-tokens", duration(tokens.reset)),
        ]
    return pairs


@lru_cache(maxsize=1_000)
def _policy(name: str, limit: int, window: int) -> str:
    return f'"{name}";q={limit};w={window}'


def first_design(standings: Sequence[Standing], now: float) -> Pairs:
    """`X-RateLimit-Limit/Remaining/Reset`, the last in epoch milliseconds."""
    least = tightest(standings)
    if least is None:
        return []
    return [
        ("x-ratelimit-limit", str(least.limit)),
        ("x-ratelimit-remaining", str(least.remaining)),
        ("x-ratelimit-reset", str(int((now + least.reset) * 1000))),
    ]


def duration(seconds: float) -> str:
    """OpenAI's form: `6m0s`, `1h2m3s`, `120ms`."""
    return f"{ceil(seconds * 1000)}ms" if seconds < 1 else _whole(ceil(seconds))


@lru_cache(maxsize=10_000)
def _whole(seconds: int) -> str:
    hours, rest = divmod(seconds, 3600)
    minutes, left = divmod(rest, 60)
    if hours:
        return f"{hours}h{minutes}m{left}s"
    return f"{minutes}m{left}s" if minutes else f"{left}s"
