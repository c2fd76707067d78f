"""`penstock router`: fit, evaluate, certify."""

from __future__ import annotations

import json

import pytest

from penstock.entry.cli import main
from penstock.entry.routers import opened
from tests.unit.routing.labelled import lines, made


@pytest.fixture
def labels(tmp_path):
    path = tmp_path / "labels.jsonl"
    path.write_bytes(b"".join(lines(made(200, noise=0.1))))
    return str(path)


def said(capsys, *argv, code=0):
    assert main(argv) == code
    out, err = capsys.readouterr()
    told = [line.removeprefix("penstock: ") for line in err.splitlines()]
    assert all(line.startswith(("part ", "fitting", "warning: it was fitted on")) for line in told)
    return out


def failed(capsys, *argv, code=1):
    assert main(argv) == code
    out, err = capsys.readouterr()
    assert out == ""
    (line,) = err.splitlines()
    return line


def test_a_router_is_fitted_and_judged(capsys, labels, tmp_path) -> None:
    file = str(tmp_path / "my.router")
    found = json.loads(said(capsys, "router", "fit", labels, "--out", file, "--json"))
    assert found["router"] == opened(file).name
    assert (found["rows"], found["source"]) == (200, "labels.jsonl")
    assert found["apgr"]["low"] > 0.55
    assert "APGR" in said(capsys, "router", "fit", labels, "--out", file)
    by_file = json.loads(said(capsys, "router", "evaluate", labels, "--model", file, "--json"))
    assert by_file["apgr"]["value"] > found["apgr"]["value"]  # it has seen these rows
    assert main(("router", "certify", labels, "--quality", "0.9", "--model", file)) == 0


def test_a_router_that_a_route_names_is_not_written_over(capsys, labels, home) -> None:
    said(capsys, "router", "fit", labels, "--out", "auto.router")
    auto = '[routes.auto]\npolicy = "learned"\nmodel = "auto.router"\nsimple = "sandbox/gpt-4o-mini"\nstrong = "sandbox/gpt-4o"\n'
    (home / "penstock.toml").write_text(auto)
    before = (home / "auto.router").read_bytes()
    line = failed(capsys, "router", "fit", labels, "--out", str(home / "auto.router"), code=2)
    assert "routes.auto.model" in line
    assert (home / "auto.router").read_bytes() == before
    said(capsys, "router", "fit", labels, "--out", "next.router")
    # Where the named one cannot be read, nothing decides by it.
    (home / "auto.router").unlink()
    said(capsys, "router", "fit", labels, "--out", "auto.router")


def test_the_labels_are_not_written_over(capsys, labels, tmp_path) -> None:
    before = (tmp_path / "labels.jsonl").read_bytes()
    (tmp_path / "link").symlink_to(labels)
    for out in (labels, str(tmp_path / "link"), str(tmp_path / "." / "labels.jsonl")):
        line = failed(capsys, "router", "fit", labels, "--out", out, code=2)
        assert "the file of labels" in line
    assert (tmp_path / "labels.jsonl").read_bytes() == before


def test_an_evaluation_prints_its_figures(capsys, labels) -> None:
    found = json.loads(said(capsys, "router", "evaluate", labels, "--json"))
    for name in ("apgr", "cpt50", "cpt80"):
        assert found[name]["low"] <= found[name]["value"] <= found[name]["high"]
        for way in ("random", "length", "heuristic"):
            assert set(found[way][name]) == {"value", "low", "high"}
    assert found["random"]["value"] == 0.5
    assert found["random"]["sd"] > 0
    assert found["rows"] == 200
    again = json.loads(said(capsys, "router", "evaluate", labels, "--json"))
    assert again == found
    text = said(capsys, "router", "evaluate", labels, "--folds", "3")
    assert "heuristic" in text
    assert "3 parts" in text


def test_certify_answers_and_exits_by_it(capsys, labels) -> None:
    yes = json.loads(said(capsys, "router", "certify", labels, "--quality", "0.8", "--json"))
    assert yes["certified"] is True
    assert yes["least"] >= 0.8
    assert yes["saving"]["value"] > 0
    no = said(capsys, "router", "certify", labels, "--quality", "1", code=1)
    assert no.startswith("no: ")
    assert said(capsys, "router", "certify", labels, "--quality", "0.8").startswith("yes: ")


def test_the_router_that_comes_along_can_be_judged(capsys, labels) -> None:
    found = json.loads(said(capsys, "router", "evaluate", labels, "--model", "default", "--json"))
    assert 0 <= found["apgr"]["value"] <= 1


@pytest.mark.parametrize(
    ("content", "code", "told"),
    [
        (b'{"prompt": "x", "weak": 0}\n', "invalid_labels", "Line 1 "),
        (b"".join(lines(made(10))), "labels_too_few", "10 labels"),
        (b"", "labels_too_few", "0 labels"),
        (b"x" * (2 << 20), "invalid_labels", "longer than 1 MB"),
    ],
)
def test_labels_that_cannot_be_used_are_refused(capsys, tmp_path, content, code, told) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_bytes(content)
    for rest in (("fit", str(path), "--out", str(tmp_path / "o")), ("evaluate", str(path))):
        line = failed(capsys, "router", *rest)
        assert line.startswith(f"penstock: {code}: {path}: ")
        assert told in line
    assert not (tmp_path / "o").exists()


def test_a_file_that_is_not_there(capsys, labels, tmp_path) -> None:
    assert failed(capsys, "router", "evaluate", str(tmp_path / "none")).startswith(
        "penstock: io_error: "
    )
    (tmp_path / "x").write_bytes(b"{}")
    line = failed(capsys, "router", "evaluate", labels, "--model", str(tmp_path / "x"))
    assert line.startswith("penstock: invalid_router: ")


@pytest.mark.parametrize(
    "rest",
    [
        ("certify", "L"),
        ("certify", "L", "--quality", "95"),
        ("certify", "L", "--quality", "nan"),
        ("evaluate", "L", "--folds", "1"),
        ("evaluate", "L", "--folds", "x"),
        ("fit", "L"),
        ("evaluate",),
        (),
    ],
)
def test_misuse_is_told(capsys, rest) -> None:
    assert failed(capsys, "router", *rest, code=2).startswith("penstock: misused: ")
