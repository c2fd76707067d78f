"""What the fake provider can be told when it is started."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Price:
    """Nano-dollars per million tokens; the default is two round figures, not a real model's."""

    input: int = 150_000_000
    cached_input: int = 75_000_000
    cache_write: int = 187_500_000
    output: int = 600_000_000


@dataclass(frozen=True, slots=True)
class Settings:
    """One value per command-line option; times in seconds."""

    port: int = 0
    key: str | None = None
    prices: dict[str, Price] = field(default_factory=dict)
    latency_seconds: float = 0.0
    stream_chunks: int = 0
    chunks_per_second: float = 0.0
    each_chunk_alone: bool = True
    keep_rows: bool = True
    max_rows: int = 100_000
    idempotent: bool = False
    end_with_stdin: bool = False
    certificate: str | None = None
    certificate_key: str | None = None

    def price(self, model: str) -> Price:
        """The price of a model: its own, else the file's `default`, else a fixed one."""
        return self.prices.get(model) or self.prices.get("default") or DEFAULT_PRICE


DEFAULT_PRICE = Price()
