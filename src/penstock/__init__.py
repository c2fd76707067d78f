"""Penstock: a hybrid edge AI gateway that is exact with money and honest about quality."""

from __future__ import annotations

__version__ = "0.1.0"
