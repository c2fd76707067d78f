"""python_modules: what the core needs of PyPI, built for the interpreter of a Worker, from a lock with hashes."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from penstock.errors import Misconfigured, Missing

LOCK = Path(__file__).with_name("requirements.txt")
_PINNED = re.compile(r"^([\w.-]+)==([\w.]+)", re.MULTILINE)
COMMAND = (
    *("--no-deps", "--require-hashes", "--only-binary=:all:", "--no-compile", "--upgrade"),
    *("--python-version", "3.14", "--implementation", "cp", "--abi", "cp314"),
    *("--platform", "pyemscripten_2026_0_wasm32", "--quiet", "--disable-pip-version-check"),
)


def is_done(folder: Path) -> bool:
    """Are these the packages of the lock?"""
    return all(
        (folder / f"{name.replace('-', '_')}-{version}.dist-info").is_dir()
        for name, version in _PINNED.findall(LOCK.read_text(encoding="utf-8"))
    )


def vendor(folder: Path) -> None:
    """Fills the folder by pip; raises Missing or Misconfigured."""
    if find_spec("pip") is None:
        raise Missing(
            "python_modules is filled by pip, which this Python lacks: python -m ensurepip, or fill it"
            " by `uv run pywrangler sync` in the project and repeat with --vendor none"
        )
    command = [sys.executable, "-m", "pip", "install", *COMMAND]
    command += ["--target", str(folder), "--requirement", str(LOCK)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode or not is_done(folder):
        said = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
        raise Misconfigured(
            f"python_modules could not be filled by pip: {' '.join(said[-1:]) or 'it says nothing'};"
            " check that its index is reachable and repeat"
        )
