"""Chunks are literal spans that lose nothing, and end where the text's structure does."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.rag.chunk import LEAST_SHARE, MOST, Chunk, chunks

PIECES = st.sampled_from(
    [
        "# Title\n",
        "## Part #\n",
        "Under\n=====\n",
        "\n",
        "\n\n",
        "\r\n",
        "```python\n",
        "```\n",
        "~~~\n",
        "# a comment\n",
        "| a | b |\n",
        "|---|---|\n",
        "- item\n",
        "1. item\n",
        "A sentence. Another! ",
        "句子。另一个\uff1f",
        "word ",
        "\t",
        "\x1c",
        "\u2028",
        "x" * 50,
    ]
)
TEXTS = st.one_of(st.text(), st.lists(PIECES, max_size=60).map("".join))


def cut(text: str, most: int = MOST) -> list[Chunk]:
    return list(chunks(text, most))


def shown(text: str) -> str:
    return "".join(text.split())


@given(TEXTS, st.integers(1, 300))
def test_chunks_are_spans_in_order_that_leave_out_white_space_alone(text: str, most: int) -> None:
    found = cut(text, most)
    last = 0
    for chunk in found:
        assert chunk.text == text[chunk.start : chunk.end] == chunk.text.strip()
        assert 0 < len(chunk.text) <= most
        assert last <= chunk.start
        last = chunk.end
    assert "".join(shown(chunk.text) for chunk in found) == shown(text)


@given(TEXTS)
def test_a_text_that_fits_under_no_heading_is_one_chunk(text: str) -> None:
    if text.strip() and "#" not in text and "=" not in text and "-" not in text:
        assert [chunk.text for chunk in cut(text, len(text))] == [text.strip()]


@pytest.mark.parametrize("text", ["", " ", "\n\n\t\x1c\u2028\n"])
def test_nothing_has_no_chunks(text: str) -> None:
    assert cut(text) == []


def test_a_chunk_knows_the_headings_it_stands_under() -> None:
    body = "word " * 20
    text = f"""intro {body}

# Guide
{body}
## Set up ##
{body}
### Linux
{body}
## Use
{body}
Next
====
{body}
Last
---
{body}
"""
    assert [chunk.path for chunk in cut(text, 160)] == [
        (),
        ("Guide",),
        ("Guide", "Set up"),
        ("Guide", "Set up", "Linux"),
        ("Guide", "Use"),
        ("Next",),
        ("Next", "Last"),
    ]


def test_small_sections_stay_together_and_a_section_begins_a_chunk() -> None:
    small = "# A\none\n# B\ntwo\n# C\nthree\n"
    assert [chunk.path for chunk in cut(small, 1_000)] == [("A",)]
    due = int(400 * LEAST_SHARE)
    first, second = cut("# A\n" + "a" * due + "\n# B\n" + "b" * due, 400)
    assert (first.path, second.path) == (("A",), ("B",))
    assert second.text.startswith("# B")


def test_a_fence_holds_no_headings_and_ends_by_its_own_mark() -> None:
    text = "````sh\n# comment\n```\n# more\n````\n# Real\n" + "word " * 30
    assert [chunk.path for chunk in cut(text, 60)][:2] == [(), ("Real",)]
    assert all("comment" not in chunk.path for chunk in cut(text, 20))


def test_a_text_is_cut_between_paragraphs_then_lines_then_sentences_then_words() -> None:
    one, two = "a" * 30, "b" * 30
    assert [c.text for c in cut(f"{one}\n\n{two} x\ny z", 50)] == [one, f"{two} x\ny z"]
    assert [c.text for c in cut(f"{one}\n{two}", 50)] == [one, two]
    assert [c.text for c in cut(f"{one}. {two}", 50)] == [f"{one}.", two]
    assert [c.text for c in cut(f"{one} {two}", 50)] == [one, two]
    assert [c.text for c in cut(one + two, 50)] == [one + two[:20], two[:10]]
    assert [c.text for c in cut("一二三四。五六七八。", 7)] == ["一二三四。", "五六七八。"]


def test_a_place_that_would_leave_a_chunk_nearly_empty_is_passed_over() -> None:
    text = "Short. " + "word " * 40
    assert [len(c.text) for c in cut(text, 100)][:2] == [96, 99]


def test_a_list_is_cut_between_its_items() -> None:
    item = "- " + "a" * 85 + "\n"
    assert [c.text[:4] for c in cut(f"{item}- bbb\n  ccc\n", 97)] == ["- aa", "- bb"]


def test_rows_of_a_table_know_its_first() -> None:
    rows = "".join(f"| {number} | {number} |\n" for number in range(10_00, 10_20))
    found = cut(f"Sums:\n\n| year | sum |\n|---|---|\n{rows}\nafter it", 120)
    assert found[0].text.startswith("Sums:")
    assert found[0].head == ""
    inside = [chunk for chunk in found[1:] if chunk.text.startswith("|")]
    assert len(inside) > 1
    assert {chunk.head for chunk in inside[1:]} == {"| year | sum |"}
    assert inside[1].titles == ("| year | sum |",)


def test_a_row_follows_its_own_table_alone() -> None:
    text = "| a | b |\n| 1 | 2 |\n\nwords between them\n\n| c | d |\n| 3 | 4 |\n"
    heads = {chunk.text[:5]: chunk.head for chunk in cut(text, 10)}
    assert heads["| 1 |"] == "| a | b |"
    assert heads["| 3 |"] == "| c | d |"
    assert heads["words"] == ""


HOSTILE = ["# ", ". ", "|", "`", "- ", "\n", "=\n", "x\n-\n", ")", ".'", " #", "* \n", "。", "\t"]


@pytest.mark.parametrize("piece", HOSTILE)
def test_work_grows_with_the_text_and_not_with_its_square(piece: str) -> None:
    # A square would be 10^11 steps here, and not end.
    text = "# " + piece * 300_000 + "x"
    assert sum(len(chunk.text) for chunk in cut(text)) <= len(text)
