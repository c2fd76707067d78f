"""The data directory: made private, its secret, and the lock that one server at a time holds."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from penstock.errors import Misconfigured

SECRET_FILE = "secret"
SECRET_BYTES = 32
LOCK_FILE = "serve.lock"


def unusable(folder: Path, why: str) -> Misconfigured:
    """What to tell who asked for a directory that will not do."""
    return Misconfigured(f"The data directory {folder} {why}: set `data` to another, or mend it.")


def prepare(folder: Path) -> Path:
    """Makes the directory, for this user alone, where there is none; raises Misconfigured where it cannot be used."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except FileExistsError:
        raise unusable(folder, "is not a directory") from None
    except OSError as error:
        raise unusable(folder, f"cannot be made ({error.strerror})") from error
    if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        raise unusable(folder, "cannot be written by this user")
    return folder


def secret(folder: Path) -> bytes:
    """The installation's secret, made when first asked for."""
    path = folder / SECRET_FILE
    if not path.exists():
        _make_secret(path)
    try:
        value = bytes.fromhex(path.read_text(encoding="ascii"))
    except (OSError, ValueError):
        value = b""
    if len(value) < SECRET_BYTES:
        raise Misconfigured(
            f"{path} is not {SECRET_BYTES} bytes in hex that this user may read: restore it, or delete it"
            " and have a new one made (what is cached, and tenants' own keys that it sealed, are then lost)."
        )
    return value


def _make_secret(path: Path) -> None:
    """Whole or not at all, and never over another's: the link is made once the content is there."""
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    with suppress(FileNotFoundError):
        draft.unlink()
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(os.urandom(SECRET_BYTES).hex())
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):
            os.link(draft, path)
        draft.unlink()
    except OSError as error:
        raise unusable(path.parent, f"cannot be written ({error.strerror})") from error


@contextmanager
def lock(folder: Path) -> Generator[None]:
    """Held by the one server of a directory; raises Misconfigured while another has it."""
    try:
        descriptor = os.open(folder / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise unusable(folder, f"cannot be written ({error.strerror})") from error
    try:
        _lock(descriptor, folder)
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int, folder: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise Misconfigured(
            f"Another penstock serves from {folder}: stop it, or set `data` to another directory."
        ) from None


def private(path: Path) -> Path:
    """The path of a file that, once made, only this user may read."""
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    return path
