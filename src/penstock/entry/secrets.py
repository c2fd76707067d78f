"""The development issuer: a secret made once in the data directory, for whoever has configured no issuer."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from msgspec.structs import replace

from penstock.config import Config, Issuer
from penstock.errors import Misconfigured

ISSUER = "penstock-dev"
FILE = "secret.jwt"
BYTES = 48
SHORTEST = 32


def with_issuer(config: Config) -> Config:
    """The configuration with the development issuer where it names none."""
    if config.auth.issuers:
        return config
    secret = development_secret(Path(config.data))
    issuer = Issuer(mode="hs256", issuer=ISSUER, audience=ISSUER, secret=secret)
    return replace(config, auth=replace(config.auth, issuers=(issuer,)))


def development_secret(data: Path) -> str:
    """The secret in that directory, made on first run and readable by its owner alone; raises Misconfigured."""
    file = data / FILE
    try:
        if not file.exists():
            _make(file)
        secret = file.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise Misconfigured(f"{file} cannot be read or made; check who owns {data}") from error
    if len(secret) < SHORTEST:
        raise Misconfigured(
            f"{file} is shorter than {SHORTEST} bytes; remove it to have it made anew"
        )
    return secret


def _make(file: Path) -> None:
    """Written whole beside its place, then linked into it: of two processes the first wins, and neither reads a part."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = file.with_name(f"{FILE}.{os.getpid()}-{secrets.token_hex(4)}")
    made = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(made, "w", encoding="ascii") as writing:
            writing.write(secrets.token_urlsafe(BYTES) + "\n")
            writing.flush()
            os.fsync(writing.fileno())
        try:
            os.link(draft, file)
        except FileExistsError:
            return
    finally:
        draft.unlink()
