"""Which platform a configuration asks for, and that a Worker's is not opened in a process."""

from __future__ import annotations

import pytest

from penstock.config import Config, defaults
from penstock.entry import home
from penstock.errors import Misconfigured
from penstock.platforms.local import LocalRunner

WORKER = Config(platform="cloudflare")


@pytest.mark.parametrize("opening", [home.opened, home.opened_tables, home.revoking])
async def test_a_workers_home_is_not_opened_here(opening) -> None:
    with pytest.raises(Misconfigured, match="penstock deploy cloudflare"):
        async with opening(WORKER):
            pass


async def test_serving_it_is_refused_before_anything_is_started() -> None:
    with pytest.raises(Misconfigured, match="is a Worker's"):
        await home.check(WORKER)


class Encoder:
    """An embedding model, as far as its name goes."""

    name, dimension = "small", 3

    def tokenise(self, texts):
        raise AssertionError(texts)

    def forward(self, batch):
        raise AssertionError(batch)


async def test_documents_are_found_by_the_local_models_vectors_or_by_terms_alone() -> None:
    config, _ = defaults(None, {"JWT_SECRET": "x" * 32})
    assert home.embeds(config, None) == ("", 0)
    config, _ = defaults(None, {"PENSTOCK_LOCAL_MODEL": "/models/small"})
    runner = LocalRunner(Encoder())
    assert home.embeds(config, runner) == ("small", 3)
    await runner.aclose()
