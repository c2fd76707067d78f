"""`penstock rag evaluate`: a corpus, judged questions, and what is wrong with either."""

from __future__ import annotations

import json

import pytest

from penstock.entry.cli import main
from penstock.entry.cli.progress import Bar, parts, shown

CORPUS = [
    {"id": "pumps", "title": "Pumps", "text": "A centrifugal pump moves water by an impeller."},
    {"id": "valves", "text": "A gate valve stops the flow of water."},
    {"id": "x" * 200, "title": "Long", "text": "Weirs measure flow.\n\n" + "Filler text. " * 400},
]


def lines(path, values):
    path.write_text("\n".join(json.dumps(value) for value in values))
    return str(path)


@pytest.fixture
def files(home):
    judged = [
        {"query": "what has an impeller", "relevant": ["pumps"]},
        {"query": "measure by weirs", "relevant": ["x" * 200]},
    ]
    return lines(home / "q.jsonl", judged), lines(home / "c.jsonl", CORPUS)


def test_figures_for_programs(files, capsys):
    judged, corpus = files
    assert main(["rag", "evaluate", judged, "--corpus", corpus, "--json"]) == 0
    out, err = capsys.readouterr()
    found = json.loads(out)
    assert err == ""
    assert {"ndcg10", "recall", "mrr3", "mrr10", "queries"} <= found.keys()
    assert found["recall"] == {"3": 1, "5": 1, "10": 1}
    assert (found["mrr3"], found["queries"], found["documents"]) == (1, 2, 3)
    assert (found["model"], found["unknown"]) == ("", 0)


def test_figures_for_people(files, capsys):
    judged, corpus = files
    assert main(["rag", "evaluate", judged, "--corpus", corpus]) == 0
    out = capsys.readouterr().out
    assert "nDCG@10      1.0000" in out
    assert "terms alone" in out


def test_what_is_not_in_the_corpus_counts_and_is_told(home, files, capsys):
    judged = lines(home / "gone.jsonl", [{"query": "impeller", "relevant": ["pumps", "gone"]}])
    assert main(["rag", "evaluate", judged, "--corpus", files[1]]) == 0
    out = capsys.readouterr().out
    assert "recall@3     0.5000" in out
    assert "1 relevant ids are not in the corpus" in out


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        ('{"query": "q"}', "Line 1"),
        ('{"query": "q", "relevant": []}', "name what answers"),
        ("", "nothing in one of the files"),
    ],
)
def test_files_that_are_none(home, files, capsys, bad, said):
    (home / "bad.jsonl").write_text(bad)
    assert main(["rag", "evaluate", "bad.jsonl", "--corpus", files[1]]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert said in err
    assert err.count("\n") == 1


def test_a_missing_file(files, capsys):
    assert main(["rag", "evaluate", files[0], "--corpus", "nowhere.jsonl"]) == 1
    assert "nowhere.jsonl" in capsys.readouterr().err


def test_a_bar_is_drawn_where_somebody_looks(monkeypatch, capsys):
    assert list(shown("work", [1, 2])) == [1, 2]
    assert capsys.readouterr().err == ""
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    bar = Bar("work", 200)
    for done in range(200):
        bar.at(done)
    bar.end()
    err = capsys.readouterr().err
    assert err.count("\r") == 101
    assert "work" in err
    assert " 50 %" in err


def test_parts():
    assert list(parts([1, 2, 3], 2)) == [[1, 2], [3]]
    assert list(parts([], 2)) == []
