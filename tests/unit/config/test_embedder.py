"""Whose vectors documents are found by, and what a configuration of documents may not say."""

from __future__ import annotations

import pytest

from penstock.config import decode, defaults
from penstock.config.embedder import embedder
from penstock.errors import Misconfigured

OPENAI = """
[providers.openai]
kind = "openai"
api_key = "k"
[[targets]]
provider = "openai"
model = "small"
verb = "embed"
dimension = 512
[[targets]]
provider = "openai"
model = "huge"
verb = "embed"
dimension = 3072
[[targets]]
provider = "openai"
model = "unknown"
verb = "embed"
[[targets]]
provider = "openai"
model = "gpt-4o"
[routes.two]
verb = "embed"
targets = ["openai/small", "openai/huge"]
[aliases]
mine = "two"
"""


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("two", "openai/small"), ("mine", "openai/small"), ("openai/small", "openai/small"),
        ("openai/huge", "the dimension of openai/huge is not set, or over 1536"),
        ("openai/unknown", "the dimension of openai/unknown is not set, or over 1536"),
        ("embed", "openai/small"),
    ],
)  # fmt: skip
def test_what_embeds(name: str, found: str) -> None:
    config, notes = defaults(decode(OPENAI + f'[rag]\nembedding = "{name}"\n', {}), {})
    by = embedder(config)
    assert (by.target.name if by.target else by.why) == found
    assert any(note.startswith("documents: found by words") and found in note for note in notes)


def test_made_up_vectors_are_none() -> None:
    config, _ = defaults(None, {})
    assert embedder(config).target is None
    assert "without a model" in embedder(config).why


def test_a_local_model_tells_its_own_dimension() -> None:
    config, _ = defaults(None, {"PENSTOCK_LOCAL_MODEL": "/models/small"})
    target = embedder(config).target
    assert target is not None
    assert target.dimension == 0


@pytest.mark.parametrize("name", ["nobody", "openai/gpt-4o", "auto"])
def test_what_embeds_nothing_is_refused(name: str) -> None:
    with pytest.raises(Misconfigured, match="which is no route or target that embeds"):
        defaults(decode(OPENAI + f'[rag]\nembedding = "{name}"\n', {}), {})


def test_a_document_has_room_in_a_request() -> None:
    text = "[tiers.pro]\ndocument_bytes = 10_000_000\n"
    with pytest.raises(Misconfigured, match=r"set server\.max_body_bytes to 10065536 or more"):
        defaults(decode(text, {}), {})
    defaults(decode(text + "[server]\nmax_body_bytes = 10_065_536\n", {}), {})
