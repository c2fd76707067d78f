"""Server-sent events: whatever the reads, the same events."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.errors import Failed
from penstock.wire import sse
from penstock.wire.sse import Blocks, payloads

LINES = st.sampled_from(
    [b"data: a", b"data: {\"b\": 1}", b"data:c", b"data:", b": comment", b"event: ping", b"id: 1", b"data: \xe2\x82\xac", b"x"]
)  # fmt: skip
EVENTS = st.lists(st.lists(LINES, min_size=1, max_size=3), max_size=5)
ENDS = st.sampled_from([b"\n", b"\r\n", b"\r"])


def split(data: bytes, cuts: Iterable[int]) -> list[bytes]:
    """The data in pieces that end at these places."""
    places = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [data[a:b] for a, b in pairwise(places)]


def fed(pieces: Iterable[bytes]) -> tuple[bytes, bytes]:
    """What blocks give out of these reads, and what they still hold."""
    blocks = Blocks()
    given_out = [blocks.feed(piece) for piece in pieces]
    assert [block for block in given_out if block and not block.endswith(b"\n\n")] == []
    return b"".join(given_out), blocks.rest()


@given(EVENTS, LINES, ENDS, st.lists(st.integers(0, 10_000), max_size=12))
def test_any_split_gives_the_same_events(
    events: list[list[bytes]], last: bytes, end: bytes, cuts: list[int]
) -> None:
    data = b"".join(end.join(lines) + end * 2 for lines in events) + last
    whole = b"".join(b"\n".join(lines) + b"\n\n" for lines in events)
    assert fed(split(data, cuts)) == (whole, last)
    assert fed([bytes([one]) for one in data]) == (whole, last)


@given(EVENTS, st.lists(ENDS, min_size=40, max_size=40))
def test_line_ends_may_mix(events: list[list[bytes]], ends: list[bytes]) -> None:
    # CR before LF is one line end, so a line that ends in CR is followed by one that does not begin with LF.
    each = iter(ends)
    data = whole = b""
    for lines in events:
        for line in lines:
            data += line + next(each)
        data += b"\r\n"
        whole += b"\n".join(lines) + b"\n\n"
    assert payloads(fed([data])[0]) == payloads(whole)
    assert fed([bytes([one]) for one in data])[0] == fed([data])[0]


@given(st.binary(max_size=80), st.lists(st.integers(0, 80), max_size=6))
def test_any_bytes_in_any_reads_are_cut_alike(data: bytes, cuts: list[int]) -> None:
    assert fed(split(data, cuts)) == fed([data])


def test_a_carriage_return_at_the_end_of_a_read_does_not_wait_for_its_line_feed() -> None:
    blocks = Blocks()
    assert blocks.feed(b"data: a\r\n\r") == b"data: a\n\n"
    assert blocks.feed(b"\ndata: b\r\n\r\n") == b"data: b\n\n"
    assert blocks.rest() == b""


def test_what_came_in_one_read_goes_out_in_one_piece() -> None:
    data = b"data: a\n\ndata: b\n\n"
    blocks = Blocks()
    assert blocks.feed(data) is data
    assert blocks.feed(b"") == b""


@pytest.mark.parametrize("size", [1, 7, 100])
def test_an_event_has_a_most_size_however_it_comes(size: int) -> None:
    blocks = Blocks(limit=100)
    assert blocks.feed(b"data: " + b"a" * 90 + b"\n\n") != b""
    for _ in range(100 // size):
        assert blocks.feed(b"a" * size) == b""
    with pytest.raises(Failed) as failure:
        blocks.feed(b"a" * size)
    assert failure.value.code == "upstream_too_large"


def test_payloads_of_a_block() -> None:
    block = (
        b": keep-alive\n\nevent: message_delta\ndata: {\"a\":\ndata: 1}\n\nid: 7\nretry: 5\n\ndata:[DONE]\n\ndata\n\n"
    )  # fmt: skip
    assert payloads(block) == [("message_delta", b'{"a":\n1}'), ("", b"[DONE]")]


@given(st.binary(max_size=60).filter(lambda data: b"\n" not in data and b"\r" not in data))
def test_what_is_written_is_read(payload: bytes) -> None:
    assert payloads(sse.data(payload)) == [("", payload)]
    assert fed([sse.data(payload)]) == (sse.data(payload), b"")


@given(st.binary(max_size=80))
def test_payloads_take_any_bytes(block: bytes) -> None:
    for name, data in payloads(block):
        assert isinstance(name, str)
        assert isinstance(data, bytes)


def test_done_and_keep_alive_are_events() -> None:
    assert payloads(sse.DONE) == [("", b"[DONE]")]
    assert payloads(sse.KEEP_ALIVE) == []
    assert fed([sse.DONE + sse.KEEP_ALIVE])[1] == b""
