"""The auth service as tests of it begin."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.services.home import Auth


@pytest.fixture
def auth(tmp_path: Path) -> Iterator[Auth]:
    made = Auth(tmp_path)
    yield made
    made.passwords.close()


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[Auth]:
    """The same, signing with keys of its own."""
    made = Auth(tmp_path, alone=True)
    yield made
    made.passwords.close()
