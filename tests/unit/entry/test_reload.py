"""Reload: the next request is the new configuration's, the present one ends on the old; a bad file changes nothing."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from typing import Any

import pytest

from penstock.config import Config, decode, defaults
from penstock.entry.listener import Listener
from penstock.entry.reload import Serving, lasting
from penstock.errors import Error, Misconfigured
from penstock.wire.http import Request, Response
from tests.path.test_monthly_mailed import MAILED
from tests.path.world import CONFIG, Script, World, pieces, read, text_of

OTHER = CONFIG.replace('simple = "cheap/gpt-4o-mini"', 'simple = "dear/gpt-4o"')
LOCAL = """
[providers.house]
kind = "local"
path = "/models/{0}"
"""


def whole(text: str) -> Config:
    return defaults(decode(text, {}), {})[0]


class Files:
    """What the next reads find."""

    def __init__(self, *found: str | Error) -> None:
        self.found = list(found)

    def __call__(self) -> tuple[Config, Sequence[str]]:
        assert threading.current_thread() is not threading.main_thread()
        one = self.found.pop(0)
        if isinstance(one, Error):
            raise one
        return whole(one), ["configuration: here"]


class Reloaded(World):
    """A world that is served, its listener without a socket."""

    def __init__(self, *found: str | Error, upstream: Any = None) -> None:
        super().__init__(upstream)
        self.said: list[dict[str, Any]] = []
        self.listener = Listener(self.gateway, self.platform.ids.new, lambda *_: None)
        self.serving = Serving(self.gateway, self.listener, Files(*found), self.said.append)

    async def reload(self) -> None:
        await self.serving.reload()
        self.gateway = self.serving.gateway


async def test_a_new_request_goes_by_the_new_file() -> None:
    world = Reloaded(OTHER)
    assert (await world.chat("one")).header("x-penstock-target") == "cheap/gpt-4o-mini"
    await world.reload()
    assert world.listener.gateway is world.gateway
    assert (await world.chat("two")).header("x-penstock-target") == "dear/gpt-4o"
    assert world.said == [{"level": "info", "reload": "done", "notes": ["configuration: here"]}]


async def test_one_in_the_air_ends_on_the_old_one_and_is_followed_from_the_new() -> None:
    gate = asyncio.Event()

    class Gated(Script):
        async def __anext__(self) -> bytes:
            if self.read == 2:
                await gate.wait()
            return await super().__anext__()

    calls: list[Request] = []

    def upstream(request: Request) -> Response:
        calls.append(request)
        return Response(200, [("content-type", "text/event-stream")], Gated(pieces("Hel", "lo")))

    world = Reloaded(OTHER, upstream=upstream)
    first = await world.chat(stream=True)
    await world.reload()
    second = await world.chat(stream=True)
    gate.set()
    assert [text_of(await read(one)) for one in (first, second)] == ["Hello", "Hello"]
    assert first.header("x-penstock-target") == "cheap/gpt-4o-mini"
    assert len(calls) == 1
    assert (await world.stages()) == {"reserve": 1, "dispatched": 1, "settled": 2}


async def test_a_bad_file_changes_nothing_and_says_why() -> None:
    world = Reloaded(Misconfigured("server.prot is no setting; the nearest is server.port"), OTHER)
    before = world.gateway
    await world.reload()
    assert world.listener.gateway is before
    (line,) = world.said
    assert line == {
        "level": "error",
        "reload": "refused",
        "code": "misconfigured",
        "error": "server.prot is no setting; the nearest is server.port",
    }
    assert (await world.chat("goes on")).status == 200
    await world.reload()
    assert world.gateway is not before


async def test_a_report_that_nobody_here_can_write_is_refused(monkeypatch) -> None:
    monkeypatch.setattr("penstock.platforms.pdf.INSTALLED", ("no_such_library",))
    mailed = CONFIG + MAILED
    world = Reloaded(mailed)
    before = world.gateway
    await world.reload()
    assert world.gateway is before
    assert [(line["reload"], line["code"]) for line in world.said] == [("refused", "not_installed")]


async def test_rows_counts_and_purges_are_not_lost() -> None:
    world = Reloaded(OTHER)
    await world.chat("kept")
    waiting = len(world.gateway.journal._rows)
    assert waiting > 0
    await world.reload()
    assert len(world.gateway.journal._rows) == waiting
    await world.chat("another")
    await world.gateway.stop()
    ((written,),) = await world.platform.tables.rows("select count(*) from decisions")
    assert written == 2
    metrics = await read(await world.get("/metrics", token=world.token("root", role="admin")))
    assert b'path="/v1/chat/completions",method="POST",status="200"} 2' in metrics
    assert (await world.chat("kept")).header("x-penstock-cache") == "hit"
    await world.serving.gateway.generations.purge({})
    assert (await world.chat("kept")).header("x-penstock-cache") == "miss"


async def test_rates_go_on_counting_under_new_limits() -> None:
    world = Reloaded(CONFIG.replace("requests_per_hour = 100", "requests_per_hour = 3"))
    for number in range(2):
        await world.chat(f"question {number}")
    await world.reload()
    assert (await world.chat("the third")).status == 200
    assert (await world.chat("the fourth")).status == 429


async def test_who_is_known_stays_known_unless_the_rules_changed() -> None:
    signed_by_another = CONFIG.replace("path-tests-secret", "some-other-secret")
    world = Reloaded(OTHER, signed_by_another)
    token = world.token()
    await world.chat("one", token=token)
    known = world.gateway.identity
    await world.reload()
    assert world.gateway.identity is known
    await world.reload()
    assert (await world.chat("two", token=token)).status == 401


async def test_a_drain_that_has_begun_stays_begun() -> None:
    world = Reloaded(OTHER)
    world.gateway.draining = True
    await world.reload()
    assert (await world.get("/readyz")).status == 503


async def test_asked_twice_at_once_it_reads_twice_in_turn() -> None:
    world = Reloaded(OTHER, CONFIG, OTHER)
    await asyncio.gather(*[world.serving.reload() for _ in range(3)])
    assert [line["reload"] for line in world.said] == ["done", "done"]
    assert world.serving.gateway.config == whole(CONFIG)


async def test_the_grace_is_the_new_one() -> None:
    world = Reloaded(CONFIG + "\n[server]\ngrace_seconds = 3.5\n")
    await world.reload()
    assert world.listener.grace_seconds == 3.5


FIXED = {
    "data": 'data = "/elsewhere"\n',
    "durability": 'durability = "power"\n',
    "server.host": '[server]\nhost = "::1"\n',
    "server.port": "[server]\nport = 1\n",
    "server.access_log": "[server]\naccess_log = false\n",
    "monthly_report.font": '[monthly_report]\nfont = "other.ttf"\n',
    "cache.max_bytes": "[cache]\nmax_bytes = 1000\n",
}


@pytest.mark.parametrize("name", FIXED)
async def test_what_needs_a_restart_is_named_and_stays(name: str) -> None:
    text = FIXED[name] + CONFIG if not FIXED[name].startswith("[") else CONFIG + FIXED[name]
    world = Reloaded(text)
    before = world.gateway.config
    await world.reload()
    (line,) = world.said
    assert (line["level"], line["restart_for"]) == ("warning", [name])
    assert world.gateway.config == before


def test_the_local_model_cannot_change() -> None:
    now = whole(CONFIG + LOCAL.format("one"))
    assert lasting(now, now) == (now, [])
    for other in (CONFIG, CONFIG + LOCAL.format("two")):
        with pytest.raises(Misconfigured, match="restart"):
            lasting(now, whole(other))
