"""The first design's rules with words matched whole: bounds and near misses."""

from __future__ import annotations

import json

import pytest

from penstock.routing.heuristic import complexity
from penstock.wire.chat import Ask, decode_chat


def ask(text: str, turns: int = 1) -> Ask:
    messages = [{"role": "user", "content": "x"}] * (turns - 1) + [
        {"role": "user", "content": text}
    ]
    return decode_chat(json.dumps({"model": "auto", "messages": messages}).encode())


@pytest.mark.parametrize(
    ("length", "expected"),
    [(1, "simple"), (400, "simple"), (401, "medium"), (2_000, "medium"), (2_001, "complex")],
)
def test_length_bounds(length: int, expected: str) -> None:
    assert complexity(ask("a" * length))[0] == expected


@pytest.mark.parametrize(("turns", "expected"), [(10, "simple"), (11, "complex")])
def test_turn_bounds(turns: int, expected: str) -> None:
    assert complexity(ask("hi", turns))[0] == expected


@pytest.mark.parametrize(
    "text",
    ["letter", "important", "classic", "constant", "variable", "letting", "imports galore", "functional", "Class act",
     "IMPORT duties", "explanation", "planet", "incomparable", "reason", "``"],
)  # fmt: skip
def test_near_misses_are_not_cues(text: str) -> None:
    assert complexity(ask(text))[0] == "simple"


@pytest.mark.parametrize(
    "text",
    ["```", "a function of", "class A:", "import os", "const x", "let x", "var x", "Explain it", "explains", "explained",
     "explaining", "COMPARE", "comparing", "compares", "analyze", "Analyse", "analyzing", "evaluate", "evaluating",
     "reasoning"],
)  # fmt: skip
def test_cues(text: str) -> None:
    assert complexity(ask(text))[0] == "complex"


def test_a_long_text_costs_linear_time_and_is_complex_by_length() -> None:
    found, features = complexity(ask("le" * 500_000))
    assert found == "complex"
    assert features["tokens"] == 250_000
