"""A meter whose Redis was away: what may be lost is loaded again, what may have been taken is given back."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from penstock.errors import Unavailable
from penstock.platforms.server.meter import ServerMeter
from penstock.ports import Demand, Denial, Lease
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


async def test_places_taken_or_kept_while_redis_was_frozen_fall_free_with_it(
    tmp_path: Path,
) -> None:
    """A frozen Redis does what it was sent once it thaws, when nobody waits for it any more."""
    limit = 3
    demand = Demand("parallel", "parallel", "parallel:{u}", limit, 600)
    other = Demand("parallel", "parallel", "parallel:{other}", 1, 600)
    with RedisServer(tmp_path) as server:
        async with piped(server) as pipe, asyncio.timeout(60):
            meter = ServerMeter(pipe, "test")
            taken = await meter.take([other])
            assert isinstance(taken, Lease)
            server.freeze()
            asked = [meter.take([demand]) for _ in range(limit)]
            found = await asyncio.gather(*asked, meter.give(taken), return_exceptions=True)
            assert [type(one) for one in found] == [Unavailable] * limit + [type(None)]
            server.thaw()
            for wanted in (demand, other):
                while True:
                    try:
                        if isinstance(took := await meter.take([wanted]), Lease):
                            break
                    except Unavailable:
                        continue
                await meter.give(took)
