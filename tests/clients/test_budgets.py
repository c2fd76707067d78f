"""A budget before a real provider's process: 500 calls at once through the SDK, none too many and hardly one too few."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import openai
import pytest
from openai import AsyncOpenAI

from load.fake_provider import FakeProvider
from tests.clients.conftest import CONFIG, environment
from tests.clients.process import Penstock, token

BUDGET = """
[tiers.crowd]
requests_per_hour = 10_000
scale = 100
[[prices]]
provider = "openai"
model = "gpt-4o-mini"
input = "0"
output = "10"
[[budgets]]
per = "user"
period = "month"
money = "1.00"
"""
CALLS = 500


@pytest.fixture
def limited(provider: FakeProvider, fresh_home: Callable[[str], Path]) -> Iterator[Penstock]:
    with Penstock(fresh_home("limited"), CONFIG + BUDGET, environment(provider)) as served:
        yield served


async def ask(client: AsyncOpenAI, number: int) -> bool:
    """Whether a call ran that may cost a cent and costs 0.96 of it."""
    try:
        answer = await client.chat.completions.create(
            model="gpt-4o-mini",
            messages=[{"role": "user", "content": f"[[words:960]] call {number}"}],
            max_tokens=1000,
        )
    except openai.RateLimitError as refused:
        if refused.code != "insufficient_quota":
            raise
        return False
    assert answer.usage is not None
    return 950 <= answer.usage.completion_tokens <= 1000


async def test_500_calls_at_once_spend_a_dollar_and_no_more(
    limited: Penstock, fake: FakeProvider
) -> None:
    # The SDK would repeat what it may: a used-up budget it is told not to.
    async with AsyncOpenAI(
        base_url=f"{limited.url}/v1", api_key=token("crowd", tier="crowd"), max_retries=2
    ) as client:
        ran = await asyncio.gather(*(ask(client, number) for number in range(CALLS)))
    [standing] = limited.ask("usage", "--budgets")["budgets"]
    assert (standing["cap"], standing["reserved"]) == (10**9, 0)
    assert 0.95 * 10**9 <= standing["spent"] <= 10**9
    assert 95 <= sum(ran) <= 104  # 104 of 0.96 cents are a dollar
    assert fake.meter(calls=sum(ran))["charged_calls"] == sum(ran)
    totals = limited.ask("usage")["totals"]
    assert totals["cost_nanos"] == standing["spent"]
    # A busy machine may have told some to come again a moment later, as overloaded.
    assert sum(line["status"] != 503 for line in limited.access()) == CALLS
