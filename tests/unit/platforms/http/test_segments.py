"""However a reply is cut into segments, the same is read from it."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from penstock.errors import Failed
from penstock.platforms.http.connection import Connection
from penstock.platforms.target import Origin
from penstock.wire.http import Timeouts


class World:
    """Loop, transport and owner in one; nothing in it waits."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.time = self.is_closing = lambda: 0
        self.call_at = lambda when, call: self
        self.write = self.cancel = self.abort = self.pause_reading = lambda *_: None
        self.resume_reading = self.made = self.gone = lambda *_: None
        self.freed = lambda connection: self.told.append("freed")
        self.retired = lambda connection: self.told.append("retired")


Outcome = tuple[Any, bytes, str, list[str]]


def read(method: str, segments: list[bytes], close: bool) -> Outcome:
    """The head, the body, the failure, and what became of the connection."""
    world: Any = World()
    connection = Connection(world, Origin(False, "a", 80), world)
    connection.connection_made(world)
    exchange = connection.start(method, b"", Timeouts(), 1 << 30)
    for segment in segments:
        connection.data_received(segment)
    if close:
        connection.eof_received()
    body = b"".join(exchange.parts)
    state = "open" if not exchange.done else repr(exchange.failure)
    if exchange.whole and (exchange.failure or not exchange.done):
        body = b""  # never handed out
    return exchange.head, body, state, world.told


def cut(data: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[a:b] for a, b in pairwise(edges) if a < b]


names = st.text("abcdefghij-", min_size=1, max_size=9).map(lambda name: f"x-{name}")
values = st.text(st.characters(min_codepoint=33, max_codepoint=255, exclude_characters="\x7f"))
fields = st.lists(st.tuples(names, values.map(str.strip)), max_size=5)
chunks = st.lists(st.binary(min_size=1, max_size=40), max_size=6)
places = st.lists(st.integers(0, 10_000), max_size=30)


def head(status: int, headers: list[tuple[str, str]], *lines: str) -> bytes:
    text = [f"HTTP/1.1 {status} Reason", *lines, *(f"{name}: {value}" for name, value in headers)]
    return ("\r\n".join(text) + "\r\n\r\n").encode("latin-1")


@given(fields, chunks, places, st.sampled_from(["sized", "chunked", "to the end"]), st.booleans())
def test_any_segmentation_gives_the_same_reply(
    headers: list[tuple[str, str]], parts: list[bytes], at: list[int], framing: str, early: bool
) -> None:
    body = b"".join(parts)
    if framing == "sized":
        reply = head(200, headers, f"content-length: {len(body)}") + body
    elif framing == "chunked":
        framed = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in [*parts, b""])
        reply = head(200, headers, "transfer-encoding: chunked") + framed
    else:
        reply = head(200, headers) + body
    if early:
        reply = head(103, headers) + reply
    got, came, state, told = read("POST", cut(reply, at), close=framing == "to the end")
    length = [("content-length", str(len(body)))] if framing == "sized" else []
    assert got.headers == length + headers
    assert (got.status, came, state) == (200, body, "None")
    assert told == ["retired" if framing == "to the end" else "freed"]


SAMPLES = [
    b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabc",
    b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    b"HTTP/1.1 204 No Content\r\n\r\n",
    b"HTTP/1.1 200 OK\r\n\r\n",
]
junk = st.builds(
    lambda sample, at, noise, gone: sample[: at % len(sample)] + noise + sample[at % len(sample) + gone :],
    st.sampled_from(SAMPLES),
    st.integers(0, 10_000),
    st.one_of(st.binary(max_size=5), st.text("\r\n:;, 0123456789abcdef", max_size=5).map(str.encode)),
    st.integers(0, 5),
)  # fmt: skip


@given(st.sampled_from(["GET", "HEAD"]), junk, places)
@example("GET", SAMPLES[0] + SAMPLES[0], [])
def test_damaged_replies_are_read_alike_and_never_raise(
    method: str, reply: bytes, at: list[int]
) -> None:
    in_one = read(method, [reply], close=True)
    in_parts = read(method, cut(reply, at), close=True)
    assert in_parts[:3] == in_one[:3]
    assert in_one[2] == "None" or in_one[2].split("(")[0] in {k.__name__ for k in kinds(Failed)}


def kinds(kind: type[Failed]) -> set[type[Failed]]:
    return {kind}.union(*map(kinds, kind.__subclasses__()))
