"""Traffic of others that the bench of costs replays, read from where it lies; none is part of the project."""

from __future__ import annotations

import ast
import csv
import gzip
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

NEEDED = (
    "azure_llm_2023/AzureLLMInferenceTrace_conv.csv.gz",
    "mooncake_fast25/mooncake_conversation_trace.jsonl.gz",
    "llmrouter_uiuc/keep.json",
    "banking77/train.csv",
    "clinc150/data_full.json.gz",
    "gptcache/mock_data.json",
    "xquad/xquad.en.json",
    "anthropic_docs/docs_eval.json",
    "chroma_chunking/questions_df.csv",
)
CSV_FIELD = 1 << 24
STRONG = ("llama-3.1-nemotron-51b-instruct", "llama-3.3-nemotron-super-49b-v1")
WEAK = ("mistral-7b-instruct-v0.3", "llama3-chatqa-1.5-8b", "codegemma-7b", "gemma-2-9b-it")


@dataclass(frozen=True)
class Arrival:
    """A request of a trace: seconds after its first, tokens in and out."""

    at: float
    input: int
    output: int


@dataclass(frozen=True)
class Prompt:
    """A text, and how well the strong and the weak side answered it, where that was judged."""

    text: str
    strong: float | None = None
    weak: float | None = None


def lacking(data: Path) -> str:
    """The first file that is not there; empty where all are."""
    return next((name for name in NEEDED if not (data / name).is_file()), "")


def azure(data: Path) -> list[Arrival]:
    """Both traces of the same hour, in their common order."""
    found: list[tuple[float, int, int]] = []
    for name in ("code", "conv"):
        path = data / "azure_llm_2023" / f"AzureLLMInferenceTrace_{name}.csv.gz"
        with gzip.open(path, "rt", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                # Seven decimals, of which a float of seconds holds enough.
                whole, _, part = row["TIMESTAMP"].partition(".")
                at = datetime.fromisoformat(whole).replace(tzinfo=UTC).timestamp()
                tokens = int(row["ContextTokens"]), int(row["GeneratedTokens"])
                found.append((at + float(f"0.{part or 0}"), *tokens))
    found.sort()
    return [Arrival(at - found[0][0], asked, answered) for at, asked, answered in found]


def mooncake(data: Path, name: str) -> list[tuple[float, int, tuple[int, ...]]]:
    """(seconds, tokens in, hashes of its blocks) of each request."""
    path = data / "mooncake_fast25" / f"mooncake_{name}_trace.jsonl.gz"
    with gzip.open(path, "rt", encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    return [(row["timestamp"] / 1000, row["input_length"], tuple(row["hash_ids"])) for row in rows]


def judged(data: Path) -> list[Prompt]:
    """The held-out questions with the mean scores of two large and four small models."""
    place = data / "llmrouter_uiuc"
    with gzip.open(place / "test.json.gz", "rt", encoding="utf-8") as file:
        rows = json.load(file)
    kept = json.loads((place / "keep.json").read_text(encoding="utf-8"))["test"]
    return [_scored(rows[at]) for at in kept]


def banking(data: Path) -> list[Prompt]:
    """What customers asked a bank."""
    with (data / "banking77" / "train.csv").open(encoding="utf-8", newline="") as file:
        return [Prompt(row["text"]) for row in csv.DictReader(file)]


def texts(data: Path) -> Iterator[tuple[str, Sequence[str]]]:
    """Every set of questions by name, each as one stream of texts."""
    yield "banking77", [one.text for one in banking(data)]
    with gzip.open(data / "clinc150" / "data_full.json.gz", "rt", encoding="utf-8") as file:
        parts = json.load(file)
    yield "clinc150", [text for part in sorted(parts) for text, _ in parts[part]]
    pairs = json.loads((data / "gptcache" / "mock_data.json").read_text(encoding="utf-8"))
    yield "gptcache", [pair[side] for side in ("origin", "similar") for pair in pairs]
    yield "llmrouter_uiuc", [one.text for one in judged(data)]
    articles = json.loads((data / "xquad" / "xquad.en.json").read_text(encoding="utf-8"))["data"]
    paragraphs = [one for article in articles for one in article["paragraphs"]]
    yield "xquad", [asked["question"] for one in paragraphs for asked in one["qas"]]
    docs = json.loads((data / "anthropic_docs" / "docs_eval.json").read_text(encoding="utf-8"))
    yield "anthropic_docs", [one["question"] for one in docs]
    csv.field_size_limit(CSV_FIELD)
    with (data / "chroma_chunking" / "questions_df.csv").open(encoding="utf-8", newline="") as file:
        yield "chroma_chunking", [row["question"] for row in csv.DictReader(file)]


def _scored(row: dict[str, Any]) -> Prompt:
    scores = row["scores"]
    if isinstance(scores, str):
        scores = ast.literal_eval(scores)
    strong, weak = (sum(scores[name] for name in side) / len(side) for side in (STRONG, WEAK))
    return Prompt(row["question"], strong, weak)
