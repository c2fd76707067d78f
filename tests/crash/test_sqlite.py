"""The embedded home's gateway is killed at twenty fail-points; `make test-crash` does so hundreds of times, at all of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.crash.conftest import Kill
from tests.crash.homes import Sqlite
from tests.crash.points import BRIEF


@pytest.mark.parametrize("point", BRIEF)
async def test_the_books_are_right_after_a_kill(kill: Kill, tmp_path: Path, point: str) -> None:
    await kill(Sqlite(tmp_path), point)
