"""The chat service: complex chat through a provider, and the conversations it belongs to."""

from __future__ import annotations
