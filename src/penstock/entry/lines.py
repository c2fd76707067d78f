"""What a log says, one JSON line each: never a body, a credential, a prompt or an exception's text."""

from __future__ import annotations

import sys
from typing import Any

from penstock.wire.http import Request
from penstock.wire.json import encode


def request_line(request: Request, at: float, status: int, seconds: float) -> dict[str, Any]:
    """One request: who by hash, what by route and target, how long."""
    return {
        "at": round(at, 3),
        "method": request.method,
        "path": request.path[:200],
        "status": status,
        "ms": round(seconds * 1000, 3),
        **request.notes,
    }


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
