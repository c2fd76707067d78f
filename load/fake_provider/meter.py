"""The provider's own record of what it charged, written apart from the gateway's."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec.structs import replace

from load.fake_provider.answer import Usage
from load.fake_provider.http1 import header_pairs
from load.fake_provider.plan import Plan
from load.fake_provider.settings import Price, Settings

PER_MILLION = 1_000_000
KEPT_REQUESTS = 1_000
KEPT_REQUEST_BYTES = 64_000_000


def charge(usage: Usage, price: Price) -> int:
    """Nano-dollars of one call: the sum of units times price, rounded up once."""
    total = (
        usage.input * price.input
        + usage.cached_input * price.cached_input
        + usage.cache_write * price.cache_write
        + usage.output * price.output
    )
    return -(-total // PER_MILLION)


class Call(msgspec.Struct, eq=False):
    """One call the provider took; it is charged when it ends, whichever way that is.

    Only what is needed to charge it is worked out while it runs; `row` and the index do the rest.
    """

    number: int
    path: str
    plan: Plan
    full_charge: int
    head: bytes
    body_sha256: str
    at: float
    epoch: int
    output: int
    status: int
    state: str = "running"
    charged_nanos: int = 0

    @property
    def id(self) -> bytes:
        """The part of the reply's id that is the call's own."""
        return b"%024x" % self.number

    def keys(self) -> dict[str, str]:
        """The names the caller gave the call in its headers."""
        given = dict(header_pairs(self.head))
        return {
            "x_request_id": given.get("x-request-id", ""),
            "idempotency_key": given.get("idempotency-key", ""),
        }

    def row(self) -> dict[str, Any]:
        """The call as /_meter shows it."""
        usage = self.plan.usage
        return {
            "id": self.id.decode(),
            "model": self.plan.model,
            "path": self.path,
            "status": self.status,
            "state": self.state,
            "completed": self.state == "done",
            "streamed": self.plan.reply.streamed,
            "input": usage.input,
            "cached_input": usage.cached_input,
            "cache_write": usage.cache_write,
            "output": self.output,
            "reasoning": min(usage.reasoning, self.output),
            "charged_nanos": self.charged_nanos,
            **self.keys(),
            "body_sha256": self.body_sha256,
            "at": self.at,
        }


class Meter:
    """Counts every call and, unless told not to, keeps a bounded number of rows and raw requests."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.epoch = 0
        self.reset()

    def reset(self) -> None:
        """Forgets everything; calls still running are not counted when they end."""
        self.calls = 0
        self.finished = 0
        self.charged_calls = 0
        self.charged_nanos = 0
        self.rows: deque[Call] = deque()
        self.by_key: dict[str, list[Call]] = {}
        self.unindexed: list[Call] = []
        self.requests: deque[tuple[bytes, bytes]] = deque()
        self.request_bytes = 0
        self.epoch += 1

    def open(self, call: Call) -> None:
        """Takes a call in, before anything is answered."""
        self.calls += 1
        if not self.settings.keep_rows:
            return
        self.rows.append(call)
        self.unindexed.append(call)
        if len(self.rows) > self.settings.max_rows:
            self._index()
            self._forget(self.rows.popleft())

    def count(self, charged_nanos: int) -> None:
        """A call that came and ended in one go, of which no row is kept."""
        self.calls += 1
        self.finished += 1
        self.charged_calls += charged_nanos > 0
        self.charged_nanos += charged_nanos

    def close(self, call: Call, output: int | None = None, state: str = "done") -> None:
        """Charges a call: in full, or with `output` tokens for what was generated before a cut."""
        if call.state != "running" or call.epoch != self.epoch:
            return
        call.state = state
        call.charged_nanos = call.full_charge
        if output is not None and output < call.output and call.full_charge:
            call.output = output
            price = self.settings.price(call.plan.model)
            call.charged_nanos = charge(replace(call.plan.usage, output=output), price)
        self.finished += 1
        self.charged_calls += call.charged_nanos > 0
        self.charged_nanos += call.charged_nanos

    def replayed(self, key: str) -> bool:
        """Whether a call with this idempotency key was charged before: then it is not again."""
        self._index()
        return any(call.charged_nanos for call in self.by_key.get(key, ()))

    def keep_request(self, head: bytes, body: bytes) -> None:
        """Keeps a raw request for GET /_requests, within a bound of count and of bytes."""
        self.requests.append((head, body))
        self.request_bytes += len(body)
        while len(self.requests) > KEPT_REQUESTS or self.request_bytes > KEPT_REQUEST_BYTES:
            self.request_bytes -= len(self.requests.popleft()[1])

    def report(self) -> dict[str, Any]:
        """The whole meter."""
        rows = [call.row() for call in self.rows]
        return {
            "calls": self.calls,
            "finished": self.finished,
            "charged_calls": self.charged_calls,
            "charged_nanos": self.charged_nanos,
            "rows": rows,
        }

    def look_up(self, key: str) -> dict[str, Any] | None:
        """What was charged under a request id or idempotency key; None for one never seen."""
        self._index()
        calls = self.by_key.get(key)
        return {"id": key, **_sums(calls)} if calls else None

    def usage_of(self, request_id: str) -> dict[str, Any] | None:
        """What a call took, by its x-request-id alone, in OpenAI's form: no usage while it runs, none charged is zeros."""
        self._index()
        named = [
            c for c in self.by_key.get(request_id, ()) if c.keys()["x_request_id"] == request_id
        ]
        if not named:
            return None
        if any(call.state == "running" for call in named):
            return {"id": request_id, "usage": None}
        sums = _sums(call for call in named if call.charged_nanos)
        return {"id": request_id, "usage": _openai_usage(sums)}

    def _index(self) -> None:
        for call in self.unindexed:
            for key in set(call.keys().values()) - {""}:
                self.by_key.setdefault(key, []).append(call)
        self.unindexed.clear()

    def _forget(self, call: Call) -> None:
        for key in set(call.keys().values()) - {""}:
            calls = self.by_key[key]
            calls.remove(call)
            if not calls:
                del self.by_key[key]


def _sums(calls: Iterable[Call]) -> dict[str, Any]:
    rows = [call.row() for call in calls]
    names = ("input", "cached_input", "cache_write", "output", "charged_nanos")
    sums = {name: sum(row[name] for row in rows) for name in names}
    running = any(row["state"] == "running" for row in rows)
    return {"calls": len(rows), "running": running, **sums, "rows": rows}


def _openai_usage(sums: dict[str, Any]) -> dict[str, Any]:
    prompt = sums["input"] + sums["cached_input"] + sums["cache_write"]
    return {
        "prompt_tokens": prompt,
        "completion_tokens": sums["output"],
        "total_tokens": prompt + sums["output"],
        "prompt_tokens_details": {
            "cached_tokens": sums["cached_input"],
            "cache_write_tokens": sums["cache_write"],
        },
        "completion_tokens_details": {
            "reasoning_tokens": sum(row["reasoning"] for row in sums["rows"])
        },
    }
