"""The figures of a search, worked out by hand, and what is refused of their files."""

from __future__ import annotations

import math

import pytest

from penstock.errors import BadRequest
from penstock.rag.evaluate import Figures, Judged, Sample, corpus, figures, judgements


def test_figures_of_one_question() -> None:
    found = figures([(["x", "a", "y", "b"], ["a", "b", "c"])])
    best = 1 + 1 / math.log2(3) + 1 / 2
    assert found.ndcg10 == pytest.approx((1 / math.log2(3) + 1 / math.log2(5)) / best)
    assert found.recall == {"3": pytest.approx(1 / 3), "5": pytest.approx(2 / 3), "10": pytest.approx(2 / 3)}  # fmt: skip
    assert (found.mrr3, found.mrr10, found.queries) == (0.5, 0.5, 1)


def test_a_perfect_order_is_one_even_of_more_than_ten() -> None:
    ids = [str(number) for number in range(12)]
    found = figures([(ids, ids), (["a"], ["a"])])
    assert found.ndcg10 == pytest.approx(1)
    assert found.recall["10"] == pytest.approx((10 / 12 + 1) / 2)


def test_places_below_the_bound_do_not_count() -> None:
    ids = [str(number) for number in range(20)]
    found = figures([(ids, ["3"]), (ids, ["10"])])
    assert (found.mrr3, found.mrr10) == (0, 0.125)
    assert found.recall == {"3": 0, "5": 0.5, "10": 0.5}


def test_an_id_found_twice_counts_once() -> None:
    assert figures([(["x", "x", "x", "a"], ["a"])]).mrr3 == 0.5
    assert figures([(["a", "a"], ["a", "b"])]).ndcg10 < 1


def test_questions_without_an_answer_are_left_out() -> None:
    assert figures([(["a"], []), (["a"], ["a"])]).queries == 1
    assert figures([]) == Figures(0, {"3": 0, "5": 0, "10": 0}, 0, 0, 0)


def test_files_are_lines_of_json() -> None:
    lines = [
        b'{"query": "q", "relevant": ["a"], "note": 1}\n',
        b"\n",
        b'{"query":"r","relevant":["b"]}',
    ]
    assert judgements(lines) == [Judged("q", ["a"]), Judged("r", ["b"])]
    assert corpus([b'{"id": "a", "text": "t"}', b'{"id": "b", "title": "h", "text": ""}']) == [
        Sample("a", "t"),
        Sample("b", "", "h"),
    ]


@pytest.mark.parametrize(
    "line",
    [
        b"secret",
        b"[]",
        b"\xff",
        b"[" * 100_000,
        b'{"query": "secret"}',
        b'{"query": "secret", "relevant": []}',
        b'{"query": "secret", "relevant": "a"}',
        b'{"query": 1, "relevant": ["secret"]}',
    ],
)
def test_a_line_that_is_no_judgement_is_named_and_not_quoted(line: bytes) -> None:
    with pytest.raises(BadRequest, match="Line 2") as refused:
        judgements([b'{"query": "q", "relevant": ["a"]}', line])
    assert "secret" not in refused.value.message


@pytest.mark.parametrize("line", [b"x", b'{"id": "c"}', b'{"id": "a", "text": "again"}'])
def test_a_line_that_is_no_sample_is_named(line: bytes) -> None:
    with pytest.raises(BadRequest, match="Line 2"):
        corpus([b'{"id": "a", "text": "t"}', line])
