"""A meter that may have lost a mark admits nobody by what is left, until all marks were loaded."""

from __future__ import annotations

import pytest

from penstock.errors import Unavailable
from penstock.platforms.server.meter import ServerMeter
from penstock.ports import Demand, Denial
from tests.contract.servers import piped
from tests.stores import RedisServer

FAR = 4_000_000_000.0


async def test_a_load_that_failed_is_made_again_before_anyone_is_admitted(
    redis_server: RedisServer,
) -> None:
    """A mark did not reach Redis, and the tables are away when they are asked for it: its key stays out."""
    away = False
    revoked: list[str] = []
    async with piped(redis_server) as pipe:
        meter = ServerMeter(pipe, "test")
        meter._run_id = "here"  # what a connection of its own would have told

        async def load() -> None:
            if away:
                raise Unavailable("The tables cannot be reached.")
            for credential in revoked:
                await meter.mark(credential, FAR)

        meter.load_marks_by(load)
        demand = Demand("alive", "alive", "key")
        assert not isinstance(await meter.take([demand]), Denial)
        redis_server.ask("CONFIG SET min-replicas-to-write 1")
        with pytest.raises(Unavailable):
            await meter.mark("key", FAR)
        redis_server.ask("CONFIG SET min-replicas-to-write 0")
        revoked.append("key")
        away = True
        for _ in range(2):
            with pytest.raises(Unavailable):
                await meter.take([demand])
        away = False
        assert isinstance(await meter.take([demand]), Denial)
