"""A directory and an environment of a test's own."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ENVIRONMENT = (
    "AUTH_SERVICE_URL", "BILLING_SERVICE_URL", "CHAT_SERVICE_URL", "JWT_SECRET",
    "ANTHROPIC_", "CLOUDFLARE_", "OLLAMA_", "OPENAI_", "PENSTOCK_",
)  # fmt: skip


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty directory to stand in, nothing of ours in the environment, a day on which the models live."""
    monkeypatch.setattr("penstock.entry.settings.today", lambda: "2026-11-23")
    for name in os.environ:
        if name.startswith(ENVIRONMENT):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path
