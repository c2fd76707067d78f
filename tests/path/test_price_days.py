"""A request costs what its own UTC day's prices say, however long ago the gateway was started."""

from __future__ import annotations

import pytest

from tests.path.world import World, pieces, read, streamed

MIDNIGHT = 1_727_827_200.0
"""2024-10-02, from which gpt-4o cost 2.5 and 10 dollars a million in place of 5 and 15."""
BEFORE, AFTER = 10 * 5_000 + 5 * 15_000, 10 * 2_500 + 5 * 10_000
ANY = """
[providers.open]
kind = "openai"
base_url = "http://open.test/v1"
any_model = true
"""


async def cost(world: World, model: str, stream: bool = False) -> int:
    """What one more chat is charged."""
    said = await world.chat(f"hello at {world.platform.clock.now()}", model=model, stream=stream)
    await read(said)
    return int((await world.ledger("amount_nanos, stage"))[-1][0])


@pytest.mark.parametrize("model", ["dear/gpt-4o", "gpt-4o", "mine", "route", "open/gpt-4o"])
async def test_a_new_day_has_its_own_prices(model: str) -> None:
    more = ANY + '\n[aliases]\nmine = "dear/gpt-4o"\n[routes.route]\ntargets = ["dear/gpt-4o"]\n'
    world = World(more=more, now=MIDNIGHT - 2)
    assert await cost(world, model) == BEFORE
    world.platform.clock.advance(1)
    assert await cost(world, model) == BEFORE
    world.platform.clock.advance(1)
    assert await cost(world, model) == AFTER
    (frozen,) = (await world.ledger("price, stage"))[-2][:1]
    assert '"since":"2024-10-02"' in frozen


async def test_a_request_under_way_keeps_the_price_it_began_with() -> None:
    world = World(lambda request: streamed(pieces("Hello")), now=MIDNIGHT - 1)
    said = await world.chat(model="gpt-4o", stream=True)
    world.platform.clock.advance(2)
    await world.chat("another", model="gpt-4o", stream=True)
    await read(said)
    finals = [row for row in await world.ledger("amount_nanos, stage") if row[1] == "final"]
    assert [amount for amount, _ in finals] == [BEFORE]
