"""How complex an ask looks: the first design's rules, with words matched whole."""

from __future__ import annotations

import re
from typing import Any, Literal

from penstock.wire.chat import Ask

Complexity = Literal["simple", "medium", "complex"]

_CODE = re.compile(r"```|\b(?:function|class|import|const|let|var)\b")
_ANALYSIS = re.compile(
    r"\b(?:analy[sz](?:e|es|ed|ing|er|ers)|explain(?:s|ed|ing|er|ers)?|compar(?:e|es|ed|ing)"
    r"|evaluat(?:e|es|ed|ing|or|ors)|reasoning|reasonings)\b",
    re.IGNORECASE,
)
_READ = 20_000
"""Characters searched for words: more is complex by its length already."""

COMPLEX_TOKENS = 500
MEDIUM_TOKENS = 100
COMPLEX_TURNS = 10


def tokens(text: str) -> int:
    """A quarter of the characters, rounded up: for routing only, never for bills."""
    return -(-len(text) // 4)


def complexity(ask: Ask) -> tuple[Complexity, dict[str, Any]]:
    """The class of an ask by its last message, and what it was told by."""
    size = tokens(ask.text)
    text = ask.text[:_READ]
    code = _CODE.search(text) is not None
    analysis = _ANALYSIS.search(text) is not None
    features = {"tokens": size, "turns": ask.turns, "code": code, "analysis": analysis}
    if code or analysis or size > COMPLEX_TOKENS or ask.turns > COMPLEX_TURNS:
        return "complex", features
    return ("medium" if size > MEDIUM_TOKENS else "simple"), features
