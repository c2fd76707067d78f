"""`penstock rag ingest`, `search`, `list`, `delete`, `reindex`: somebody's documents from the command line."""

from __future__ import annotations

import json

import pytest

from penstock.entry.cli import main
from penstock.entry.cli.rag_ingest import form
from penstock.platforms.embedded import folder
from penstock.wire import multipart

PUMPS = "# Pumps\n\nA centrifugal pump moves water by an impeller.\n"
VALVES = "# Valves\n\nA gate valve stops the flow.\n"


@pytest.fixture
def papers(home):
    place = home / "papers" / "deep"
    place.mkdir(parents=True)
    (place.parent / "pumps.md").write_text(PUMPS)
    (place / "valves.md").write_text(VALVES)
    (place / "picture.png").write_bytes(b"\x89PNG")
    (place / ".hidden.md").write_text("not this one")
    return home / "papers"


def told(capsys, *argv):
    code = main([*argv, "--json"])
    return code, json.loads(capsys.readouterr().out)


def test_a_directory_is_taken_in_and_searched(papers, capsys):
    code, found = told(capsys, "rag", "ingest", str(papers), "--sub", "alice")
    assert (code, found["ready"], found["failed"]) == (0, 2, 0)
    assert [one["filename"] for one in found["documents"]] == ["pumps.md", "valves.md"]
    code, found = told(capsys, "rag", "search", "impeller", "--sub", "alice")
    assert code == 0
    [hit] = found["results"]
    assert hit["filename"] == "pumps.md"
    assert PUMPS[hit["start"] : hit["end"]] == hit["text"]
    assert main(["rag", "search", "impeller", "--sub", "alice"]) == 0
    out, err = capsys.readouterr()
    assert "pumps.md" in out
    assert "by words alone" in err


def test_it_is_somebodys(papers, capsys):
    told(capsys, "rag", "ingest", str(papers), "--sub", "alice", "--tenant", "acme")
    for other in (["--sub", "bob", "--tenant", "acme"], ["--sub", "alice"]):
        assert told(capsys, "rag", "search", "impeller", *other)[1]["results"] == []
        assert told(capsys, "rag", "list", *other)[1]["documents"] == []
    told(capsys, "rag", "ingest", str(papers / "pumps.md"), "--sub", "carol", "--tenant", "acme", "--shared")  # fmt: skip
    found = told(capsys, "rag", "search", "impeller", "--sub", "bob", "--tenant", "acme")[1]
    assert len(found["results"]) == 1


def test_again_it_is_the_same_document(papers, capsys):
    first = told(capsys, "rag", "ingest", str(papers), "--sub", "alice")[1]
    again = told(capsys, "rag", "ingest", str(papers), "--sub", "alice")[1]
    assert first["documents"] == again["documents"]


def test_what_fails_says_why_and_the_others_are_taken(papers, capsys):
    (papers / "broken.pdf").write_bytes(b"%PDF-1.7\nnothing")
    (papers / "empty.txt").write_bytes(b"")
    assert main(["rag", "ingest", str(papers), "--sub", "alice"]) == 1
    out, err = capsys.readouterr()
    assert out.count("ready") == 2
    assert out.count("failed") == 2
    assert "document_empty" in err
    assert "broken.pdf: document_" in err
    found = told(capsys, "rag", "list", "--sub", "alice")[1]["documents"]
    assert sum(one["status"] == "ready" for one in found) == 2


def test_beside_a_process_that_serves(papers, capsys):
    with folder.lock(folder.prepare(papers.parent / ".penstock")):
        assert told(capsys, "rag", "ingest", str(papers), "--sub", "alice")[0] == 0


def test_deleted_it_is_found_no_more(papers, capsys):
    [one, _] = told(capsys, "rag", "ingest", str(papers), "--sub", "alice")[1]["documents"]
    assert main(["rag", "delete", one["documentId"], "--sub", "bob"]) == 1
    assert "not_found" in capsys.readouterr().err
    assert main(["rag", "delete", one["documentId"], "--sub", "alice"]) == 0
    capsys.readouterr()
    found = told(capsys, "rag", "list", "--sub", "alice")[1]["documents"]
    assert [each["filename"] for each in found] == ["valves.md"]
    assert told(capsys, "rag", "search", "impeller", "--sub", "alice")[1]["results"] == []


def test_indexed_anew_all_is_found_as_before(papers, capsys):
    told(capsys, "rag", "ingest", str(papers), "--sub", "alice")
    before = told(capsys, "rag", "search", "impeller", "--sub", "alice")[1]
    assert told(capsys, "rag", "reindex")[1]["documents"] == 0
    found = told(capsys, "rag", "reindex", "--all")[1]
    assert (found["model"], found["documents"], found["passages"], found["others"]) == ("", 2, 2, [])  # fmt: skip
    assert told(capsys, "rag", "search", "impeller", "--sub", "alice")[1] == before


@pytest.mark.parametrize(
    ("argv", "code", "said"),
    [
        (["ingest", "papers", "--sub", "a", "--tier", "gold"], 2, "no tier is called gold"),
        (["ingest", "papers/deep/nowhere.md", "--sub", "a"], 1, "nowhere.md"),
        (["ingest", "papers"], 2, "--sub"),
        (["search", "q", "--sub", "a", "--top", "0"], 2, "--top"),
        (["search", " ", "--sub", "a"], 1, "query"),
        (["search", "q", "--sub", "a", "--document", "doc_1"], 1, "not_found"),
    ],
)
def test_misused(papers, capsys, argv, code, said):
    assert main(["rag", *argv]) == code
    out, err = capsys.readouterr()
    assert said in err
    assert err.count("\n") == 1
    assert out == ""


def test_a_directory_without_documents(home, capsys):
    (home / "none").mkdir()
    assert main(["rag", "ingest", "none", "--sub", "a"]) == 2
    assert "no document" in capsys.readouterr().err


def test_a_form_holds_any_name_and_any_bytes():
    name, data = 'a"b\r\n\u00fc.md', b"\r\n--penstock-rag-ingest--\r\n" * 2
    body, [(_, kind)] = form(data, name, shared=True)
    found = {part.name: part.data for part in multipart.parts(body, kind)}
    assert found == {"filename": name.encode(), "shared": b"true", "file": data}


def test_a_question_is_answered_with_its_places(papers, capsys):
    told(capsys, "rag", "ingest", str(papers), "--sub", "alice")
    asked = ["rag", "ask", "what moves water by an impeller?", "--sub", "alice"]
    code, found = told(capsys, *asked)
    assert code == 0
    assert (found["model"], found["cost"]) == ("extractive", 0)
    assert "impeller" in found["answer"]
    for one in found["citations"]:
        assert PUMPS[one["start"] : one["end"]] == one["text"]
    assert main(asked) == 0
    out, err = capsys.readouterr()
    answer, *places = out.splitlines()
    assert answer == found["answer"]
    assert places[0].startswith("[1] pumps.md, characters ")
    assert "by extractive, $0" in err


def test_what_is_not_there_is_not_answered(papers, capsys):
    told(capsys, "rag", "ingest", str(papers), "--sub", "alice")
    found = told(capsys, "rag", "ask", "Who was president of France in 1960?", "--sub", "alice")[1]
    assert (found["sources"], found["answer"]) == ([], "This is not in your documents.")


def test_a_file_that_cannot_be_read_holds_up_none_of_the_others(papers, capsys):
    (papers / "gone.md").symlink_to(papers / "nowhere.md")
    code, found = told(capsys, "rag", "ingest", str(papers), "--sub", "alice")
    assert (code, found["ready"], found["failed"]) == (1, 2, 1)
    [failed] = [one for one in found["documents"] if one["status"] == "failed"]
    assert failed["file"].endswith("gone.md")
    assert failed["reason"] == "io_error"
    assert "no such file" in failed["message"]


@pytest.mark.parametrize(
    "whose", [["--sub", ""], ["--sub", "a", "--tenant", ""], ["--sub", "a\nb"]]
)
def test_nobodys_documents_are_not_the_tenants(papers, capsys, whose):
    for command in (["ingest", str(papers)], ["list"], ["search", "pump"]):
        assert main(["rag", *command, *whose]) == 2
        assert "names nobody" in capsys.readouterr().err


def test_doctor_says_that_documents_are_in_another_models_index(papers, capsys, monkeypatch):
    told(capsys, "rag", "ingest", str(papers), "--sub", "alice")
    code, found = told(capsys, "doctor", "--offline")
    assert "documents" not in [one["check"] for one in found["checks"]]
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    code, found = told(capsys, "doctor", "--offline")
    [one] = [one for one in found["checks"] if one["check"] == "documents"]
    assert (code, one["good"]) == (1, False)
    assert one["found"].startswith("2 were indexed by another embedding model")
    assert "penstock rag reindex" in one["mend"]
