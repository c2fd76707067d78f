"""Errors in their envelopes, and the headers that every reply carries."""

from __future__ import annotations

from typing import Any

from penstock.errors import Error, Failed
from penstock.gateway.exchange import Exchange
from penstock.limits import headers as rate_headers
from penstock.limits.rates import NO_RETRY
from penstock.wire import sse
from penstock.wire.http import JSON, PROBLEM, Response
from penstock.wire.json import encode

OPENAI_PATHS = "/v1/"


def error(problem: Error, path: str, failed_text: str = "", *, billed: bool = False) -> Response:
    """A refusal or failure as its path's envelope: OpenAI's on `/v1/*`, RFC 9457 elsewhere.

    `billed` says that a call may have been charged before it, so that no SDK repeats the request by itself.
    """
    headers = [*problem.headers, *_wait(problem)]
    if (billed or _lasting(problem)) and NO_RETRY not in headers:
        headers.append(NO_RETRY)
    if path.startswith(OPENAI_PATHS):
        return Response(problem.status, [JSON, *headers], encode({"error": openai(problem)}))
    return Response(problem.status, [PROBLEM, *headers], encode(_problem(problem, failed_text)))


def openai(problem: Error) -> dict[str, Any]:
    """The inside of OpenAI's error envelope."""
    return {
        "message": problem.message,
        "type": problem.type,
        "param": problem.param,
        "code": problem.code,
    }


def stream_error(problem: Error) -> bytes:
    """A failure after the first byte: an event of its own, and no `[DONE]` after it."""
    return sse.data(encode({"error": openai(problem)}))


def _problem(problem: Error, failed_text: str) -> dict[str, Any]:
    text = failed_text if failed_text and problem.status in (500, 502, 504) else problem.text
    found: dict[str, Any] = {
        "type": "about:blank",
        "title": text,
        "status": problem.status,
        "detail": problem.message,
        "code": problem.code,
        "error": text,
    }
    if problem.param:
        found["param"] = problem.param
    more: dict[str, Any] = problem.extra.get("body", {})
    return found | more


def _wait(problem: Error) -> list[tuple[str, str]]:
    if isinstance(problem, Failed):
        if problem.retry_after is None:
            return []
        return [("retry-after", str(max(1, -int(-problem.retry_after // 1))))]
    if problem.status == 503 and not any(name == "retry-after" for name, _ in problem.headers):
        return [("retry-after", "1")]
    return []


def _lasting(problem: Error) -> bool:
    """Whether a repeat could be charged twice, or would be refused again."""
    if isinstance(problem, Failed):
        return problem.processed != "no"
    return problem.code == "insufficient_quota"


def common(exchange: Exchange, now: float) -> list[tuple[str, str]]:
    """The request's id and how the caller's rates stand."""
    headers = [("x-request-id", exchange.id)]
    if exchange.standings:
        headers += rate_headers.common(exchange.standings, exchange.token_standing)
        if exchange.request.path.startswith("/api/"):
            headers += rate_headers.first_design(exchange.standings, now)
    return headers
