"""Where sentences end, and that each is a literal span."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.rag.sentences import LONGEST, sentences


def cut(text: str) -> list[str]:
    return [text[start:end] for start, end in sentences(text)]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("One. Two! Three? Four", ["One.", "Two!", "Three?", "Four"]),
        ('He said "It works." Then left.', ['He said "It works."', "Then left."]),
        ("Dr. Smith of the U.S. Army, e.g. this.", ["Dr. Smith of the U.S. Army, e.g. this."]),
        ("It is 3.5 or v1.2.", ["It is 3.5 or v1.2."]),
        ("# Title\nText here", ["# Title", "Text here"]),
        ("- one\n- two", ["- one", "- two"]),
        ("| a | b |\n| c | d |", ["| a | b |", "| c | d |"]),
        ("今日は。はい\uff01でも", ["今日は。", "はい\uff01", "でも"]),
        ("a\n\nb", ["a", "b"]),
        ("", []),
        (" \n ", []),
    ],
)
def test_sentences_end_where_readers_see_them_end(text: str, parts: list[str]) -> None:
    assert cut(text) == parts


def test_a_text_that_was_broken_to_a_width_is_read_on() -> None:
    text = "This is a long line of a text that somebody broke to a width\nof sixty characters. And more."
    assert cut(text) == [text[:-10], "And more."]


def test_a_part_of_a_text_is_cut_by_itself() -> None:
    text = "One. Two. Three."
    assert [text[a:b] for a, b in sentences(text, 5, 9)] == ["Two."]


@given(st.text("ab .!?\n-#|`。\"')A", max_size=200))
def test_all_but_white_space_is_in_one_of_them(text: str) -> None:
    last = 0
    for start, end in sentences(text):
        assert text[last:start].strip() == ""
        assert 0 < end - start <= LONGEST
        assert text[start:end].strip() == text[start:end]
        last = end
    assert text[last:].strip() == ""


def test_what_has_no_end_is_cut_between_words() -> None:
    parts = cut("word " * 1_000)
    assert all(len(part) <= LONGEST for part in parts)
    assert {word for part in parts for word in part.split()} == {"word"}
    assert sum(map(len, cut("x" * 5_000))) == 5_000


@pytest.mark.parametrize("sign", [".", " ", "\t", ".)", "?!\u2026"])
def test_what_has_no_end_is_read_once(sign: str) -> None:
    text = sign * (60_000 // len(sign)) + "x"
    begun = time.process_time()
    assert sentences(text)
    assert time.process_time() - begun < 2  # tens of seconds where it is read from every place
