"""A credential that is revoked while its stream runs: the stream ends within 10 s, its money by the usual rules."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import pytest

from penstock.auth import keys
from penstock.errors import Unavailable
from penstock.ports import Demand
from penstock.wire.http import Request, Response
from tests.path.world import Script, World, chunk, payloads, pieces, read, text_of

PARTS = pieces("one ", "two ", "three ", "four")
PATHS = ["/v1/chat/completions", "/api/ai/chat/completions"]


class Steps(Script):
    """A stream that does something of the test's before some of its parts."""

    def __init__(self, parts: Sequence[bytes], before: dict[int, Callable[[], object]]) -> None:
        super().__init__(parts)
        self.before = before

    async def __anext__(self) -> bytes:
        done = self.before.get(self.read, lambda: None)()
        if asyncio.iscoroutine(done):
            await done
        return await super().__anext__()


class Streams(World):
    """A world whose upstream streams PARTS; `before` is what happens on the way."""

    def __init__(self, more: str = "") -> None:
        self.before: dict[int, Callable[[], object]] = {}
        self.scripts: list[Steps] = []
        super().__init__(self.answer, more)

    def answer(self, request: Request) -> Response:
        script = Steps(PARTS, self.before)
        self.scripts.append(script)
        return Response(200, [("content-type", "text/event-stream")], script)

    async def revoke(self, token: str, seconds: float = 10.0) -> None:
        """Revokes, and lets so much time pass."""
        now = self.platform.clock.now()
        tables, meter = self.platform.tables, self.platform.meter
        await keys.revoke_token(tables, meter, keys.hash_of(token), now + 3600, now=now)
        self.platform.clock.advance(seconds)


@pytest.mark.parametrize("path", PATHS)
async def test_it_ends_with_an_error_event_within_ten_seconds(path: str) -> None:
    world = Streams()
    token = world.token()
    world.before = {3: lambda: world.revoke(token)}
    data = await read(await world.chat(path=path, stream=True, token=token))
    told = payloads(data)
    assert "[DONE]" not in told
    assert told[-1]["error"]["code"] == "credential_revoked"
    assert b"two" in data
    assert b"three" not in data
    assert world.scripts[0].closed


async def test_what_was_sent_of_it_is_settled_by_the_usual_rules() -> None:
    world = Streams()
    token = world.token()
    world.before = {3: lambda: world.revoke(token)}
    await read(await world.chat(stream=True, token=token))
    assert await world.stages() == {"reserve": 1, "dispatched": 1, "estimated": 1}
    again = await world.chat(stream=True, token=world.token(email="another@token"))
    assert again.header("x-penstock-cache") == "miss"
    assert again.status == 200
    await again.aclose()


async def test_it_is_not_asked_more_often() -> None:
    world = Streams()
    token = world.token()
    world.before = {3: lambda: world.revoke(token, 9.9)}
    data = await read(await world.chat(stream=True, token=token))
    assert text_of(data) == "one two three four"
    assert payloads(data)[-1] == "[DONE]"


async def test_every_ten_seconds_again_and_who_is_not_revoked_goes_on(monkeypatch) -> None:
    world = Streams()
    token = world.token()
    takes: list[Sequence[Demand]] = []
    works = world.platform.meter.take

    async def take(demands: Sequence[Demand]):
        takes.append(demands)
        return await works(demands)

    monkeypatch.setattr(world.platform.meter, "take", take)
    world.before = {at: lambda: world.platform.clock.advance(6.0) for at in range(len(PARTS))}
    data = await read(await world.chat(stream=True, token=token))
    assert payloads(data)[-1] == "[DONE]"
    assert [[demand.kind for demand in demands] for demands in takes[1:]] == [["alive"]] * 4


async def test_while_the_meter_is_out_of_reach_a_running_stream_goes_on(monkeypatch) -> None:
    world = Streams()

    async def down(demands: Sequence[Demand]):
        raise Unavailable

    def fails() -> None:
        monkeypatch.setattr(world.platform.meter, "take", down)
        world.platform.clock.advance(10.0)

    world.before = {3: fails}
    data = await read(await world.chat(stream=True))
    assert payloads(data)[-1] == "[DONE]"


async def test_a_follower_is_asked_for_itself() -> None:
    world = Streams("\n[routes.auto.cache]\nshared = true\n")
    bad, good = world.token("alice"), world.token("bob")
    gate = asyncio.Event()
    world.before = {3: gate.wait, 4: lambda: world.revoke(bad)}
    first = await world.chat(stream=True, token=good)
    other = await world.chat(stream=True, token=bad)
    assert other.header("x-penstock-cache") == "hit"
    reading = [asyncio.create_task(read(one)) for one in (first, other)]
    gate.set()
    whole, cut = await asyncio.gather(*reading)
    assert text_of(whole) == "one two three four"
    assert payloads(cut)[-1]["error"]["code"] == "credential_revoked"
    assert await world.stages() == {
        "reserve": 1,
        "dispatched": 1,
        "settled": 1,
    }
    assert chunk({"content": "four"}) not in cut


async def test_an_anonymous_stream_has_nothing_to_revoke() -> None:
    world = Streams('\n[routes.free]\nauth = "optional"\ntargets = ["cheap/gpt-4o-mini"]\n')
    world.before = {3: lambda: world.platform.clock.advance(20.0)}
    data = await read(await world.chat(stream=True, model="free", token=None))
    assert payloads(data)[-1] == "[DONE]"


async def test_the_decision_says_why() -> None:
    world = Streams()
    token = world.token()
    world.before = {3: lambda: world.revoke(token)}
    response = await world.chat(stream=True, token=token)
    await read(response)
    await world.gateway.journal.flush()
    (row,) = await world.platform.tables.rows("select record from decisions")
    assert '"error":"credential_revoked"' in row[0]
