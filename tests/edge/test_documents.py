"""Documents through a whole Worker: taken in, made by the cron, found and asked by their owner alone, and what is lacking said."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from penstock.auth.mint import mint
from tests.edge.worker import SECRET, Worker

UPLOAD, DOCUMENTS = "/api/rag/upload", "/api/rag/documents"
DIMENSION = 768
WALRUS = "# Walruses\n\nA walrus eats clams on the ice.\n"
LONG = "\n\n".join(
    f"# Part {n}\n\n" + f"The walrus number {n} eats clams. " * 40 for n in range(300)
)
SANDBOX = {"providers": {"sandbox": {"kind": "sandbox"}}}
OTHER = {
    "targets": [
        {
            "provider": "cloudflare",
            "model": "@cf/baai/other",
            "verb": "embed",
            "dimension": DIMENSION,
        },
        {"provider": "cloudflare", "model": "@cf/baai/bge-base-en-v1.5", "verb": "embed"},
    ],
    "providers": {"cloudflare": {"kind": "workers_ai"}},
    "rag": {"embedding": "cloudflare/@cf/baai/other"},
}
ANEW = (
    "update documents set state = 'queued', done = 0, tries = 0, holder = '', lease_until = 0 where state = 'ready'",
    "delete from vectors",
)
"""As docs/how-to/documents-on-cloudflare.md has it."""


@pytest.fixture(scope="module")
def process() -> Iterator[Worker]:
    with Worker({}) as served:
        yield served


@pytest.fixture
def worker(process: Worker) -> Worker:
    """A Worker with Workers AI and an index in which nothing is."""
    process.ask(
        "batch",
        statements=[[f"delete from {name}", []] for name in ("documents", "passages", "vectors")],
    )
    process.again({}, dimensions=DIMENSION)
    return process


def ask(
    worker: Worker, path: str, body: Any = None, sub: str = "alice", method: str = "", **claims: Any
) -> httpx.Response:
    token = mint({"sub": sub, "tier": "enterprise", **claims}, SECRET, now=time.time())
    headers = {"authorization": f"Bearer {token}"}
    method = method or ("GET" if body is None else "POST")
    return httpx.request(method, worker.url + path, json=body, headers=headers, timeout=120.0)


def put(
    worker: Worker, text: str = WALRUS, filename: str = "animals.md", sub: str = "alice"
) -> httpx.Response:
    return ask(worker, UPLOAD, {"text": text, "filename": filename}, sub)


def found(worker: Worker, query: str, sub: str = "alice", **more: Any) -> list[str]:
    told = ask(worker, "/api/rag/search", {"query": query, **more}, sub)
    assert told.status_code == 200, told.text
    return [one["filename"] for one in told.json()["results"]]


def test_a_text_is_ready_with_its_reply_found_by_its_owner_alone_and_deleted(
    worker: Worker,
) -> None:
    told = put(worker)
    assert (told.status_code, told.json()["status"]) == (201, "ready"), told.text
    id = told.json()["documentId"]
    assert put(worker, sub="bob", text="A badger digs.", filename="badger.md").status_code == 201
    assert found(worker, "what does a walrus eat?") == ["animals.md"]
    assert found(worker, "what does a walrus eat?", "bob") == ["badger.md"]
    assert found(worker, "walrus", "carol") == []
    assert ask(worker, f"{DOCUMENTS}/{id}", sub="bob").status_code == 404
    assert ask(worker, f"{DOCUMENTS}/{id}").json()["status"] == "ready"
    assert ask(worker, f"{DOCUMENTS}/{id}", method="DELETE").status_code == 204
    assert found(worker, "walrus") == []
    assert put(worker).status_code == 201


def test_a_question_is_answered_from_ones_own_documents_with_the_models_of_the_worker(
    worker: Worker,
) -> None:
    assert put(worker).status_code == 201
    told = ask(worker, "/api/rag/query", {"question": "What does a walrus eat?"})
    assert told.status_code == 200, told.text
    said = told.json()
    assert said["provider"] == "cloudflare"
    assert (said["lexicalOnly"], [one["filename"] for one in said["sources"]]) == (
        False,
        ["animals.md"],
    )
    assert said["answer"]
    streamed = ask(
        worker, "/api/rag/query", {"question": "What does a walrus eat?", "stream": True}
    )
    events = [line.removeprefix("data: ") for line in streamed.text.splitlines() if line]
    assert [one["filename"] for one in json.loads(events[0])["sources"]] == ["animals.md"]
    assert events[-1] == "[DONE]"
    nothing = ask(worker, "/api/rag/query", {"question": "What does a walrus eat?"}, "carol").json()
    assert (nothing["sources"], nothing["model"]) == ([], "none")


def test_a_long_one_goes_on_with_the_cron_and_tells_how_far_it_is(worker: Worker) -> None:
    assert put(worker).status_code == 201
    told = put(worker, LONG, "long.md")
    assert told.status_code == 202, told.text
    place = f"{DOCUMENTS}/{told.json()['documentId']}"
    first = ask(worker, place).json()
    assert (first["status"], first["done"]) == ("embedding", 200)
    assert found(worker, "walrus") == ["animals.md"]
    for _ in range(10):
        if ask(worker, place).json()["status"] == "ready":
            break
        worker.ask("scheduled")
        worker.ask("idle")
    last = ask(worker, place).json()
    assert (last["status"], last["done"]) == ("ready", first["chunks"])
    assert "long.md" in found(worker, "The walrus number 299 eats clams.")
    [(rows,)] = worker.rows("select count(*) as n from vectors where gone = 0")
    assert rows == first["chunks"] + 1


def test_a_file_that_is_no_text_is_for_a_gateway_on_a_server(worker: Worker) -> None:
    token = mint({"sub": "alice"}, SECRET, now=time.time())
    file = {"file": ("paper.pdf", b"%PDF-1.7\n" + b"\0" * 100, "application/pdf")}
    headers = {"authorization": f"Bearer {token}"}
    told = httpx.post(worker.url + UPLOAD, files=file, headers=headers, timeout=60.0)
    assert (told.status_code, told.json()["code"]) == (422, "document_elsewhere")
    assert "send this file to one on a server" in told.json()["detail"]


def test_without_vectorize_documents_are_refused_by_the_name_of_the_binding(worker: Worker) -> None:
    worker.again({}, without=["VECTORIZE"])
    for told in (put(worker), ask(worker, "/api/rag/search", {"query": "walrus"})):
        assert told.status_code == 503
        assert told.json()["detail"].startswith("The Worker has no binding VECTORIZE")
    assert ask(worker, "/health").status_code == 200
    assert worker.rows("select count(*) as n from documents") == [(0,)]


def test_without_a_model_that_embeds_they_are_refused_and_not_taken_in(worker: Worker) -> None:
    worker.again(SANDBOX, dimensions=DIMENSION)
    for told in (put(worker), ask(worker, "/api/rag/search", {"query": "walrus"})):
        assert told.status_code == 503
        assert "name a target with a model in rag.embedding" in told.json()["detail"]
    assert worker.rows("select count(*) as n from documents") == [(0,)]


def test_another_model_of_the_same_length_is_told_and_mended(worker: Worker) -> None:
    assert put(worker).status_code == 201
    worker.again(OTHER, dimensions=DIMENSION)
    told = put(worker, "Another text.", "other.md")
    assert told.status_code == 503
    assert "not of '@cf/baai/other'" in told.json()["detail"]
    assert "docs/how-to/documents-on-cloudflare.md" in told.json()["detail"]
    assert ask(worker, "/health").status_code == 200
    worker.ask("batch", statements=[[sql, []] for sql in ANEW])
    worker.again(OTHER, dimensions=DIMENSION)
    worker.ask("scheduled")
    worker.ask("idle")
    assert found(worker, "walrus") == ["animals.md"]
    [(model,)] = worker.rows("select model from documents")
    assert model == "@cf/baai/other"
