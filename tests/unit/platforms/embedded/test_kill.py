"""What a process said it had written is there after that process was killed, or its disk was full."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import apsw
import pytest

ROOT = Path(__file__).parents[4]

WRITE = """
import asyncio, sys
from pathlib import Path
from penstock.platforms.embedded.tables import EmbeddedTables
from tests.contract.homes import THINGS

async def main():
    tables = EmbeddedTables(Path(sys.argv[1]), THINGS, 0.0, sys.argv[2])
    async def write(writer):
        for number in range(100_000):
            name = f"w{writer}n{number}"
            await tables.batch(("insert into things (name) values ($1)", (name,)),
                               ("insert into counters (name, value) values ($1, 1)", (name,)))
            sys.stdout.write(name + chr(10))
            sys.stdout.flush()
    await asyncio.gather(*(write(writer) for writer in range(8)))

asyncio.run(main())
"""

FULL = """
import asyncio, resource, sys
from pathlib import Path
from penstock.errors import Unavailable
from penstock.platforms.embedded.tables import EmbeddedTables
from tests.contract.homes import THINGS

async def main():
    path = Path(sys.argv[1])
    tables = EmbeddedTables(path, THINGS, 0.0)
    async def add(name):
        sql = "insert into things (name, data) values ($1, $2)"
        try:
            await tables.batch((sql, (name, bytes(20_000))))
            print(name, "written")
        except Unavailable:
            print(name, "refused")
    await add("before")
    size = Path(f"{path}-wal").stat().st_size
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 8_000, resource.RLIM_INFINITY))
    await asyncio.gather(add("during"), add("also"))
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    await add("after")
    print(sorted(name for (name,) in await tables.rows("select name from things")))
    await tables.close()

asyncio.run(main())
"""


def start(program: str, *args: str) -> subprocess.Popen[str]:
    path = os.pathsep.join([str(ROOT), str(ROOT / "src")])
    command = [sys.executable, "-c", program, *args]
    environment = {**os.environ, "PYTHONPATH": path}
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)


@pytest.mark.parametrize("durability", ["process", "power"])
def test_what_was_written_survives_a_kill(tmp_path: Path, durability: str) -> None:
    path = tmp_path / "tables.sqlite"
    with start(WRITE, str(path), durability) as process:
        assert process.stdout is not None
        said = [process.stdout.readline() for _ in range(200)]
        process.send_signal(signal.SIGKILL)
        said += process.stdout.readlines()
    whole = {line.strip() for line in said if line.endswith("\n")}
    connection = apsw.Connection(str(path))
    things = {name for (name,) in connection.execute("select name from things")}
    counters = {name for (name,) in connection.execute("select name from counters")}
    assert len(whole) >= 200
    assert whole <= things
    assert things == counters
    assert connection.execute("pragma integrity_check").fetchall() == [("ok",)]


def test_a_write_that_fails_is_refused_and_the_next_one_works(tmp_path: Path) -> None:
    with start(FULL, str(tmp_path / "tables.sqlite")) as process:
        said, _ = process.communicate(timeout=60)
    assert said.splitlines() == [
        "before written",
        "during refused",
        "also refused",
        "after written",
        "['after', 'before']",
    ]
