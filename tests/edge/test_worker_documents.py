"""Documents at the whole Worker: texts are read and found by Vectorize, long ones by the cron, other files refused."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from penstock.auth.mint import mint
from penstock.gateway.ingest import BATCH, PIECE_BATCHES
from tests.documents import pdf
from tests.edge.worker import SECRET, Worker

UPLOAD, SEARCH, DOCUMENTS = "/api/rag/upload", "/api/rag/search", "/api/rag/documents"
WALRUS = "A walrus sleeps on the ice and eats clams."
PASSES = 10


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    """With Workers AI, and an index of its model's length."""
    with Worker({}) as served:
        served.again({}, dimensions=768)
        yield served


def ask(worker: Worker, method: str, path: str, sub: str, **how: Any) -> httpx.Response:
    token = mint({"sub": sub, "tier": "enterprise"}, SECRET, now=time.time())
    headers = {"authorization": f"Bearer {token}"}
    return httpx.request(method, worker.url + path, headers=headers, timeout=60.0, **how)


def found(worker: Worker, query: str, sub: str) -> list[dict[str, Any]]:
    told = ask(worker, "POST", SEARCH, sub, json={"query": query}).json()
    assert told["lexicalOnly"] is False
    results: list[dict[str, Any]] = told["results"]
    return results


def test_a_text_is_found_by_whoever_sent_it_until_it_is_deleted(worker: Worker) -> None:
    sent = ask(worker, "POST", UPLOAD, "ann", files={"file": ("walrus.md", WALRUS.encode())})
    told = sent.json()
    assert (sent.status_code, told["status"], told["chunks"]) == (201, "ready", 1)
    [one] = found(worker, WALRUS, "ann")
    assert (one["documentId"], one["text"]) == (told["documentId"], WALRUS)
    assert found(worker, WALRUS, "bob") == []
    assert ask(worker, "DELETE", f"{DOCUMENTS}/{told['documentId']}", "bob").status_code == 404
    assert ask(worker, "DELETE", f"{DOCUMENTS}/{told['documentId']}", "ann").status_code == 204
    assert found(worker, WALRUS, "ann") == []
    assert worker.rows("select count(*) as n from passages") == [(0,)]


def test_what_it_cannot_read_it_says(worker: Worker) -> None:
    sent = ask(worker, "POST", UPLOAD, "ann", files={"file": ("walrus.pdf", pdf([["A walrus."]]))})
    assert (sent.status_code, sent.json()["code"]) == (422, "document_elsewhere")


def test_progress_is_told_as_events(worker: Worker) -> None:
    id = ask(worker, "POST", UPLOAD, "eve", json={"text": WALRUS}).json()["documentId"]
    token = mint({"sub": "eve"}, SECRET, now=time.time())
    headers = {"authorization": f"Bearer {token}", "accept": "text/event-stream"}
    told = httpx.get(f"{worker.url}{DOCUMENTS}/{id}", headers=headers, timeout=30.0)
    assert told.headers["content-type"].startswith("text/event-stream")
    assert told.text.endswith("data: [DONE]\n\n")


def test_a_long_one_is_the_crons_to_end(worker: Worker) -> None:
    text = "\n\n".join(f"{n} walruses. " + "They rest. " * 130 for n in range(220))
    sent = ask(worker, "POST", UPLOAD, "ann", json={"text": text, "filename": "long.txt"})
    assert sent.status_code == 202
    path = f"{DOCUMENTS}/{sent.json()['documentId']}"
    worker.ask("idle")  # the first piece goes on behind the reply
    told = ask(worker, "GET", path, "ann").json()
    assert told["status"] == "embedding"
    assert told["done"] == BATCH * PIECE_BATCHES < told["chunks"]
    for _ in range(PASSES):
        worker.ask("scheduled")
        told = ask(worker, "GET", path, "ann").json()
        if told["status"] == "ready":
            break
    assert told["status"] == "ready"
    assert found(worker, "walruses", "ann")
