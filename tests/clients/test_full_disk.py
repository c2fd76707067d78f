"""A ledger that cannot grow: nothing new is bought, what was promised stays, and it goes on once there is room."""

from __future__ import annotations

import resource
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import apsw
import httpx
import pytest

from load.fake_provider import FakeProvider
from tests.clients.conftest import CONFIG, environment
from tests.clients.process import Penstock, token, until

DISK_BYTES = 4 << 20
FILE_BYTES = 4_000
"""Less than one page of the ledger: whatever writes one fails, as a disk with a fault would have it."""
Full = Callable[[], None]
SECONDS = 20.0


@contextmanager
def _mounted(place: Path) -> Iterator[None]:
    """A tiny file system of its own; skips where this user may not make one."""
    command = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(place)]
    try:
        made = subprocess.run(command, capture_output=True, check=False)
    except FileNotFoundError:
        pytest.skip("there is no mount here")
    if made.returncode:
        pytest.skip("only root may mount a file system")
    try:
        yield
    finally:
        subprocess.run(["umount", str(place)], check=True)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with _mounted(tmp_path):
        yield tmp_path


def fill(disk: Path) -> None:
    """Takes all the room there is."""
    with (disk / "filler").open("wb", buffering=0) as filler:
        for size in (1 << 16, 1 << 12, 1):
            try:
                while True:
                    filler.write(b"x" * size)
            except OSError:
                continue


def empty(disk: Path) -> None:
    (disk / "filler").unlink()


def limited(gateway: Penstock, most: int) -> None:
    """The most bytes that a file of the process may have."""
    assert gateway.process is not None
    _, hard = resource.prlimit(gateway.process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(gateway.process.pid, resource.RLIMIT_FSIZE, (most, hard))


@pytest.fixture(params=["no room", "no write"])
def served(
    request: pytest.FixtureRequest, provider: FakeProvider, tmp_path: Path
) -> Iterator[tuple[Penstock, Full, Full]]:
    """A gateway, what makes its disk unwritable, and what mends it."""
    data, home = tmp_path / "data", tmp_path / "home"
    data.mkdir()
    env = environment(provider) | {"PENSTOCK_DATA": str(data)}
    gateway = Penstock(home, CONFIG + "\n[server]\naccess_log = false\n", env)
    if request.param == "no write":
        gateway.start()
        yield gateway, lambda: limited(gateway, FILE_BYTES), lambda: limited(gateway, -1)
        gateway.stop()
        return
    with _mounted(data):
        gateway.start()
        yield gateway, lambda: fill(data), lambda: empty(data)
        gateway.stop()


def chat(gateway: Penstock, text: str, **more: Any) -> httpx.Response:
    body = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": text}], **more}
    sent = {"authorization": f"Bearer {token('writer')}"}
    return httpx.post(f"{gateway.url}/v1/chat/completions", json=body, headers=sent, timeout=30)


def rows(data: Path, sql: str) -> list[tuple[Any, ...]]:
    connection = apsw.Connection(str(data / "penstock.sqlite"), apsw.SQLITE_OPEN_READONLY)
    try:
        return list(connection.execute(sql))
    finally:
        connection.close()


def test_nothing_new_is_bought_and_what_was_promised_is_kept(
    served: tuple[Penstock, Full, Full], fake: FakeProvider
) -> None:
    gateway, break_disk, mend = served
    data = Path(gateway.env["PENSTOCK_DATA"])
    kept = chat(gateway, "before").headers["x-request-id"]
    body = {
        "model": "gpt-4o-mini",
        "stream": True,
        "messages": [{"role": "user", "content": "[[fault:gate=3]] one two three"}],
    }
    sent = {"authorization": f"Bearer {token('reader')}"}
    url = f"{gateway.url}/v1/chat/completions"
    with httpx.stream("POST", url, json=body, headers=sent, timeout=30) as reply:
        lines = reply.iter_lines()
        next(lines)
        break_disk()
        calls = fake.meter()["calls"]
        for number in range(20):
            refused = chat(gateway, f"while it is full {number}")
            assert refused.status_code == 503
            assert refused.json()["error"]["code"] == "service_unavailable"
            assert refused.headers["retry-after"]
        assert chat(gateway, "before").headers["x-penstock-cache"] == "hit"
        assert fake.meter()["calls"] == calls
        fake.release()
        assert [line for line in lines if line][-1] == "data: [DONE]"
    mend()
    until(lambda: chat(gateway, "after it").status_code == 200, SECONDS)
    held = reply.headers["x-request-id"]
    final = "select ended, amount_nanos from ledger where stage = 'final' and request_id = '{}'"
    until(lambda: rows(data, final.format(held)), SECONDS)
    for name in (kept, held):
        charged = fake.look_up(f"{name}.1")
        assert charged is not None
        assert rows(data, final.format(name)) == [("settled", charged["charged_nanos"])]
    assert rows(data, "pragma integrity_check") == [("ok",)]
    charged_calls = rows(data, "select count(*) from ledger where stage = 'dispatched'")
    assert charged_calls == [(fake.meter()["calls"],)]


def test_a_full_disk_at_the_start_is_named(disk: Path, provider: FakeProvider) -> None:
    gateway = Penstock(disk / "home", CONFIG, environment(provider))
    (disk / "data").mkdir()
    gateway.env["PENSTOCK_DATA"] = str(disk / "data")
    fill(disk)
    with pytest.raises(AssertionError, match="misconfigured"):
        gateway.start()
    assert gateway.process is not None
    assert gateway.process.wait(timeout=10) == 1
    assert gateway.process.stderr is not None
    gateway.process.stderr.close()
