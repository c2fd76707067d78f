"""Opening the embedded home: its directory, its secret, its lock."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from penstock.errors import Conflict, Misconfigured
from penstock.platforms import embedded
from penstock.platforms.embedded import folder
from penstock.platforms.memory.world import FakeFetch
from penstock.ports import Entry, Vector

FETCH = FakeFetch()
RAISE = "insert into generations (scope, number) values ($1, $2)"


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


async def test_a_platform_opens_on_nothing_and_finds_its_things_again(tmp_path: Path) -> None:
    data = tmp_path / "a" / "data"
    async with embedded.open_platform(data, fetch=FETCH) as first:
        await first.tables.batch((RAISE, ("all", 1)))
        await first.store.put("k", b"v", 1000)
    async with embedded.open_platform(str(data), fetch=FETCH, durability="power") as second:
        assert await second.tables.rows("select number from generations") == [(1,)]
        assert await second.store.get("k") == b"v"
        assert (second.name, second.fetch) == ("embedded", FETCH)
        assert second.secret == first.secret
        assert len(second.secret) == 32


async def test_its_index_has_the_vectors_it_is_told_of_and_else_terms_alone(tmp_path: Path) -> None:
    async with embedded.open_platform(tmp_path / "terms", fetch=FETCH) as platform:
        assert platform.index is not None
        await platform.index.upsert([Entry("a", "ann", "d", terms=("x",))])
        assert ((about := await platform.index.describe()).model, about.entries) == ("", 1)
    embeds = ("small", 2)
    async with embedded.open_platform(tmp_path / "both", fetch=FETCH, embeds=embeds) as platform:
        assert platform.index is not None
        await platform.index.upsert([Entry("a", "ann", "d", Vector("small", (1, 0)))])
    async with embedded.open_platform(tmp_path / "both", fetch=FETCH, embeds=embeds) as platform:
        assert platform.index is not None
        about = await platform.index.describe()
        assert (about.model, about.dimension, about.entries) == ("small", 2, 1)


def test_opening_it_loads_no_numpy() -> None:
    """Who searches no documents starts without it."""
    text = "import sys; from penstock.platforms.embedded.index import EmbeddedIndex as E; from pathlib import Path;"
    text += "E(Path('x'), None); import penstock.entry.home; sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", text], check=False, timeout=60).returncode == 0


async def test_only_this_user_may_look_in(tmp_path: Path) -> None:
    data = tmp_path / "data"
    before = os.umask(0)
    try:
        async with embedded.open_platform(data, fetch=FETCH) as platform:
            await platform.tables.batch((RAISE, ("all", 1)))
            await platform.store.put("k", b"v", 1000)
            assert platform.index is not None
            await platform.index.describe()
            modes = {path.name: mode(path) for path in data.iterdir()}
    finally:
        os.umask(before)
    assert mode(data) == 0o700
    assert {name for name, given in modes.items() if given & 0o077} == set()
    assert {
        "secret",
        "penstock.sqlite",
        "cache.sqlite",
        "index.sqlite",
        "marks.epoch",
    } <= modes.keys()


async def test_one_server_at_a_time(tmp_path: Path) -> None:
    async with embedded.open_platform(tmp_path, fetch=FETCH):
        with pytest.raises(Misconfigured, match="Another penstock serves"):
            async with embedded.open_platform(tmp_path, fetch=FETCH):
                pass
    async with embedded.open_platform(tmp_path, fetch=FETCH):
        pass


async def test_the_tables_open_beside_a_server(tmp_path: Path) -> None:
    async with (
        embedded.open_platform(tmp_path, fetch=FETCH) as platform,
        embedded.open_tables(tmp_path) as beside,
    ):
        await beside.batch((RAISE, ("all", 7)))
        assert await platform.tables.rows("select number from generations") == [(7,)]
        with pytest.raises(Conflict):
            await platform.tables.batch((RAISE, ("all", 8)))


async def test_leaving_waits_for_background_work(tmp_path: Path) -> None:
    async with embedded.open_platform(tmp_path, fetch=FETCH) as platform:

        async def work() -> None:
            await platform.clock.sleep(0)
            await platform.tables.batch((RAISE, ("late", 1)))

        platform.spawn(work())
    async with embedded.open_tables(tmp_path) as tables:
        assert await tables.rows("select scope from generations") == [("late",)]


def test_a_file_is_no_directory(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(Misconfigured, match="data directory"):
            folder.prepare(path)


def test_a_directory_that_may_not_be_written_is_refused(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(Misconfigured, match="cannot be written by this user"):
        folder.prepare(tmp_path)


@pytest.mark.parametrize("name", ["serve.lock", "marks.epoch", "penstock.sqlite", "cache.sqlite"])
async def test_files_that_cannot_be_opened_are_said_plainly(tmp_path: Path, name: str) -> None:
    os.mkdir(tmp_path / name)
    with pytest.raises(Misconfigured, match="cannot be"):
        async with embedded.open_platform(tmp_path, fetch=FETCH):
            pass
    os.rmdir(tmp_path / name)
    async with embedded.open_platform(tmp_path, fetch=FETCH):
        pass


@pytest.mark.parametrize("content", ["", "not hex", "ab" * 31])
def test_a_spoilt_secret_is_not_used(tmp_path: Path, content: str) -> None:
    (tmp_path / "secret").write_text(content)
    with pytest.raises(Misconfigured, match="restore it, or delete it"):
        folder.secret(tmp_path)


def test_secrets_of_two_installations_differ(tmp_path: Path) -> None:
    made = []
    for name in ("a", "b"):
        made.append(folder.secret(folder.prepare(tmp_path / name)))
        assert os.listdir(tmp_path / name) == ["secret"]
    assert made[0] != made[1]
