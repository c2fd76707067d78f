"""The paths a test uses to look at the fake provider and to set its faults: /_meter, /_fault, ..."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs, unquote

import msgspec

from load.fake_provider import faults
from load.fake_provider.faultbook import FaultBook
from load.fake_provider.http1 import Incoming, header_pairs
from load.fake_provider.meter import Meter
from load.fake_provider.plan import Reply
from load.fake_provider.provider import encode

POLL_SECONDS = 0.002
WAIT_LIMIT_SECONDS = 30.0


class FaultBody(msgspec.Struct):
    """POST /_fault."""

    fault: str
    arg: str | int | float | None = None
    times: int | None = None
    path: str = ""


class Control:
    """Answers the control paths; they need no key and are neither counted nor kept."""

    def __init__(self, meter: Meter, book: FaultBook) -> None:
        self.meter = meter
        self.book = book
        self.gate = asyncio.Event()

    async def answer(self, method: str, target: str, request: Incoming) -> Reply:
        """One control request."""
        path, _, query_text = target.partition("?")
        query = {name: values[-1] for name, values in parse_qs(query_text).items()}
        if path == "/_meter" and method == "GET":
            await self._wait(query)
            return _json(self.meter.report())
        if path.startswith("/_meter/") and method == "GET":
            found = self.meter.look_up(unquote(path[8:]))
            return _json(found) if found else _json({"error": "unknown"}, 404)
        if path.startswith("/_usage/") and method == "GET":
            usage = self.meter.usage_of(unquote(path[8:]))
            return _json(usage) if usage else _json({"error": "unknown"}, 404)
        if path == "/_requests" and method == "GET":
            return _json(self._requests(int(query.get("last", "100"))))
        return self._act(method, path, request.body)

    def _act(self, method: str, path: str, body: bytes) -> Reply:
        if (method, path) == ("DELETE", "/_meter"):
            self.meter.reset()
        elif (method, path) == ("DELETE", "/_fault"):
            self.book.clear()
            self.release()
        elif (method, path) == ("POST", "/_release"):
            self.release()
        elif (method, path) == ("POST", "/_fault"):
            return self._set_fault(body)
        else:
            return _json({"error": "no such path"}, 404)
        return _json({"ok": True})

    def release(self) -> None:
        """Lets every call go on that a `gate` holds now; later ones are held again."""
        gate, self.gate = self.gate, asyncio.Event()
        gate.set()

    async def _wait(self, query: dict[str, str]) -> None:
        """`?finished=N` or `?calls=N`: waits for that many, at most `wait` seconds (default 10)."""
        calls, finished = int(query.get("calls", "0")), int(query.get("finished", "0"))
        limit = min(float(query.get("wait", "10")), WAIT_LIMIT_SECONDS)
        for _ in range(int(limit / POLL_SECONDS)):
            if self.meter.calls >= calls and self.meter.finished >= finished:
                return
            await asyncio.sleep(POLL_SECONDS)

    def _set_fault(self, body: bytes) -> Reply:
        try:
            asked = msgspec.json.decode(body, type=FaultBody)
            arg = "" if asked.arg is None else f"={asked.arg}"
            fault = faults.parse(asked.fault + arg)
        except ValueError as error:
            return _json({"error": str(error)}, HTTPStatus.BAD_REQUEST)
        self.book.add(fault, asked.times, asked.path)
        return _json({"ok": True})

    def _requests(self, last: int) -> list[dict[str, Any]]:
        kept = list(self.meter.requests)[-last:] if last else []
        return [_shown(head, body) for head, body in kept]


def _shown(head: bytes, body: bytes) -> dict[str, Any]:
    method, target, _ = head.partition(b"\r\n")[0].decode("latin-1").split(" ")
    text = body.decode("utf-8", "replace")
    return {"method": method, "target": target, "headers": header_pairs(head), "body": text}


def _json(value: Any, status: int = 200) -> Reply:
    return Reply(status, (encode(value),))
