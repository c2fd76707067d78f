"""That a chance is one, and moves with what it rests on."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.rag.confidence import DEFAULT_THRESHOLD, NOTHING, Signals, confidence, signals
from penstock.rag.passages import Passage
from penstock.rag.spelt import Spelt

SHARE = st.floats(0, 1)
FOUND = st.builds(Signals, SHARE, SHARE, st.floats(0.7, 4.7), st.none() | st.floats(-1, 1))


def spelt(text: str) -> Spelt:
    return Spelt(Passage("id", "d", text))


def of(question: str, *texts: str, cosines: list[float] | None = None) -> Signals:
    each = [spelt(text) for text in texts]
    nearest = max(cosines, default=0.0) if cosines else 0.0
    return signals(question, each, each, len(each), cosines, nearest)


@given(FOUND)
def test_it_is_a_chance(found: Signals) -> None:
    assert 0 < confidence(found) < 1


def test_nothing_found_is_no_chance() -> None:
    assert confidence(NOTHING) == 0
    assert of("why") == NOTHING


@pytest.mark.parametrize("field", ["coverage", "phrases", "nearness"])
@given(found=FOUND, more=st.floats(0.01, 0.5))
def test_more_of_what_was_asked_is_never_less_of_a_chance(
    field: str, found: Signals, more: float
) -> None:
    given_ = {name: getattr(found, name) for name in Signals.__struct_fields__}
    if given_[field] is not None:
        given_[field] += more
    assert confidence(Signals(**given_)) >= confidence(found)


def test_a_passage_with_the_questions_words_answers_and_one_of_something_else_does_not() -> None:
    text = "The office is closed on public holidays and opens at nine."
    good = of("When is the office closed?", text)
    bad = of("What does the pro tier cost in euros?", text)
    assert confidence(good) > 0.8 > DEFAULT_THRESHOLD > 0.15 > confidence(bad)


def test_rare_terms_count_more_than_common_ones() -> None:
    texts = ["walrus ice", "ice north", "ice south", "ice east"]
    rare, common = of("walrus snow ice", *texts), of("north snow ice", *reversed(texts))
    assert rare.coverage > common.coverage


def test_nearness_is_measured_from_what_is_far() -> None:
    close = of("a", "a", cosines=[0.9, *[0.5] * 9, *[0.4] * 20])
    assert close.nearness == pytest.approx(0.5)
    moved = of("a", "a", cosines=[0.6, *[0.2] * 9, *[0.1] * 20])
    assert moved.nearness == pytest.approx(0.5)
    assert of("a", "a").nearness is None
