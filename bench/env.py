"""Prepares all that the benches need; standard library only, so any Python ≥ 3.11 runs it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PEERS = ROOT / ".bench"
LITELLM = "litellm[proxy]==1.106.2"
PORTKEY = "@portkey-ai/gateway@1.15.2"
TOOLS = {"nginx": "nginx-light", "wrk": "wrk", "taskset": "util-linux", "npm": "npm"}


def main() -> int:
    """Installs what is missing; 0 done, 1 failed."""
    try:
        tools()
        python = str(ROOT / ".venv/bin/python")
        pip(python, "-r", str(ROOT / "bench/requirements.txt"))
        litellm()
        portkey()
    except (OSError, subprocess.CalledProcessError) as error:
        sys.stderr.write(f"bench-env: {error}\n")
        return 1
    return 0


def tools() -> None:
    """nginx, wrk, taskset and npm from Debian, where they are missing and we may install them."""
    path = os.environ.get("PATH", os.defpath) + ":/usr/sbin"
    missing = [package for tool, package in TOOLS.items() if not shutil.which(tool, path=path)]
    if not missing:
        return
    if os.geteuid() != 0:
        raise OSError(f"as root: apt-get install {' '.join(missing)}")
    run("apt-get", "update", "-qq")
    run("apt-get", "install", "-y", "-qq", "--no-install-recommends", *missing)


def litellm() -> None:
    """LiteLLM's proxy in a virtual environment of its own."""
    home = PEERS / "litellm"
    if fresh(home, LITELLM):
        return
    if not (home / "bin/python").exists():
        venv.create(home, with_pip=True)
    pip(str(home / "bin/python"), LITELLM)
    stamp(home, LITELLM)


def portkey() -> None:
    """Portkey's gateway in a node_modules of its own."""
    home = PEERS / "portkey"
    if fresh(home, PORTKEY):
        return
    home.mkdir(parents=True, exist_ok=True)
    run("npm", "install", "--prefix", str(home), "--no-audit", "--no-fund", "--silent", PORTKEY)
    stamp(home, PORTKEY)


def fresh(home: Path, wanted: str) -> bool:
    mark = home / ".installed"
    return mark.exists() and mark.read_text() == wanted


def stamp(home: Path, wanted: str) -> None:
    (home / ".installed").write_text(wanted)


def pip(python: str, *what: str) -> None:
    run(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *what)


def run(*command: str) -> None:
    environment: dict[str, str] = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    checked: Sequence[str] = command
    subprocess.run(checked, check=True, env=environment)


if __name__ == "__main__":
    sys.exit(main())
