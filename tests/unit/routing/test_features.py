"""What a learned router sees of an ask."""

from __future__ import annotations

import sys
from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.routing import features
from penstock.routing.features import BACK, READ, SIZE, STRUCTURE, of_text
from penstock.wire.chat import Ask, decode_chat
from penstock.wire.json import encode

ROOM = SIZE - STRUCTURE
PROVE = 2156375808
ABROAD = 3660232427


def slot(term: bytes) -> int:
    return STRUCTURE + crc32(term) % ROOM


@given(st.text(max_size=300), st.integers(1, 30), st.booleans(), st.booleans())
def test_they_are_numbers_of_the_range_ascending(
    text: str, turns: int, tools: bool, images: bool
) -> None:
    found = of_text(text, turns, tools=tools, images=images)
    assert found == sorted(set(found))
    assert found
    assert 0 <= found[0] <= found[-1] < SIZE


@given(st.text(max_size=200))
def test_the_same_text_is_the_same(text: str) -> None:
    assert of_text(text) == of_text(text)


def test_they_stand_still() -> None:
    """A router's file outlives an interpreter: these are what version 1 means."""
    assert features.VERSION == 1
    assert crc32(repr(of_text("Prove that $x^2 + 1 > 0$ for all x.")).encode()) == PROVE
    assert crc32(repr(of_text("¿Qué hora es? 今天天气 Привет 🙂")).encode()) == ABROAD


def test_words_and_pairs_of_neighbours() -> None:
    found = set(of_text("Tell me more"))
    for term in (b"tell", b"me", b"tell me", b"me more", b"^tell me more", b"$more"):
        assert slot(term) in found
    assert slot(b"ell") not in found


def test_numbers_count_by_their_length_alone() -> None:
    assert of_text("add 17 and 25") == of_text("add 84 and 39")
    assert of_text("add 17 and 25") != of_text("add 17 and 250")


def test_scripts_without_spaces_have_characters_for_words() -> None:
    found = set(of_text("今天"))
    assert {slot("今".encode()), slot("天".encode()), slot("今 天".encode())} <= found


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("a b c", "a b c?"),
        ("what is it", "what is it\n```\nx\n```"),
        ("sum", "$\\sum$"),
        ("items", "- one\n- two\n- three"),
        ("short", "short " * 50),
    ],
)
def test_structure_shows(one: str, other: str) -> None:
    assert {at for at in of_text(one) if at < STRUCTURE} != {
        at for at in of_text(other) if at < STRUCTURE
    }


def test_turns_tools_and_images_show() -> None:
    plain = of_text("hello")
    assert len({tuple(plain), *(tuple(of_text("hello", turns)) for turns in (2, 3, 5, 9, 17))}) == 6
    assert of_text("hello", tools=True) != plain
    assert of_text("hello", images=True) != plain


@pytest.mark.parametrize(
    "piece",
    ["a", "a'", "\\", "$a", " -", "(((", "1.", "A", "é", "今", "🙂", "\ud800", "a\n", "```", " "],
)
def test_what_is_read_is_bounded_whatever_stands_there(piece: str) -> None:
    """Steps of the interpreter, not seconds: no more for ten times the text, and few for the longest that is read."""
    steps = [lines_run(piece * (size // len(piece))) for size in (READ, 10 * READ)]
    assert steps[1] <= 1.1 * steps[0] + 50
    assert steps[1] < 60_000


def test_long_words_are_cut() -> None:
    assert of_text("x" * 200 + " y") == of_text("x" * 200 + " y")
    assert slot(b"x" * 24) in of_text("x" * 200)


def lines_run(text: str) -> int:
    """Lines of Python that one look takes."""
    count = 0

    def trace(frame, event, arg):
        nonlocal count
        count += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        of_text(text)
    finally:
        sys.settrace(before)
    return count


def conversation(*said: tuple[str, object]) -> Ask:
    messages = [{"role": role, "content": content} for role, content in said]
    return decode_chat(encode({"model": "auto", "messages": messages}))


def test_a_short_last_message_is_read_with_what_the_user_said_before() -> None:
    asked = conversation(
        ("system", "Be kind."), ("user", "Prove it."), ("assistant", "How?"), ("user", "go on")
    )
    assert features.read(asked) == "go on\nProve it."
    assert slot(b"prove") in features.slots(asked)
    assert slot(b"kind") not in features.slots(asked)


def test_parts_of_an_earlier_message_are_read_as_its_text() -> None:
    image = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}
    parts = [image, {"type": "text", "text": "Prove it."}]
    asked = conversation(("user", parts), ("assistant", "How?"), ("user", "go on"))
    assert features.read(asked) == "go on\nProve it."


def test_who_said_nothing_before_is_read_alone() -> None:
    assert features.read(conversation(("system", "Be kind."), ("user", "hello"))) == "hello"
    assert features.read(conversation(("user", "go on"))) == "go on"


def test_a_last_message_that_says_enough_is_read_alone() -> None:
    enough = "explain " * 30
    assert features.read(conversation(("user", "Prove it."), ("user", enough))) == enough


def test_of_a_long_message_before_the_start_is_read() -> None:
    asked = conversation(("user", "word " * 100_000), ("user", "go on"))
    assert len(features.read(asked)) <= READ + len("go on\n")


def test_no_more_than_so_many_messages_are_looked_through() -> None:
    between = [("assistant", "Hm.")] * (BACK - 2)
    near = conversation(("user", "Prove it."), *between, ("user", "go on"))
    far = conversation(("user", "Prove it."), *between, ("assistant", "Hm."), ("user", "go on"))
    assert (features.read(near), features.read(far)) == ("go on\nProve it.", "go on")
