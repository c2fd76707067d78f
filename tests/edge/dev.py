"""A written project, served by `wrangler dev`: the real runtime, where the interpreter of Python Workers can be had."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx

from penstock.entry.cloudflare.project import LOCAL, METER
from tests.clients.process import until
from tests.edge.home import HERE

BIN = HERE / "node_modules" / ".bin"
WRANGLER = str(BIN / "wrangler")
START_SECONDS, END_SECONDS = 120.0, 20.0


@contextmanager
def serving(folder: Path, variables: Mapping[str, str]) -> Iterator[str]:
    """Its address, once it answers; its stores are this folder's own. Fails where its log complains of the global scope."""
    env = os.environ | variables | {"CLOUDFLARE_INCLUDE_PROCESS_ENV": "true", "CI": "1"}
    env |= {"PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}
    migrate = [WRANGLER, "d1", "migrations", "apply", "DB", "--local", "--config", LOCAL]
    subprocess.run(migrate, cwd=folder, env=env, check=True, capture_output=True)
    port = _free()
    command = [WRANGLER, "dev", "--config", LOCAL, "--config", METER, "--ip", "127.0.0.1"]
    log = folder / "dev.log"
    with log.open("w") as out:
        process = subprocess.Popen(
            [*command, "--port", str(port)],
            cwd=folder,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
    url = f"http://127.0.0.1:{port}"
    try:
        until(lambda: process.poll() is not None or _answers(url), START_SECONDS)
        assert process.poll() is None, log.read_text()
        yield url
        assert "global scope" not in log.read_text()
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health", timeout=10.0).status_code == 200
    except httpx.HTTPError:
        return False


def _free() -> int:
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        return int(trial.getsockname()[1])
