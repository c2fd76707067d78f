"""The faults, by name; load/README.md has the table of what each does and its argument.

There are three kinds. A status fault answers an error. A *variant* changes what is said and is the
dialect's affair. A *delivery* fault changes how the finished reply travels, and is made here as a
script: pure values that the server then acts out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import msgspec
from msgspec.structs import replace

from load.fake_provider.bomb import bomb
from load.fake_provider.plan import SSE_TYPE, Headers, Reply, framed, response_head
from load.fake_provider.provider import Provider

VARIANTS = frozenset(
    (
        "content_filter",
        "refusal",
        "empty_choices",
        "null_content",
        "tool_call",
        "big_line",
        "split_utf8",
        "usage_early",
        "usage_twice",
        "usage_missing",
    )
)
MEGABYTE = 1_000_000
FOREVER = 86_400.0
HOP_HEADERS: Headers = (
    ("connection", "keep-alive, x-private"),
    ("x-private", "1"),
    ("keep-alive", "timeout=5"),
    ("proxy-authenticate", 'Basic realm="fake"'),
    ("proxy-connection", "keep-alive"),
    ("upgrade", "h2c"),
    ("trailer", "x-late"),
    ("te", "trailers"),
    ("set-cookie", "fake=1; Path=/"),
    ("set-cookie", "other=2"),
)


class Fault(msgspec.Struct, frozen=True):
    """A fault's name and argument, as written `NAME=ARG`."""

    name: str
    arg: str = ""

    def number(self, default: float) -> float:
        """The argument's first number (`stall_mid=3,0.5` has two)."""
        return _number(self.arg.split(",")[0], default)

    def second(self, default: float) -> float:
        """The argument's second number."""
        return _number(self.arg.partition(",")[2], default)


class Step(msgspec.Struct, frozen=True):
    """After `wait` seconds (and the gate's opening) write `data`: `tokens` have been generated."""

    data: bytes
    tokens: int
    wait: float = 0.0
    gated: bool = False


class Script(msgspec.Struct, frozen=True):
    """Steps, and what then becomes of the connection: keep, close or reset."""

    steps: Iterable[Step]
    ending: str = "keep"
    charged: bool = True
    status: int = 200


def parse(text: str) -> Fault:
    """`reset_mid=3` -> Fault("reset_mid", "3"); an unknown name is a ValueError."""
    name, _, arg = text.strip().partition("=")
    fault = Fault(name, arg.strip())
    known = name in VARIANTS or name in RESHAPES or name in DELIVERIES or status_of(fault)
    if not known:
        raise ValueError(f"unknown fault {name!r}")
    return fault


def status_of(fault: Fault) -> int | None:
    """The status of a status fault: `503`, `429=2`."""
    digits = len(fault.name) == 3 and fault.name.isdigit()
    return int(fault.name) if digits and 400 <= int(fault.name) <= 599 else None


def status_reply(provider: Provider, fault: Fault, status: int) -> Reply:
    """An error in the provider's envelope; the argument is Retry-After, 1 s at 429 and 503."""
    after = fault.arg or ("1" if status in (429, 503) else "")
    headers: Headers = (("retry-after", after),) if after else ()
    return Reply(status, (provider.failure(status, f"Fault {status} as asked."),), headers=headers)


def script(provider: Provider, fault: Fault, reply: Reply) -> Script:
    """How a reply travels under a fault."""
    reshape = RESHAPES.get(fault.name)
    shaped = reshape(provider, fault, reply) if reshape else reply
    if shaped.status != reply.status:
        return Script(steps_of(shaped), charged=False, status=shaped.status)
    deliver = DELIVERIES.get(fault.name, _as_it_is)
    return deliver(fault, shaped)


def steps_of(reply: Reply) -> list[Step]:
    """The head with the first event, then a step an event; a whole body is two halves."""
    if not reply.streamed:
        return _halves(reply)
    head = response_head(reply, b"transfer-encoding: chunked")
    datas = [framed(event) for event in reply.events]
    steps = [Step(data, count) for data, count in zip(datas, reply.tokens, strict=True)]
    return [Step(head, 0), *steps, Step(b"0\r\n\r\n", reply.tokens[-1])]


def _number(text: str, default: float) -> float:
    try:
        return float(text)
    except ValueError:
        return default


def _halves(reply: Reply) -> list[Step]:
    body = reply.events[0]
    head = response_head(reply, b"content-length: %d" % len(body))
    half, tokens = len(body) // 2, reply.tokens[0]
    return [Step(head, tokens), Step(body[:half], tokens), Step(body[half:], tokens)]


# --- what the reply is -----------------------------------------------------------------------------


def _no_done(provider: Provider, fault: Fault, reply: Reply) -> Reply:
    if not reply.streamed:
        return reply
    return replace(reply, events=reply.events[:-1], tokens=reply.tokens[:-1])


def _crlf(provider: Provider, fault: Fault, reply: Reply) -> Reply:
    if not reply.streamed:
        return reply
    return replace(reply, events=tuple(e.replace(b"\n", b"\r\n") for e in reply.events))


def _error_event(provider: Provider, fault: Fault, reply: Reply) -> Reply:
    if not reply.streamed:
        return status_reply(provider, Fault("500"), 500)
    kept = int(fault.number(4))
    last = provider.error_event("The fake provider failed in the middle, as asked.")
    tokens = reply.tokens[:kept]
    spoken = tokens[-1] if tokens else 0
    return replace(reply, events=(*reply.events[:kept], last), tokens=(*tokens, spoken))


def _hop_headers(provider: Provider, fault: Fault, reply: Reply) -> Reply:
    return replace(reply, headers=reply.headers + HOP_HEADERS)


def _wrong_type(provider: Provider, fault: Fault, reply: Reply) -> Reply:
    return replace(reply, content_type=fault.arg or "text/html; charset=utf-8")


def _redirect(provider: Provider, fault: Fault, reply: Reply) -> Reply:
    location = fault.arg or "/_redirected"
    return Reply(302, (b"",), headers=(("location", location),))


def _garbage(provider: Provider, fault: Fault, reply: Reply) -> Reply:
    junk = b"\xff\xfe<html>not what you asked for\x00\n"
    return replace(reply, events=(junk,), tokens=(reply.tokens[-1],))


def _truncated(provider: Provider, fault: Fault, reply: Reply) -> Reply:
    if not reply.streamed:
        body = reply.events[0]
        return replace(reply, events=(body[: len(body) // 2],))
    kept = max(1, len(reply.events) // 2)
    cut = reply.events[kept - 1]
    events = (*reply.events[: kept - 1], cut[: len(cut) // 2])
    return replace(reply, events=events, tokens=reply.tokens[:kept])


Reshape = Callable[[Provider, Fault, Reply], Reply]
RESHAPES: dict[str, Reshape] = {
    "no_done": _no_done,
    "crlf": _crlf,
    "error_event": _error_event,
    "hop_headers": _hop_headers,
    "wrong_type": _wrong_type,
    "redirect": _redirect,
    "garbage": _garbage,
    "truncated": _truncated,
}


# --- how it travels --------------------------------------------------------------------------------


def _as_it_is(fault: Fault, reply: Reply) -> Script:
    return Script(steps_of(reply))


def _reset_before(fault: Fault, reply: Reply) -> Script:
    return Script((), "reset", charged=False)


def _reset_after(fault: Fault, reply: Reply) -> Script:
    return Script((), "reset", charged=fault.arg != "uncharged")


def _reset_mid(fault: Fault, reply: Reply) -> Script:
    return Script(steps_of(reply)[: 1 + _sent(fault, reply, 3)], "reset")


def _close_mid(fault: Fault, reply: Reply) -> Script:
    return Script(steps_of(reply)[: 1 + _sent(fault, reply, 3)], "close")


def _stall_first(fault: Fault, reply: Reply) -> Script:
    return Script(_with(steps_of(reply), 0, wait=fault.number(FOREVER)))


def _stall_mid(fault: Fault, reply: Reply) -> Script:
    at = 1 + _sent(fault, reply, 3)
    return Script(_with(steps_of(reply), at, wait=fault.second(FOREVER)))


def _gate(fault: Fault, reply: Reply) -> Script:
    events = _sent(fault, reply, 0)
    return Script(_with(steps_of(reply), events + 1 if events else 0, gated=True))


def _latency(fault: Fault, reply: Reply) -> Script:
    return Script(_with(steps_of(reply), 0, wait=fault.number(100) / 1000))


def _pace(fault: Fault, reply: Reply) -> Script:
    wait = 1 / fault.number(10)
    return Script([replace(step, wait=wait) for step in steps_of(reply)])


def _drip(fault: Fault, reply: Reply) -> Script:
    return Script(_bytewise(steps_of(reply), fault.number(1)))


def _split_utf8(fault: Fault, reply: Reply) -> Script:
    """Cuts between the bytes of every multi-byte character, each piece a write of its own."""
    body = b"".join(reply.events)
    pieces: list[bytes] = []
    start = 0
    for at, byte in enumerate(body):
        if byte & 0xC0 == 0x80:
            pieces.append(body[start:at])
            start = at
    pieces.append(body[start:])
    total = reply.tokens[-1]
    if reply.streamed:
        head = response_head(reply, b"transfer-encoding: chunked")
        datas = [framed(piece) for piece in pieces] + [b"0\r\n\r\n"]
    else:
        head = response_head(reply, b"content-length: %d" % len(body))
        datas = pieces
    return Script([Step(head, total), *(Step(data, total, wait=0.001) for data in datas)])


def _bomb(fault: Fault, reply: Reply) -> Script:
    headers = (*reply.headers, ("content-encoding", "gzip"))
    head = response_head(replace(reply, headers=headers), b"transfer-encoding: chunked")
    start = reply.events[0] + (b": " if reply.content_type == SSE_TYPE else b"")
    pieces = bomb(start, int(fault.number(100 * MEGABYTE)))
    tokens = reply.tokens[-1]
    body = (Step(framed(piece), tokens) for piece in pieces)
    return Script(_chain(Step(head, tokens), body, Step(b"0\r\n\r\n", tokens)))


def _short(fault: Fault, reply: Reply) -> Script:
    body = b"".join(reply.events)
    head = response_head(reply, b"content-length: %d" % (len(body) + 100))
    return Script([Step(head + body, reply.tokens[-1])], "close")


def _chain(first: Step, middle: Iterable[Step], last: Step) -> Iterator[Step]:
    yield first
    yield from middle
    yield last


def _sent(fault: Fault, reply: Reply, default: int) -> int:
    """How many events go out before it happens; of a whole body, at most its first half."""
    events = int(fault.number(default))
    return events if reply.streamed else min(events, 1)


def _with(steps: list[Step], at: int, wait: float = 0.0, *, gated: bool = False) -> list[Step]:
    at = min(at, len(steps) - 1)
    steps[at] = replace(steps[at], wait=wait, gated=gated)
    return steps


def _bytewise(steps: list[Step], wait: float) -> Iterator[Step]:
    spoken = 0
    for step in steps:
        for byte in step.data:
            yield Step(bytes((byte,)), spoken, wait)
        spoken = step.tokens


DELIVERIES: dict[str, Callable[[Fault, Reply], Script]] = {
    "reset_before": _reset_before,
    "reset_after": _reset_after,
    "reset_mid": _reset_mid,
    "close_mid": _close_mid,
    "stall_first": _stall_first,
    "stall_mid": _stall_mid,
    "gate": _gate,
    "latency": _latency,
    "pace": _pace,
    "drip": _drip,
    "split_utf8": _split_utf8,
    "bomb": _bomb,
    "short": _short,
}
