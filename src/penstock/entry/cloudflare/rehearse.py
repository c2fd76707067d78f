"""What wrangler does on this machine alone: builds both Workers and says their sizes, or serves them."""

from __future__ import annotations

import os
import re
import socket
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from penstock.entry.cloudflare import project
from penstock.entry.cloudflare.wrangler import Undeployed, Wrangler, environment

PYODIDE_HOST = "pyodide-capnp-bin.edgeworker.net"
"""Where workerd finds the interpreter of Python Workers."""
MOST_BYTES = 3 << 20
_SIZE = re.compile(r"Total Upload: ([\d.]+) (B|KiB|MiB) / gzip: ([\d.]+) (B|KiB|MiB)")
_UNITS = {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20}


class Size(NamedTuple):
    """How large one Worker is, as it stands and packed."""

    worker: str
    raw_bytes: int
    gzip_bytes: int


def sizes(wrangler: Wrangler, out: Path) -> list[Size]:
    """Builds both without an account; raises Undeployed where one cannot be built."""
    found = []
    for worker, config in (("gateway", project.GATEWAY), ("meter", project.METER)):
        words = ("deploy", "--dry-run", "--config", config, "--outdir", str(out / worker))
        ran = wrangler.run(*words).good()
        size = _SIZE.search(ran.out)
        if size is None:
            raise Undeployed("wrangler does not say how large the Worker is; use a newer one")
        raw, packed = (round(float(size[at]) * _UNITS[size[at + 1]]) for at in (1, 3))
        found.append(Size(worker, raw, packed))
    return found


def check_local() -> None:
    """That `wrangler dev` can run a Python Worker here; raises Undeployed with the reason."""
    try:
        socket.getaddrinfo(PYODIDE_HOST, 443)
    except OSError as error:
        raise Undeployed(
            f"`wrangler dev` fetches the interpreter of Python Workers from {PYODIDE_HOST}, which is out of"
            " reach from here; try it on a machine that reaches it"
        ) from error


def serve(executable: str, folder: Path, port: int, env: Mapping[str, str], remote: bool) -> int:
    """`wrangler dev` in the foreground, on local stores with the migrations; its exit code."""
    # A secret that is set here is the Worker's: wrangler reads it from the environment.
    told = environment(env) | {"CLOUDFLARE_INCLUDE_PROCESS_ENV": "true"}
    config = project.GATEWAY if remote else project.LOCAL
    migrate = [executable, "d1", "migrations", "apply", "DB", "--local", "--config", config]
    subprocess.run(migrate, cwd=folder, env=told, stdin=subprocess.DEVNULL, check=False)
    told.pop("CI")
    configs = ("--config", config, "--config", project.METER)
    dev = [executable, "dev", *configs, "--ip", "127.0.0.1", "--port", str(port)]
    try:
        return subprocess.run(dev, cwd=folder, env=told, check=False).returncode
    except KeyboardInterrupt:
        return os.EX_OK
