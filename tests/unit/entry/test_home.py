"""Which platform a configuration asks for, and that a Worker's is not opened in a process."""

from __future__ import annotations

import pytest

from penstock.config import Config
from penstock.entry import home
from penstock.errors import Misconfigured

WORKER = Config(platform="cloudflare")


@pytest.mark.parametrize("opening", [home.opened, home.opened_tables, home.revoking])
async def test_a_workers_home_is_not_opened_here(opening) -> None:
    with pytest.raises(Misconfigured, match="penstock deploy cloudflare"):
        async with opening(WORKER):
            pass


async def test_serving_it_is_refused_before_anything_is_started() -> None:
    with pytest.raises(Misconfigured, match="is a Worker's"):
        await home.check(WORKER)
