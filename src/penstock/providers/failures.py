"""What a provider's refusals mean, in fixed words: its own text may name keys and accounts."""

from __future__ import annotations

import math
import re
from typing import Any

import msgspec

from penstock.config import Target
from penstock.errors import Failed, Processed
from penstock.wire.chat import KNOWN, Ask, Event
from penstock.wire.http import Headers, header
from penstock.wire.json import parser

MAX_RETRY_AFTER = 86_400.0

_FIELD = re.compile(r"[a-z_]+(?:[.\[][a-z0-9_.\[\]]*)?", re.IGNORECASE)
_TOO_LONG = re.compile(r"context.?length|prompt is too long|context window", re.IGNORECASE)
_TOO_LARGE = re.compile(r"request (?:is )?too large", re.IGNORECASE)
_FILTERED = frozenset({"content_filter", "content_policy_violation"})

Meaning = tuple[str, Processed, str]

_BY_STATUS: dict[int, Meaning] = {
    401: ("upstream_unauthorized", "no", "The target refused the gateway's key."),
    403: ("upstream_unauthorized", "no", "The target refused the gateway's key."),
    404: ("upstream_model_not_found", "no", "The target does not know this model."),
    408: ("upstream_timeout", "unknown", "The target timed out."),
    409: ("upstream_failed", "unknown", "The target reported a conflict."),
    425: ("upstream_failed", "unknown", "The target asked to try later."),
    429: ("upstream_rate_limited", "no", "The target's rate limit is reached."),
    503: ("upstream_overloaded", "no", "The target is overloaded."),
    504: ("upstream_timeout", "unknown", "The target timed out."),
    529: ("upstream_overloaded", "no", "The target is overloaded."),
}
_REDIRECTED: Meaning = ("upstream_redirected", "no", "The target redirected; that is not followed.")
_FAILED: Meaning = ("upstream_failed", "unknown", "The target failed.")

_decode = parser(Any)


def by_status(status: int, headers: Headers, code: str, text: str, param: str | None) -> Failed:
    """A Failed from a status and what could be read of the body: its code, message and field."""
    if 400 <= status < 500 and status not in _BY_STATUS:
        return refused(status, code, text, param)
    meaning = _BY_STATUS.get(status) or (_REDIRECTED if 300 <= status < 400 else _FAILED)
    name, processed, message = meaning
    return Failed(
        message,
        code=name,
        processed=processed,
        upstream_status=status,
        # A wait after a request that is too large by itself says nothing to others.
        retry_after=None if _TOO_LARGE.search(text) else retry_after(headers),
    )


def refused(status: int, code: str, text: str, param: str | None) -> Failed:
    """The target found fault with the request: shown as 400, since a repeat will not help."""
    field = param if param and _FIELD.fullmatch(param) and _head(param) in KNOWN else None
    too_long = code == "context_length_exceeded" or bool(_TOO_LONG.search(text))
    if too_long:
        name, message = (
            "context_length_exceeded",
            "The request is longer than the target's context.",
        )
    elif code in _FILTERED:
        name, message = "content_filter", "The target's content filter refused the request."
    else:
        name = "upstream_refused"
        message = f"The target refused the request{f': see {field}' if field else ''}."
    failed = Failed(
        message,
        code=name,
        processed="no",
        upstream_status=status,
        retryable=too_long,
        param=field,
        text="Bad Request",
    )
    failed.status = 400
    failed.type = "invalid_request_error"
    return failed


def retry_after(headers: Headers) -> float | None:
    """Seconds from `retry-after-ms` or `retry-after`, of which a date is counted from the reply's own."""
    for name, scale in (("retry-after-ms", 1000), ("retry-after", 1)):
        value = header(headers, name)
        try:
            seconds = float(value) / scale if value else math.nan
        except ValueError:
            continue
        if 0 <= seconds < math.inf:
            return min(seconds, MAX_RETRY_AFTER)
    return _until(header(headers, "retry-after") or "", header(headers, "date") or "")


def _until(then: str, now: str) -> float | None:
    """Seconds between two dates, None where one of them is none."""
    if not (then and now):
        return None
    from penstock.wire import dates  # few replies name one, and a Worker starts without it

    since = dates.parse(now, 0.0)
    until = None if since is None else dates.parse(then, since)
    if since is None or until is None:
        return None
    return min(max(0.0, float(until - since)), MAX_RETRY_AFTER)


def error_fields(body: bytes) -> tuple[str, str, str | None]:
    """(code, message, param) of an error body in OpenAI's, Anthropic's or a bare form."""
    try:
        value = _decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        return "", "", None
    error: Any = value.get("error", value) if isinstance(value, dict) else value
    if not isinstance(error, dict):
        return "", error if isinstance(error, str) else "", None
    code = error.get("code") or error.get("type")
    message, param = error.get("message"), error.get("param")
    return (
        code if isinstance(code, str) else "",
        message if isinstance(message, str) else "",
        param if isinstance(param, str) else None,
    )


def unreadable() -> Failed:
    """The reply is not what this kind of provider sends."""
    return Failed("The target's reply could not be read.", code="upstream_unreadable")


def in_reply(event: Event, code: str = "") -> Failed:
    """The target reported an error within a reply that began well."""
    before = not (event.data or event.usage)
    if before and code in ("overloaded_error", "rate_limit_error", "rate_limit_exceeded"):
        return Failed("The target is overloaded.", code="upstream_overloaded", processed="no")
    return Failed("The target reported an error within its reply.")


def beyond(ask: Ask, target: Target) -> str | None:
    """The field that asks for more than the target can do, whatever its provider."""
    if ask.tools and not target.tools:
        return "tools"
    if ask.images and not target.images:
        return "messages"
    return None


def _head(param: str) -> str:
    return re.split(r"[.\[]", param, maxsplit=1)[0]
