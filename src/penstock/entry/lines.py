"""What a log says, one JSON line each: never a body, a credential, a prompt or an exception's text."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from penstock.wire.http import Request
from penstock.wire.json import encode

SHORT = 24
"""A part of a path that is no longer holds no key of ours, nor anybody's token."""
OURS = frozenset({"penstock", "penstock_services"})
_LONG = re.compile(rf"[^/]{{{SHORT + 1},}}")
_ID = re.compile(
    r"[a-z]{2,8}_[0-9a-f]{32}|[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}|[a-z-]+"
)
"""Ids of ours, UUIDs and plain words are told whole, however long."""


def request_line(request: Request, at: float, status: int, seconds: float) -> dict[str, Any]:
    """One request: who by hash, what by route and target, how long."""
    return {
        "level": "error" if status >= 500 else "info",
        "at": round(at, 3),
        "method": request.method[:20],
        "path": told_path(request.path),
        "status": status,
        "ms": round(seconds * 1000, 3),
        **request.notes,
    }


def told_path(path: str) -> str:
    """A path without what may be a token in it, as links in letters have them: of a long part its beginning."""
    return path if len(path) <= SHORT else _LONG.sub(_shortened, path)[:200]


def _shortened(found: re.Match[str]) -> str:
    part = found[0]
    return part if _ID.fullmatch(part) else f"{part[:4]}…"


class JsonLines(logging.Handler):
    """What libraries and our own parts warn of, as JSON lines. Of an exception, and of what others wrote, only what kind
    it was and where: their texts may hold anything."""

    def emit(self, record: logging.LogRecord) -> None:
        line: dict[str, Any] = {"level": record.levelname.lower(), "logger": record.name}
        if record.name.partition(".")[0] in OURS:
            line["message"] = record.getMessage()[:500]
        else:
            line["where"] = f"{record.filename}:{record.lineno} {record.funcName}"
        error = record.exc_info[1] if record.exc_info else None
        if error is not None:
            line |= {name: value for name, value in error_line("", error).items() if value}
        sys.stderr.write(encode(line).decode() + "\n")


@contextmanager
def as_json() -> Iterator[None]:
    """Python's own log goes to standard error by JSON lines."""
    root, lines = logging.getLogger(), JsonLines(logging.WARNING)
    root.addHandler(lines)
    try:
        yield
    finally:
        root.removeHandler(lines)


def error_line(request_id: str, error: BaseException) -> dict[str, Any]:
    """An error nobody foresaw: where it happened, without its text, which may hold what a caller sent."""
    frames, trace = [], error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        frames.append(f"{code.co_filename.rpartition('/')[2]}:{trace.tb_lineno} {code.co_name}")
        trace = trace.tb_next
    where = " < ".join(reversed(frames[-3:]))
    return {"level": "error", "id": request_id, "error": type(error).__name__, "where": where}


def report(request_id: str, error: BaseException) -> None:
    """An error nobody foresaw, on standard error."""
    sys.stderr.write(encode(error_line(request_id, error)).decode() + "\n")
