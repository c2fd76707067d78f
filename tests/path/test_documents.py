"""Documents through the whole gateway: uploaded, found, listed, watched, deleted; whose they are."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from penstock.ports import Row, Value
from penstock.wire.http import Response
from tests.path.documents import (
    BY_WORDS,
    DENSE,
    DOCUMENTS,
    SEARCH,
    UPLOAD,
    WALRUS,
    Documents,
    formed,
)
from tests.path.world import body, payloads, read


async def uploaded(response: Response, status: int = 201) -> str:
    told = await body(response)
    assert response.status == status, told
    return str(told["documentId"])


async def test_a_text_is_ready_when_the_reply_says_so_and_is_found_as_a_literal_span() -> None:
    world = Documents()
    response = await world.put()
    told = await body(response)
    assert response.status == 201
    assert told == {
        "documentId": told["documentId"], "filename": "animals.md", "chunks": 1, "status": "ready",
    }  # fmt: skip
    assert response.header("location") == f"{DOCUMENTS}/{told['documentId']}"
    found = await world.search("what does a walrus eat?")
    assert found["lexicalOnly"] is BY_WORDS
    [one] = found["results"]
    assert set(one) == {"documentId", "filename", "chunk", "score", "text", "start", "end"}
    assert one["documentId"] == told["documentId"]
    assert (one["chunk"], one["filename"]) == (0, "animals.md")
    assert one["text"] == WALRUS.strip()[one["start"] : one["end"]]


async def test_a_form_does_the_same() -> None:
    world = Documents()
    await uploaded(await world.send(b"An aardvark digs.", "C:\\digging\\aardvark.txt"))
    assert await world.found("aardvark") == ["aardvark.txt"]


async def test_each_method_needs_the_scope_and_a_credential() -> None:
    world = Documents()
    other = world.token(scope="chat")
    for path, method in (
        (UPLOAD, "POST"), (SEARCH, "POST"), (DOCUMENTS, "GET"), (f"{DOCUMENTS}/doc_1", "GET"),
        (f"{DOCUMENTS}/doc_1", "DELETE"),
    ):  # fmt: skip
        assert (await world.ask(path, {}, method=method, token=None)).status == 401
        assert (await world.ask(path, {}, method=method, token=other)).status == 403


async def test_the_same_bytes_again_are_the_same_document_and_no_more_work() -> None:
    world = Documents()
    first = await uploaded(await world.put())
    assert await uploaded(await world.put(filename="other.md"), 200) == first
    assert await uploaded(await world.put(token=world.token("bob"))) != first
    assert (await world.counts())["documents"] == 2


async def test_documents_are_listed_newest_first_in_pages() -> None:
    world = Documents()
    ids = [await uploaded(await world.put(f"text number {n}", f"{n}.txt")) for n in range(4)]
    pages: list[list[str]] = []
    query = "limit=3"
    while query:
        told = await body(await world.get(DOCUMENTS, query))
        pages.append([one["documentId"] for one in told["documents"]])
        query = f"limit=3&before={told['next']}" if told["next"] else ""
    assert pages == [ids[:0:-1], ids[:1]]
    for bad in (
        "limit=0", "limit=x", "limit=1001", f"limit=000000001{'9' * 30}", f"limit=1{'0' * 5000}", "before=1",
        "after=doc_1",
    ):  # fmt: skip
        assert (await world.get(DOCUMENTS, bad)).status == 400


async def test_a_document_tells_how_it_stands() -> None:
    world = Documents()
    id = await uploaded(await world.put())
    told = await world.document(id)
    assert told | {"createdAt": "", "changedAt": ""} == {
        "documentId": id, "filename": "animals.md", "kind": "markdown", "title": told["title"],
        "bytes": len(WALRUS), "shared": False, "status": "ready", "chunks": 1, "done": 1, "createdAt": "",
        "changedAt": "",
    }  # fmt: skip


@pytest.mark.parametrize(
    "id",
    ["doc_1", "doc_' or 1=1--", "doc_%00", "doc_\0", "doc_../x", "DOC", "doc_" + "9" * 100, "doc_\u0663", "*", "a/b"],
)  # fmt: skip
async def test_what_is_not_there_and_what_is_anothers_look_alike(id: str) -> None:
    world = Documents()
    theirs = await uploaded(await world.put(token=world.token("bob")))
    told = []
    for one in (theirs, id):
        for method in ("GET", "DELETE"):
            response = await world.ask(f"{DOCUMENTS}/{one}", method=method)
            assert response.status == 404
            told.append(await read(response))
        response = await world.ask(SEARCH, {"query": "walrus", "documentId": one})
        assert response.status == 404
        told.append(await read(response))
    assert len(set(told)) == 1
    assert (await world.document(theirs, token=world.token("bob")))["status"] == "ready"


async def test_an_id_that_no_document_has_is_not_looked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = Documents()
    await uploaded(await world.put())
    rows = world.platform.tables.rows

    async def strict(sql: str, *args: Value) -> Sequence[Row]:
        assert "doc_\0" not in args  # a server's tables take no NUL
        return await rows(sql, *args)

    monkeypatch.setattr(world.platform.tables, "rows", strict)
    for path, question in ((SEARCH, "query"), ("/api/rag/query", "question")):
        response = await world.ask(path, {question: "walrus", "documentId": "doc_\0"})
        assert (response.status, (await body(response))["code"]) == (404, "not_found")


@pytest.mark.parametrize("sub", ["bob", "ali", "alice/", "%", "' or ''='", "ALICE"])
async def test_nobody_finds_anothers(sub: str) -> None:
    world = Documents()
    await uploaded(await world.put())
    other = world.token(sub)
    await uploaded(await world.put("A badger digs.", "badger.txt", token=other))
    # What is nearest among one's own is found by vectors, however far it is.
    own, others = ([], []) if BY_WORDS else (["animals.md"], ["badger.txt"])
    assert await world.found("walrus", token=other) == others
    assert await world.found("badger") == own
    told = await body(await world.get(DOCUMENTS, token=other))
    assert [one["filename"] for one in told["documents"]] == ["badger.txt"]


async def test_a_shared_document_is_the_tenants() -> None:
    world = Documents()
    sharer = world.token("carol", tenant="acme", scope="rag rag:share")
    mate, stranger = world.token("dave", tenant="acme"), world.token("dave", tenant="other")
    assert (await world.put(shared=True, token=mate)).status == 403
    id = await uploaded(await world.put(shared=True, token=sharer))
    assert await world.found("walrus", token=mate) == ["animals.md"]
    assert await world.found("walrus", token=mate, documentId=id) == ["animals.md"]
    assert await world.found("walrus", token=stranger) == []
    assert (await world.get(f"{DOCUMENTS}/{id}", token=stranger)).status == 404
    assert (await world.document(id, token=mate))["shared"] is True
    assert (await world.delete(id, token=mate)).status == 403
    assert (await world.delete(id, token=sharer)).status == 204
    assert await world.found("walrus", token=mate) == []


async def test_what_a_caller_shares_and_has_alone_is_found_together() -> None:
    world = Documents()
    sharer = world.token("carol", scope="rag rag:share")
    await world.put("The walrus of the tenant.", "ours.txt", shared=True, token=sharer)
    await world.put("The walrus of my own.", "mine.txt")
    assert sorted(await world.found("walrus")) == ["mine.txt", "ours.txt"]


async def test_a_deleted_document_is_found_no_more_and_leaves_nothing() -> None:
    world = Documents()
    id = await uploaded(await world.put())
    assert (await world.delete(id)).status == 204
    assert await world.found("walrus") == []
    assert (await world.get(f"{DOCUMENTS}/{id}")).status == 404
    assert (await world.delete(id)).status == 404
    assert await world.counts() == {"entries": 0, "documents": 0, "passages": 0}
    assert await world.platform.blobs.get(f"documents/{id}/0") is None
    assert await uploaded(await world.put()) != id


async def test_one_of_several_documents_can_be_searched() -> None:
    world = Documents()
    ids = [await uploaded(await world.put(f"A walrus, the {n}th.", f"{n}.txt")) for n in range(3)]
    assert await world.found("walrus", documentId=ids[1]) == ["1.txt"]
    assert len(await world.found("walrus", topK=2)) == 2


@pytest.mark.parametrize(
    "bad",
    [
        {}, {"query": ""}, {"query": "  "}, {"query": 7}, {"query": "x" * 4_001}, {"query": "x", "topK": 0},
        {"query": "x", "topK": True}, {"query": "x", "topK": 51}, {"query": "x", "documentId": 1},
    ],
)  # fmt: skip
async def test_a_search_that_asks_wrongly_is_told_so(bad: dict[str, Any]) -> None:
    assert (await Documents().ask(SEARCH, bad)).status == 400


@pytest.mark.parametrize(
    "bad",
    [
        {}, {"text": ""}, {"text": 1}, {"text": "x", "filename": 1}, {"text": "x", "shared": "yes"},
        {"text": "x", "shared": 1}, b"", b"[]", b"{",
    ],
)  # fmt: skip
async def test_an_upload_without_a_document_is_told_so(bad: Any) -> None:
    assert (await Documents().ask(UPLOAD, bad)).status == 400


async def test_as_many_as_the_tier_takes_though_fifty_come_at_once() -> None:
    world = Documents("[tiers.free]\ndocuments = 5\n[limits]\nother = '1000/h'\n")
    told = await asyncio.gather(*(world.put(f"text number {n}", f"{n}.txt") for n in range(50)))
    assert sorted(one.status for one in told) == [201] * 5 + [403] * 45
    refused = await body(next(one for one in told if one.status == 403))
    assert refused["code"] == "document_quota"
    assert refused["error"] == "Document quota exceeded"
    assert "delete one first" in refused["detail"]
    ids = [(await body(one))["documentId"] for one in told if one.status == 201]
    await world.delete(ids[0])
    assert (await world.put("one more")).status == 201
    assert (await world.put("and another")).status == 403


async def test_fifty_of_the_same_at_once_are_one() -> None:
    world = Documents("[limits]\nother = '1000/h'\n")
    told = await asyncio.gather(*(world.put() for _ in range(50)))
    assert sorted(one.status for one in told) == [200] * 49 + [201]
    assert len({await uploaded(one, one.status) for one in told}) == 1
    assert await world.counts() == {"entries": 1, "documents": 1, "passages": 1}


async def test_larger_than_the_tier_takes_is_refused() -> None:
    world = Documents()
    for response in (await world.put("x" * (50 << 10) + "y"), await world.send(b"x" * (51 << 10))):
        told = await body(response)
        assert (response.status, told["code"]) == (413, "document_too_large")
        assert "50 KB" in told["detail"]
    assert (await world.send(b"x" * (50 << 10))).status == 201
    assert (await world.put("x" * (51 << 10), token=world.token(tier="pro"))).status == 201


async def test_watching_a_document_that_is_ready_tells_it_and_ends() -> None:
    world = Documents()
    id = await uploaded(await world.put())
    response = await world.ask(
        f"{DOCUMENTS}/{id}", method="GET", headers=[("accept", "text/event-stream")]
    )
    assert (response.header("content-type") or "").startswith("text/event-stream")
    told = payloads(await read(response))
    assert [one if isinstance(one, str) else one["status"] for one in told] == ["ready", "[DONE]"]


async def test_vectors_and_words_find_together_and_uploader_and_asker_pay() -> None:
    world = Documents(dense=True)
    await uploaded(await world.put())
    response = await world.ask(SEARCH, {"query": "walrus clams"}, token=world.token("alice"))
    told = await body(response)
    assert told["lexicalOnly"] is False
    assert int(response.header("x-penstock-cost-nanos") or 0) == 100 * 20
    assert [one["filename"] for one in told["results"]] == ["animals.md"]
    rows = [row for row in await world.ledger("owner, stage, ended") if row[1] == "final"]
    assert rows == [("default/alice", "final", "settled")] * 2
    again = await world.ask(SEARCH, {"query": "walrus clams"})
    assert again.header("x-penstock-cost-nanos") == "0"


async def test_a_model_that_makes_its_vectors_up_is_not_used() -> None:
    world = Documents()
    await uploaded(await world.put())
    assert (await world.search("walrus"))["lexicalOnly"] is True
    assert await world.ledger() == []


async def test_without_an_index_the_paths_say_so() -> None:
    world = Documents()
    world.on(index=None)
    for path, given in ((UPLOAD, {"text": "x"}), (SEARCH, {"query": "x"})):
        assert (await world.ask(path, given)).status == 503


async def test_an_unknown_form_field_is_refused() -> None:
    world = Documents()
    for name, filename in (("other", "x.txt"), ("text", None), ("filename", None)):
        kind, data = formed([(name, filename, b"x")])
        response = await world.ask(UPLOAD, data, headers=[("content-type", kind)])
        assert response.status == 400


async def test_a_form_names_and_shares() -> None:
    world = Documents()
    kind, data = formed(
        [("file", "x.bin", b"A walrus."), ("filename", None, b"w.txt"), ("shared", None, b"true")]
    )
    sharer = world.token("carol", scope="rag rag:share")
    response = await world.ask(UPLOAD, data, headers=[("content-type", kind)], token=sharer)
    await uploaded(response)
    assert await world.found("walrus") == ["w.txt"]


def test_the_dense_configuration_has_a_model() -> None:
    assert "dimension" in DENSE
