"""What a text's terms are, in several scripts, and that they are bounded and the same each time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.ports import MOST_TERMS, MOST_TERMS_ASKED
from penstock.rag.terms import FUNCTION_WORDS, LONGEST, MARK, asked, stem, terms, words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("getUserName", "getusername get user name"),
        ("max_tokens", "max token"),
        ("HTTPServer v2", "httpserver http server v2 2"),
        ("the APIs of LLMs", "api llm"),
        ("sha256 GPT-4o", "sha256 sha 256 gpt 4o 4"),
        ("Applied's 2019s", "applied 2019"),
        ("don't", "don"),
        ("Straße ΑΘΗΝΑΣ İstanbul", "strasse αθηνασ istanbul"),
        ("\ufb01le x\N{SUPERSCRIPT TWO}", "file x2 2"),
        ("Vie\u0323\u0302t Vi\u1ec7t", "việt việt"),
        ("संयुक्त राज्य की किताबें।", "संयुक्त राज्य की किताबें"),
        ("اَلْعَرَبِيَّةُ العربية", "العربية العربية"),
        ("北京举行", "北京 京举 举行"),
        ("在 2008年", "在 2008 年"),
        ("東京タワー", "東京 京タ タワ ワー"),
        ("한국어", "한국 국어"),
        ("ไทยมี 77", "ไท ทย ยม มี 77"),
        ("soft\u00adware zero\u200bwidth", "software zerowidth"),
        ("... --- \U0001f600", ""),
        ("", ""),
    ],
)
def test_words(text: str, expected: str) -> None:
    assert words(text) == expected.split()


def test_function_words_are_left_out_unless_there_are_no_others() -> None:
    assert words("What is the state of the Union?") == ["state", "union"]
    assert words("To be or not to be") == ["to", "be", "or", "not", "to", "be"]


@pytest.mark.parametrize(
    ("plural", "single"),
    [
        ("queries", "query"),
        ("tokens", "token"),
        ("classes", "class"),
        ("boxes", "box"),
        ("caches", "cache"),
        ("searches", "search"),
        ("employees", "employee"),
        ("status", "status"),
        ("class", "class"),
        ("gas", "gas"),
    ],
)
def test_plurals_are_one_term_with_their_singular(plural: str, single: str) -> None:
    assert stem(plural) == stem(single) == single


def test_function_words_have_no_stem() -> None:
    assert {stem(word) for word in FUNCTION_WORDS} == FUNCTION_WORDS


def test_a_titles_terms_count_twice_and_the_second_time_apart() -> None:
    assert terms("Set it up.", "Rate limits") == ["set", "up", "rate", "limit", "#rate", "#limit"]
    assert asked("limits, limit") == ["limit", "#limit"]


def test_what_is_asked_is_within_the_ports_bounds() -> None:
    many = " ".join(f"w{number}" for number in range(MOST_TERMS + 1))
    assert len(terms(many, many)) == MOST_TERMS
    found = asked(many)
    assert len(found) == MOST_TERMS_ASKED
    half = MOST_TERMS_ASKED // 2
    assert found[half:] == [MARK + term for term in found[:half]]


@given(st.text())
def test_terms_are_short_the_same_again_and_hold_no_mark(text: str) -> None:
    found = words(text)
    assert found == words(text)
    assert all(0 < len(term) <= LONGEST and MARK not in term for term in found)


def test_a_word_without_end_is_cut() -> None:
    assert words("x" * 1_000_000) == ["x" * LONGEST]
    assert words("é" * 1_000_000) == ["é" * LONGEST]
    assert len(words("aB" * 500_000)) == 1
