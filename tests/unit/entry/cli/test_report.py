"""`penstock report`: which month, in which form, and where to."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from penstock.entry.cli import main


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "penstock.toml"
    file.write_text('data = "data"\n')
    return str(file)


def test_a_page_on_standard_output(config: str, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    assert main(["report", "--config", config]) == 0
    page = capfdbinary.readouterr().out
    assert page.startswith(b"<!doctype html>")
    assert page.count(b"<!doctype html>") == 1


def test_the_form_follows_the_files_name(config: str, tmp_path: Path) -> None:
    for name, begins in (("a.pdf", b"%PDF-"), ("a.html", b"<!doctype"), ("a", b"<!doctype")):
        assert main(["report", "--config", config, "--out", str(tmp_path / name)]) == 0
        assert (tmp_path / name).read_bytes().startswith(begins)
    assert main(["report", "--config", config, "--out", str(tmp_path / "b"), "--format", "pdf"]) == 0  # fmt: skip
    assert (tmp_path / "b").read_bytes().startswith(b"%PDF-")


def test_figures(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    args = ["report", "--config", config, "--month", "2026-03", "--tenant", "acme", "--json"]
    assert main(args) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["month"], found["tenant"], found["totals"]["requests"]) == ("2026-03", "acme", 0)
    assert main(["report", "--config", config, "--month", "now", "--json"]) == 0
    assert not json.loads(capsys.readouterr().out)["over"]


@pytest.mark.parametrize(
    "more",
    [
        ["--month", "2999-01"], ["--month", "2026-13"], ["--month", "x"], ["--month", "1969-12"], ["--tenant", ""], ["--tenant", "x" * 201],
        ["--format", "docx"], ["--json", "--format", "pdf"],
    ],
)  # fmt: skip
def test_misused(config: str, more: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", "--config", config, *more]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_no_place_to_write(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", "--config", config, "--out", "nowhere/at/all.html"]) == 1
    assert "io_error" in capsys.readouterr().err


def test_without_the_library_it_says_what_to_do(
    config: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("penstock.platforms.pdf.INSTALLED", ("no_such_library",))
    assert main(["report", "--config", config, "--format", "pdf"]) == 1
    assert "penstock[reports]" in capsys.readouterr().err
    assert main(["report", "--config", config]) == 0


def test_a_pdf_is_not_for_a_terminal(
    config: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    assert main(["report", "--config", config, "--format", "pdf"]) == 2
