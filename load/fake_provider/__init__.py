"""A fake model provider with faults on request and a meter of its own; see load/README.md."""

from __future__ import annotations

from load.fake_provider.harness import FakeProvider

__all__ = ["FakeProvider"]
