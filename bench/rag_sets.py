"""The judged sets that the bench of searching runs on, read from where they lie; none is part of the project."""

from __future__ import annotations

import csv
import gzip
import json
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from penstock.rag.chunk import chunks
from penstock.rag.passages import Passage

NEEDED = (
    "anthropic_docs/docs_eval.json",
    "chroma_chunking/questions_df.csv",
    "xquad/xquad.en.json",
)
CSV_FIELD = 1 << 24
Spans = Sequence[tuple[int, int]]


@dataclass(frozen=True)
class Set:
    """Passages, and questions with the ids of what answers each."""

    passages: Sequence[Passage]
    questions: Sequence[str]
    relevant: Sequence[Sequence[str]]


@dataclass(frozen=True)
class Excerpts:
    """Whole texts, and questions with the spans of one text that answer each."""

    texts: Mapping[str, str]
    questions: Sequence[str]
    spans: Sequence[tuple[str, Spans]]


def lacking(data: Path) -> str:
    """The first file that is not there; empty where all are."""
    return next((name for name in NEEDED if not (data / name).is_file()), "")


def docs(data: Path) -> Set:
    """Sections of a product's documentation, each under its heading; a question has one to four of them."""
    place = data / "anthropic_docs"
    with gzip.open(place / "anthropic_docs.json.gz", "rt", encoding="utf-8") as file:
        sections = json.load(file)
    judged = json.loads((place / "docs_eval.json").read_text(encoding="utf-8"))
    passages = [
        Passage(str(number), "docs", one["text"], (one["chunk_heading"],))
        for number, one in enumerate(sections)
    ]
    numbers = {one["chunk_link"]: str(number) for number, one in enumerate(sections)}
    relevant = [[numbers[link] for link in one["correct_chunks"]] for one in judged]
    return Set(passages, [one["question"] for one in judged], relevant)


def xquad(data: Path) -> Set:
    """Paragraphs of an encyclopaedia without their titles; a question has the one it was asked about."""
    articles = json.loads((data / "xquad/xquad.en.json").read_text(encoding="utf-8"))["data"]
    paragraphs = [paragraph for article in articles for paragraph in article["paragraphs"]]
    passages = [
        Passage(str(number), "xquad", one["context"]) for number, one in enumerate(paragraphs)
    ]
    asked = [
        (qa["question"], [str(number)])
        for number, one in enumerate(paragraphs)
        for qa in one["qas"]
    ]
    return Set(passages, [text for text, _ in asked], [ids for _, ids in asked])


def xquad_answers(data: Path) -> list[str]:
    """What each question of `xquad` is answered by, in the paragraph's own words."""
    articles = json.loads((data / "xquad/xquad.en.json").read_text(encoding="utf-8"))["data"]
    return [
        qa["answers"][0]["text"]
        for article in articles
        for paragraph in article["paragraphs"]
        for qa in paragraph["qas"]
    ]


def chroma(data: Path) -> Excerpts:
    """Five long texts of different kinds; a question has the excerpts of one that answer it."""
    place = data / "chroma_chunking"
    texts = dict(_texts(place))
    csv.field_size_limit(CSV_FIELD)
    with (place / "questions_df.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    spans = [(row["corpus_id"], _spans(json.loads(row["references"]))) for row in rows]
    return Excerpts(texts, [row["question"] for row in rows], spans)


def _texts(place: Path) -> Iterator[tuple[str, str]]:
    """With their line ends as they are: the excerpts are told by offsets."""
    for path in sorted(place.glob("*.md*")):
        data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        yield path.name.partition(".")[0], data.decode("utf-8")


def _spans(references: list[dict[str, Any]]) -> Spans:
    return [(one["start_index"], one["end_index"]) for one in references]


def cut(excerpts: Excerpts, most: int) -> tuple[list[Passage], dict[str, tuple[str, int, int]]]:
    """The texts in our chunks, and where each stands."""
    passages: list[Passage] = []
    places = {}
    for name, text in excerpts.texts.items():
        for chunk in chunks(text, most):
            number = str(len(passages))
            passages.append(Passage(number, name, chunk.text, chunk.titles))
            places[number] = (name, chunk.start, chunk.end)
    return passages, places


def covered(spans: Spans, found: Spans) -> float:
    """The share of the characters of `spans` that `found`, which do not overlap, has."""
    shared = sum(
        max(0, min(end, last) - max(start, first)) for start, end in spans for first, last in found
    )
    return shared / sum(end - start for start, end in spans)


def misspelt(question: str, share: float) -> str:
    """With two letters changed about in so many of its longer words, the same ones each time."""
    draw = random.Random(question)
    words = question.split(" ")
    return " ".join(_swapped(word, draw) if draw.random() < share else word for word in words)


def _swapped(word: str, draw: random.Random) -> str:
    if len(word) < 4:
        return word
    at = draw.randrange(1, len(word) - 2)
    return word[:at] + word[at + 1] + word[at] + word[at + 2 :]


def unknown(question: str, share: float) -> str:
    """With so many of its words as no passage has them: what terms see of one that was asked in other words."""
    draw = random.Random(question)
    words = question.split(" ")
    return " ".join(
        f"zzq{chr(ord('a') + at % 26)}x" if draw.random() < share else word
        for at, word in enumerate(words)
    )
