"""A model fetched by name from the Hugging Face hub, kept in that library's own cache."""

from __future__ import annotations

from pathlib import Path

from huggingface_hub import snapshot_download
from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError, RepositoryNotFoundError

from penstock.errors import Misconfigured
from penstock.platforms.local.model import ONNX_FILES, WEIGHTS_FILE

_SETTINGS = ["*.json", "1_Pooling/*.json"]


def fetch(name: str, revision: str | None = None) -> Path:
    """Its directory: an ONNX export where it has one, else its safetensors; raises Misconfigured.

    What was fetched once serves again where the hub is out of reach.
    """
    try:
        place = _snapshot(name, revision, [f"{file}*" for file in ONNX_FILES])
        if not any((place / file).is_file() for file in ONNX_FILES):
            place = _snapshot(name, revision, [WEIGHTS_FILE])
    except RepositoryNotFoundError as error:
        raise Misconfigured(f"the hub has no model {name}; name another or a directory") from error
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        raise Misconfigured(
            f"{name} is not here and its hub cannot be reached; name a directory with the model"
        ) from error
    return place


def _snapshot(name: str, revision: str | None, files: list[str]) -> Path:
    return Path(snapshot_download(name, revision=revision, allow_patterns=[*_SETTINGS, *files]))
