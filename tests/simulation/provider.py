"""Providers that go wrong as providers do, and keep a meter of their own: what they charged is what the books must say."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from penstock.errors import Broken, NotSent, Stalled
from penstock.wire.http import JSON, Request, Response

PRICES = {"m": (150_000_000, 75_000_000, 600_000_000), "e": (20_000_000, 20_000_000, 0)}
"""Nano-dollars per million tokens of input, cached input and output: what settings.py configures, written again."""
SSE = ("content-type", "text/event-stream")
FAULTS = ("unsent", "lost", "reset", "stall", "busy", "down", "fault", "refused", "garbled", "mute")
CUTS = ("broken", "short", "stalled", "error", "overloaded", "mute")


@dataclass
class Bill:
    """What one call took, in the provider's own books; `charged` once it has ended."""

    model: str
    input: int
    cached: int
    output: int
    open: bool = True
    free: bool = False

    @property
    def nanos(self) -> int:
        """The charge: the sum of units times price, rounded up once."""
        if self.free:
            return 0
        plain, cached, output = PRICES[self.model]
        total = (self.input - self.cached) * plain + self.cached * cached + self.output * output
        return -(-total // 1_000_000)

    @property
    def tokens(self) -> int:
        return 0 if self.free else self.input + self.output

    def usage(self) -> dict[str, Any]:
        """As this kind of provider reports it."""
        return {
            "prompt_tokens": self.input,
            "completion_tokens": self.output,
            "total_tokens": self.input + self.output,
            "prompt_tokens_details": {"cached_tokens": self.cached},
        }


class Reply:
    """A stream on its way: its parts come one crossing at a time; a connection that is closed ends the call."""

    def __init__(
        self, provider: Providers, name: str, bill: Bill, parts: list[bytes | Exception]
    ) -> None:
        self.closed = False
        self.bill = bill
        self._provider = provider
        self._name = name
        self._parts = parts
        self._sent = 0

    def next(self) -> bytes:
        """The next part; raises what the connection does, StopAsyncIteration at the end."""
        if self._sent >= len(self._parts):
            self.end(whole=True)
            raise StopAsyncIteration
        part = self._parts[self._sent]
        self._sent += 1
        if isinstance(part, Exception):
            self.end(whole=False)
            raise part
        if part.startswith(b"data: [DONE]"):
            self.end(whole=True)
        return part

    def close(self) -> None:
        """The gateway is not, or no more, at the other end."""
        if not self.closed:
            self.closed = True
            if self.bill.open:
                self._provider.cancelled(self._name, self.bill)

    def end(self, *, whole: bool) -> None:
        """All was sent, or the provider broke it off: it is charged for, all of it or a part."""
        if self.bill.open:
            self.bill.open = False
            if not whole:
                self.bill.output = self._provider.part(self.bill.output)


@dataclass
class Providers:
    """All of them: which goes wrong how is drawn; `before` is asked at each call whether it may come at all."""

    rng: random.Random
    settings: Mapping[str, Mapping[str, Any]]
    before: Callable[[str], None]
    trouble: float
    forgetful: bool
    """Whether a look-up tells of a call only once it has ended."""
    bills: dict[str, Bill] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)
    late: dict[str, int] = field(default_factory=dict)

    def answer(self, request: Request) -> Response:
        """One HTTP exchange as it goes at the provider's end; raises what the client would."""
        name = request.target.decode().removeprefix("http://").partition(".")[0]
        if request.method == "GET":
            return self._looked_up(request.target.decode().rpartition("/")[2])
        mark = request.header("x-request-id") or ""
        fault = self.rng.choice(FAULTS) if self.rng.random() < self.trouble else ""
        if fault == "unsent":
            raise NotSent
        self.before(mark)
        if fault == "lost":
            raise Broken("Reset.")
        refused = {"busy": 429, "down": 503, "fault": 500, "refused": 400}.get(fault)
        if refused is not None:
            return Response(refused, [JSON], b'{"error": {"message": "no"}}')
        assert isinstance(request.body, bytes)
        asked = json.loads(request.body)
        cut = self.rng.choice(CUTS) if fault and asked.get("stream") else ""
        if cut == "overloaded":
            return self._overloaded(name)
        bill = self._take(name, mark, request.header("idempotency-key"), asked)
        if asked.get("stream"):
            return self._streamed(name, bill, cut)
        bill.open = False
        if fault in ("reset", "stall"):
            raise Broken("Reset.") if fault == "reset" else Stalled("Silence.")
        return Response(200, [JSON], b"{" if fault == "garbled" else _whole(asked, bill, fault))

    def cancelled(self, name: str, bill: Bill) -> None:
        """A stream whose other end went away."""
        bill.open = False
        if self.settings[name].get("on_disconnect") == "none":
            bill.free = True
        else:
            bill.output = self.part(bill.output)

    def part(self, output: int) -> int:
        """Of an answer that was cut: nobody knows what is charged of it but the provider."""
        return self.rng.randint(0, output)

    def _take(self, name: str, mark: str, key: str | None, asked: Mapping[str, Any]) -> Bill:
        """The call's bill; a repeat under its key is the first call's."""
        if key is not None and self.settings[name].get("idempotent"):
            first = self.keys.setdefault(key, mark)
            if first in self.bills:
                return self.bills[first]
        bill = self.bills[mark] = self._bill(asked)
        return bill

    def _bill(self, asked: Mapping[str, Any]) -> Bill:
        if "input" in asked:
            size = sum(len(text) for text in asked["input"])
            return Bill("e", self.rng.randint(1, size), 0, 0)
        size = sum(len(message["content"]) for message in asked["messages"])
        most = asked.get("max_tokens") or asked.get("max_completion_tokens") or 200
        used = self.rng.randint(1, size)
        cached = self.rng.randint(0, used) if self.rng.random() < 0.3 else 0
        output = most if self.rng.random() < 0.3 else self.rng.randint(0, most)
        return Bill("m", used, cached, output)

    def _overloaded(self, name: str) -> Response:
        """A stream that says nothing but that it cannot be: it is not charged."""
        said = _event({"error": {"code": "overloaded_error", "message": "no"}})
        return self._reply(name, Bill("m", 0, 0, 0, open=False), [said])

    def _streamed(self, name: str, bill: Bill, cut: str) -> Response:
        parts: list[bytes | Exception] = [_chunk({"role": "assistant", "content": ""})]
        parts += [_chunk({"content": f"word{i} "}) for i in range(self.rng.randint(1, 4))]
        parts += [_chunk({}, "stop"), _event({"choices": [], "usage": bill.usage()})]
        parts.append(b"data: [DONE]\n\n")
        return self._reply(name, bill, self._cut(parts, cut))

    def _reply(self, name: str, bill: Bill, parts: list[bytes | Exception]) -> Response:
        reply = Reply(self, name, bill, parts)
        return Response(200, [SSE], reply)  # type: ignore[arg-type]  # a replica makes a Stream of it

    def _cut(self, parts: list[bytes | Exception], cut: str) -> list[bytes | Exception]:
        if not cut:
            return parts
        if cut == "mute":
            return [*parts[:-2], parts[-1]]
        at = self.rng.randint(0, len(parts) - 2)
        ends: dict[str, bytes | Exception] = {
            "broken": Broken("Reset."),
            "stalled": Stalled("Silence."),
            "error": _event({"error": {"code": "x", "message": "no"}}),
        }
        return [*parts[:at], ends[cut]] if cut in ends else parts[:at]

    def _looked_up(self, mark: str) -> Response:
        if self.rng.random() < self.trouble:
            if self.rng.random() < 0.5:
                raise NotSent
            return Response(500, [JSON], b"{}")
        bill = self.bills.get(mark)
        if bill is None or (bill.open and self.forgetful):
            return Response(404, [JSON], b"{}")
        late = self.late.setdefault(mark, self.rng.randint(0, 2))
        if bill.open or (late and self.trouble):
            self.late[mark] = late - 1
            return Response(200, [JSON], b'{"usage": null}')
        told = Bill(bill.model, 0, 0, 0) if bill.free else bill
        return Response(200, [JSON], json.dumps({"usage": told.usage()}).encode())


def _whole(asked: Mapping[str, Any], bill: Bill, fault: str) -> bytes:
    told = {} if fault == "mute" else {"usage": bill.usage()}
    if "input" in asked:
        rows = [{"index": i, "embedding": [0.5, 0.25]} for i in range(len(asked["input"]))]
        return json.dumps({"data": rows, **told}).encode()
    message = {"role": "assistant", "content": "Hello"}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    return json.dumps(
        {"id": "c", "object": "chat.completion", "choices": [choice], **told}
    ).encode()


def _chunk(delta: dict[str, Any], finish: str | None = None) -> bytes:
    return _event({"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]})


def _event(body: dict[str, Any]) -> bytes:
    whole = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", **body}
    return b"data: " + json.dumps(whole).encode() + b"\n\n"
