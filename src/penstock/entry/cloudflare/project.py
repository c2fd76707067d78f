"""The Worker project: its files as values, and the folder they are written into."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from penstock import __version__
from penstock.entry.cloudflare import sources, worker
from penstock.entry.cloudflare.choices import Choices
from penstock.entry.cloudflare.judge import Judged
from penstock.entry.cloudflare.slim import slim
from penstock.errors import Misconfigured
from penstock.platforms.migrations import shipped

OPTIONS = "deploy.json"
"""The options of the project; a folder that has it is ours."""
GATEWAY = "wrangler.jsonc"
METER = "meter/wrangler.jsonc"
METER_FIRST = "meter/wrangler.first.jsonc"
"""The same without what it is bound to, for an account that has no gateway yet: each of the two needs the other."""
LOCAL = "wrangler.local.jsonc"
MODULES = "python_modules"
OURS = ("src", "meter", "migrations", "assets")
"""The folders that are written anew, so that what a newer version has no more does not stay."""
METADATA = ("owner", "document")
"""What an index is asked by."""
REMARK = "// Written by `penstock deploy cloudflare` from your configuration, and written anew by it: change that instead.\n"
ENTRY = b"""\
\"\"\"The Worker's entry module.\"\"\"

from pathlib import Path

from penstock.entry.workers import worker

Default = worker(Path(__file__).with_name("config.json").read_text(encoding="utf-8"))
"""
PAGES = f"{sources.PAGES}/"
METER_OBJECT = "penstock/platforms/cloudflare/meter_object.js"
PYPROJECT = """\
# For those who vendor python_modules by pywrangler instead: `uv run pywrangler sync` in this folder.
[project]
name = "{name}"
version = "{version}"
requires-python = ">=3.14"
dependencies = ["msgspec"]

[dependency-groups]
dev = ["workers-py", "workers-runtime-sdk"]
"""


def files(
    choices: Choices, judged: Judged, package: Mapping[str, tuple[str, bytes]]
) -> dict[str, bytes]:
    """Every file of the project but python_modules, by its path: the same for the same configuration and options."""
    indexed = judged.dimension > 0
    pages = {
        path.replace(PAGES, "assets/", 1): text
        for path, (_, text) in package.items()
        if path.startswith(PAGES)
    }
    gateway = worker.gateway(
        choices, judged.required, judged.variables, indexed=indexed, assets=bool(pages)
    )
    made = {
        OPTIONS: msgspec.json.format(msgspec.json.encode(choices)) + b"\n",
        ".gitignore": b"*\n",
        "pyproject.toml": PYPROJECT.format(name=choices.worker, version=__version__).encode(),
        GATEWAY: _jsonc(gateway),
        LOCAL: _jsonc(worker.local(gateway)),
        METER: _jsonc(worker.meter(choices, probed=judged.probed)),
        "meter/meter_object.js": package[METER_OBJECT][1],
        "secrets.txt": _secrets(judged),
        "src/entry.py": ENTRY,
        "src/config.json": _json(judged.raw),
    }
    if judged.probed:
        made[METER_FIRST] = _jsonc(worker.meter(choices))
    made |= pages
    made |= {f"src/{path}": text for path, text in code(package).items()}
    for step in shipped():
        made[f"migrations/{step.version:04}_{step.name}.sql"] = step.sql.encode()
    return made


def code(package: Mapping[str, tuple[str, bytes]]) -> dict[str, bytes]:
    """What the gateway's Worker gets of the package."""
    try:
        needed = sources.needed(package, sources.ROOTS)
    except KeyError as error:
        raise Misconfigured(
            "this Penstock has no entry for Workers; install one that has"
        ) from error
    return {path: slim(text) if path.endswith(".py") else text for path, text in needed.items()}


def read(folder: Path) -> Choices | None:
    """The options of the project in a folder, None where it is empty or absent; raises Misconfigured where it is not ours."""
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return None
    try:
        return msgspec.json.decode((folder / OPTIONS).read_bytes(), type=Choices)
    except (FileNotFoundError, NotADirectoryError):
        raise Misconfigured(f"{folder} holds other things; name an empty folder by --out") from None
    except msgspec.DecodeError as error:
        raise Misconfigured(f"{folder / OPTIONS} cannot be read; remove the folder") from error


def write(folder: Path, made: Mapping[str, bytes]) -> None:
    """Writes the files where they are not the same already, and removes what was there of another version."""
    read(folder)
    folder.mkdir(parents=True, exist_ok=True)
    # First the file that says whose the folder is: one that was begun can be written again.
    for path in sorted(made, key=lambda path: path != OPTIONS):
        _write(folder / path, made[path])
    for top in OURS:
        for file in sorted((folder / top).rglob("*"), reverse=True):
            _remove_stranger(file, file.relative_to(folder).as_posix(), made)


def save(folder: Path, choices: Choices, made: Mapping[str, bytes]) -> None:
    """Writes again what the options decide."""
    for path in {OPTIONS, GATEWAY, LOCAL, METER, METER_FIRST} & made.keys():
        _write(folder / path, made[path])


def _write(file: Path, text: bytes) -> None:
    if file.is_file() and file.read_bytes() == text:
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(text)


def _remove_stranger(file: Path, path: str, made: Mapping[str, bytes]) -> None:
    if file.is_dir() and not file.is_symlink():
        if file.name == ".wrangler":
            shutil.rmtree(file)
        elif not any(file.iterdir()):
            file.rmdir()
    elif path not in made:
        file.unlink()


def _secrets(judged: Judged) -> bytes:
    lines = [
        "# The secrets that this Worker reads: their names alone. `--apply` puts them from the"
    ]
    lines += ["# environment, or `npx wrangler secret put NAME` in this folder does."]
    lines += [*judged.required, *(f"{name} (optional)" for name in judged.optional)]
    return ("\n".join(lines) + "\n").encode()


def _json(value: Any) -> bytes:
    return (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode()


def _jsonc(value: Any) -> bytes:
    return REMARK.encode() + _json(value)
