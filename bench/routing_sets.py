"""The labels that routing is measured by, from the router set of the University of Illinois (MIT): read, never shipped."""

from __future__ import annotations

import ast
import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

SET = "llmrouter_uiuc"
FILES = ("train.json.gz", "test.json.gz", "keep.json")
STRONG = ("llama-3.1-nemotron-51b-instruct", "llama-3.3-nemotron-super-49b-v1")
WEAK = ("mistral-7b-instruct-v0.3", "llama3-chatqa-1.5-8b", "codegemma-7b", "gemma-2-9b-it")


def lacking(data: Path) -> str:
    """The first file that is not there, empty where all are."""
    wanted = (f"{SET}/{name}" for name in FILES)
    return next((name for name in wanted if not (data / name).is_file()), "")


def rows(data: Path, part: str) -> Iterator[dict[str, Any]]:
    """The rows of a part that its `keep.json` lists: prompt, weak, strong and, in train, cluster."""
    folder = data / SET
    with gzip.open(folder / f"{part}.json.gz", "rt", encoding="utf-8") as file:
        whole = json.load(file)
    keep = json.loads((folder / "keep.json").read_text(encoding="utf-8"))[part]
    for at in keep:
        row = whole[at]
        # Some of the scores are a Python literal in a string.
        given = row["scores"]
        scores = ast.literal_eval(given) if isinstance(given, str) else given
        yield {
            "prompt": row["question"],
            "weak": sum(scores[name] for name in WEAK) / len(WEAK),
            "strong": sum(scores[name] for name in STRONG) / len(STRONG),
            "cluster": str(row.get("cluster_id", "")),
        }


def lines(rows: Iterator[dict[str, Any]]) -> list[bytes]:
    """As `penstock router` reads them."""
    return [json.dumps(row).encode() for row in rows]
