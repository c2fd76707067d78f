"""The documentation says what the code does."""

from __future__ import annotations

import pytest

from penstock.config.catalog import settings
from tests.reference import FOLDER, PAGES


@pytest.mark.parametrize("name", PAGES)
def test_reference_is_current(name):
    written = (FOLDER / name).read_text(encoding="utf-8")
    assert written == PAGES[name](), "run `python -m tests.reference`"


def test_every_setting_is_documented():
    page = (FOLDER / "configuration.md").read_text(encoding="utf-8")
    missing = [setting.path for setting in settings() if f"| `{setting.field.name}` |" not in page]
    assert missing == []
