"""An answer of the passages' own sentences."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from penstock.rag.extract import MOST_SENTENCES, Piece, extract

ANIMALS = Piece(
    "# Walruses\n\nA walrus sleeps on the ice. It eats clams. Does a walrus swim? It lives long.",
    40,
)
OTTERS = Piece("An otter holds hands. A walrus does not.", 0, "animals.md > Otters")


def test_the_sentence_that_answers_is_given_with_its_place() -> None:
    found = extract("Where does a walrus sleep, on ice?", [ANIMALS, OTTERS], 1)
    assert found.text == "A walrus sleeps on the ice. [1]"
    [one] = found.citations
    assert (one.source, one.text) == (1, "A walrus sleeps on the ice.")
    assert ANIMALS.text[one.start - 40 : one.end - 40] == one.text


def test_sentences_stand_in_the_order_of_their_passages_each_passage_named_once() -> None:
    found = extract("walrus ice clams hands", [ANIMALS, OTTERS], 4)
    assert found.text.count("[1]") == 1
    assert found.text.endswith(" [2]")
    places = [(one.source, one.start) for one in found.citations]
    assert places == sorted(places)


def test_a_heading_is_no_answer() -> None:
    assert "#" not in extract("walruses", [ANIMALS], 1).text


def test_marks_and_images_of_a_document_are_none_of_ours() -> None:
    text = "The mass is 5 kg [3][4, 5].\n![mass](https://evil.test/x)"
    found = extract("mass", [Piece(text, 0)], 3)
    assert found.text == "The mass is 5 kg (3)(4, 5). ! [mass](https://evil.test/x) [1]"
    assert found.citations[0].text == "The mass is 5 kg [3][4, 5]."


def test_nothing_of_nothing() -> None:
    assert extract("why", []).text == ""
    assert extract("why", [Piece("", 0)]).citations == ()


PIECES = st.lists(
    st.builds(Piece, st.text("ab c.!\n[]1", max_size=80), st.integers(0, 9)), max_size=4
)


@given(st.text("ab c", max_size=20), PIECES)
def test_every_citation_is_literal_and_the_same_comes_again(
    question: str, pieces: list[Piece]
) -> None:
    found = extract(question, pieces)
    assert found == extract(question, pieces)
    assert len(found.citations) <= MOST_SENTENCES
    for one in found.citations:
        piece = pieces[one.source - 1]
        assert piece.text[one.start - piece.start : one.end - piece.start] == one.text
