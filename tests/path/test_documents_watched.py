"""Documents watched by events: each change, and the end of the document, the credential or the watcher's time."""

from __future__ import annotations

import asyncio
from typing import Any

from penstock.auth import keys
from tests.path.documents import DOCUMENTS, Documents, Halting
from tests.path.world import body, payloads, read


async def the_one(world: Documents) -> Any:
    [told] = (await body(await world.get(DOCUMENTS)))["documents"]
    return told


async def test_watching_tells_each_change_and_then_the_end() -> None:
    world = Documents()
    halting = Halting(world.index, 2)
    sent = await world.halted(halting)
    id = (await the_one(world))["documentId"]
    response = await world.ask(
        f"{DOCUMENTS}/{id}", method="GET", headers=[("accept", "text/event-stream")]
    )
    reading = asyncio.create_task(read(response))
    halting.go.set()
    assert (await sent).status == 201
    await world.platform.clock.run(2)
    told = payloads(await reading)
    assert [one if isinstance(one, str) else one["status"] for one in told] == [
        "embedding", "ready", "[DONE]",
    ]  # fmt: skip
    assert (told[0]["done"], told[1]["done"]) == (50, told[1]["chunks"])


async def test_watching_ends_where_the_document_does_and_where_the_credential_does() -> None:
    world = Documents()
    halting = Halting(world.index)
    sent = await world.halted(halting)
    id = (await the_one(world))["documentId"]

    async def watch(token: str) -> asyncio.Task[bytes]:
        response = await world.ask(
            f"{DOCUMENTS}/{id}",
            method="GET",
            headers=[("accept", "text/event-stream")],
            token=token,
        )
        return asyncio.create_task(read(response))

    token = world.token(jti="other", exp=world.platform.clock.now() + 10_000)
    revoked, deleted = await watch(token), await watch("")
    until = world.platform.clock.now() + 10_000
    await world.platform.meter.mark(keys.hash_of(token), until)
    await world.platform.clock.run(12)
    assert b"credential_revoked" in await revoked
    assert not deleted.done()
    await world.delete(id)
    await world.platform.clock.run(3)
    told = payloads(await deleted)
    assert told[-1]["error"]["code"] == "not_found"
    await asyncio.gather(sent, return_exceptions=True)


async def test_watching_ends_after_five_minutes() -> None:
    world = Documents()
    halting = Halting(world.index)
    sent = await world.halted(halting)
    id = (await the_one(world))["documentId"]
    response = await world.ask(
        f"{DOCUMENTS}/{id}", method="GET", headers=[("accept", "text/event-stream")]
    )
    reading = asyncio.create_task(read(response))
    await world.platform.clock.run(302)
    assert len(payloads(await reading)) == 1
    await world.delete(id)
    await world.platform.clock.run(2)
    await asyncio.gather(sent, return_exceptions=True)
