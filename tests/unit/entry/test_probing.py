"""The prober of a server: it looks each second, at the backends of the gateway that serves now, until told to stop."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from penstock.config import Backend, Service
from penstock.entry.probing import probing
from penstock.entry.reload import Serving
from penstock.errors import NotSent
from penstock.platforms import memory
from penstock.upstream.pools import Pools
from penstock.wire.http import Request, Response


class Looked:
    """A gateway as far as the prober knows one."""

    def __init__(self, fails: bool) -> None:
        self.asked: list[str] = []
        self.fails = fails
        self.platform = memory.platform(self._answer)
        self.pools = Pools()
        backends = (Backend("http://a.test"), Backend("http://b.test", health=""))
        self.pools.renew({"x": Service(backends=backends)}, self.platform.clock.tick(), probed=True)
        self.lasting = self
        self.gateway = self

    def _answer(self, request: Request) -> Response:
        self.asked.append(request.target.decode())
        if self.fails:
            raise NotSent
        return Response(204)

    @property
    def state(self) -> str:
        return self.pools.of("x").members[0].state


async def ran(looked: Looked, seconds: float) -> None:
    stop = asyncio.Event()
    task = asyncio.ensure_future(probing(cast(Serving, cast(Any, looked)), stop))
    await looked.platform.clock.run(seconds)
    stop.set()
    await task
    await looked.platform.spawn.join()


async def test_a_good_backend_is_asked_every_half_minute_and_one_without_health_never() -> None:
    looked = Looked(fails=False)
    await ran(looked, 300.0)
    assert set(looked.asked) == {"http://a.test/health"}
    assert 300 / 36 - 1 <= len(looked.asked) <= 300 / 24 + 1
    assert looked.state == "up"


async def test_a_bad_one_every_five_seconds_until_it_is_well() -> None:
    looked = Looked(fails=True)
    await ran(looked, 60.0)
    assert 60 / 7 - 1 <= len(looked.asked) <= 60 / 4 + 1
    assert looked.state == "ejected"
    looked.fails = False
    await ran(looked, 8.0)
    assert looked.state == "up"
