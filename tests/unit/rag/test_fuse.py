"""How two rankings become one, and who is believed."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.rag.fuse import MOST_DENSE, Weights, alike, fuse, spread, weights

RANKINGS = st.lists(st.sampled_from("abcdefghijklmnopqrstuvwxyz"), unique=True)
ALIKE = Weights(1, 1)


def test_the_first_of_both_has_one_and_equals_are_told_by_id() -> None:
    assert fuse(["a", "b"], ["a", "c"], ALIKE) == pytest.approx({"a": 1, "b": 3 / 7, "c": 3 / 7})
    assert list(fuse(["b"], ["a"], ALIKE)) == ["a", "b"]


def test_a_ranking_alone_keeps_its_order() -> None:
    assert list(fuse(["c", "a", "b"], [], ALIKE)) == ["c", "a", "b"]
    assert fuse([], ["c"], Weights(1, 0.2)) == {"c": 1}
    assert fuse([], [], ALIKE) == {}


def test_what_both_found_is_before_what_one_found_below_it() -> None:
    assert next(iter(fuse(["a", "b"], ["b", "c"], ALIKE))) == "b"


@given(RANKINGS, RANKINGS, st.floats(0, 1), st.floats(0.1, 20))
def test_fused_is_all_that_was_found_with_falling_scores(first, second, coverage, weight) -> None:
    for weigh in (weights(first, second, coverage), Weights(1, weight)):
        found = fuse(first, second, weigh)
        assert found.keys() == {*first, *second}
        scores = list(found.values())
        assert all(0 < score <= 1 + 1e-9 for score in scores)
        assert all(one >= other - 1e-9 for one, other in pairwise(scores))


@given(RANKINGS.filter(lambda ids: len(ids) > 10), RANKINGS)
def test_vectors_that_agree_in_nothing_leave_the_first_of_the_terms_alone(terms, others) -> None:
    vectors = [name.upper() for name in others]
    assert list(fuse(terms, vectors, weights(terms, vectors, 1.0)))[:10] == terms[:10]


def test_vectors_count_more_the_less_terms_have_found_and_the_more_both_agree() -> None:
    ids, other = list("abcdefghij"), list("klmnopqrst")
    by_coverage = [weights(ids, other, share).vector for share in (1.0, 0.8, 0.5, 0.2, 0.0)]
    assert by_coverage == sorted(by_coverage)
    assert by_coverage[0] == by_coverage[1] < 0.5 < 2 < by_coverage[-1] <= MOST_DENSE
    by_agreement = [weights(ids, ids[:n] + other[n:], 1.0).vector for n in range(11)]
    assert by_agreement == sorted(set(by_agreement))
    assert weights(ids, ids, 0.0).vector == MOST_DENSE


def test_variety_puts_off_what_repeats() -> None:
    scores = {"a": 1.0, "copy": 0.9, "b": 0.5}
    terms = {"a": {"x", "y"}, "copy": {"x", "y"}, "b": {"z"}}
    assert spread(scores, terms, 3, 0.0) == ["a", "copy", "b"]
    assert spread(scores, terms, 2, 0.5) == ["a", "b"]
    assert spread(scores, terms, 3, 1.0) == ["a", "b", "copy"]
    assert spread({}, {}, 3, 0.5) == []


def test_likeness_is_the_share_in_common() -> None:
    assert alike(["a", "b", "b"], ["b", "c"]) == pytest.approx(1 / 3)
    assert alike([], []) == 0
