"""The documentation says what the code does: its pages agree with it, its links lead somewhere, its commands run."""

from __future__ import annotations

import argparse
import ast
import itertools
import os
import re
import shlex
import shutil
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from load.fake_provider import FakeProvider
from penstock.config import decode, defaults
from penstock.config.catalog import settings
from penstock.config.services import VARIABLES
from penstock.entry.cli.program import COMMANDS, main, parser
from penstock.entry.known import known_models
from penstock.entry.settings import today
from penstock.gateway.openapi.replies import HEADERS
from penstock.gateway.routes import ROUTES
from penstock.rag.reasons import REASONS
from tests import pages, tables
from tests.pages import ROOT, Block, Server, agree, blocks
from tests.reference import FOLDER, PAGES

README = Path("README.md")
TEMPLATE = Path("docs/decisions/0000-template.md")
MARKDOWN = [page for page in pages.markdown() if page != TEMPLATE]
RUN = [page for page in MARKDOWN if any(block.mark == "run" for block in blocks(page))]
TOML = [page for page in MARKDOWN if any(block.language == "toml" for block in blocks(page))]
CONSOLES = [page for page in MARKDOWN if any(block.mark == "console" for block in blocks(page))]
ENVIRONMENT = re.compile(
    "(OPENAI|ANTHROPIC|CLOUDFLARE|OLLAMA|PENSTOCK|AUTH_SERVICE|CHAT_SERVICE|BILLING_SERVICE|JWT)_"
)
"""Variables that change what commands say."""
NEVER_OVER_HTTP = {
    "misused", "misconfigured", "not_installed", "io_error", "invalid_file", "deploy_failed",
    "invalid_labels", "labels_too_few", "labels_one_class", "labels_no_gain", "labels_too_few_groups", "invalid_router",
}  # fmt: skip
"""Codes of the command line, which cli.md lists."""

curl = pytest.mark.skipif(shutil.which("curl") is None, reason="the pages' commands need curl")


@pytest.mark.parametrize("name", PAGES)
def test_reference_is_current(name):
    written = (FOLDER / name).read_text(encoding="utf-8")
    assert written == PAGES[name](), "run `python -m tests.reference`"


def test_every_setting_is_documented():
    page = (FOLDER / "configuration.md").read_text(encoding="utf-8")
    missing = [setting.path for setting in settings() if f"| `{setting.field.name}` |" not in page]
    assert missing == []


@pytest.mark.parametrize("page", tables.TABLES)
def test_tables_are_current(page):
    wanted = {name: tables.table(made()) for name, made in tables.TABLES[page].items()}
    assert tables.marked(page) == wanted, "run `python -m tests.tables`"


@pytest.mark.parametrize("page", MARKDOWN, ids=str)
def test_links_lead_somewhere(page):
    broken = []
    for link in pages.links(page):
        place, _, anchor = link.partition("#")
        end = (ROOT / page).parent / place if place else ROOT / page
        if not end.exists() or (anchor and anchor not in pages.anchors(end)):
            broken.append(link)
    assert broken == []


def test_every_page_is_reached_from_the_readme():
    seen, open_pages = {README, TEMPLATE}, [README]
    while open_pages:
        page = open_pages.pop()
        for link in pages.links(page):
            end = ((ROOT / page).parent / link.partition("#")[0]).resolve()
            found = end.relative_to(ROOT) if end.is_relative_to(ROOT) else README
            if found.suffix == ".md" and found not in seen:
                seen.add(found)
                open_pages.append(found)
    assert [str(page) for page in MARKDOWN if page.parts[0] == "docs" and page not in seen] == []


@pytest.mark.parametrize("page", TOML, ids=str)
def test_examples_are_good_configurations(page):
    for block in blocks(page):
        if block.language == "toml":
            names = re.findall(r"\$\{(\w+)", block.text)
            env = {name: "https://x.test/x" if name.endswith("_URL") else "x" * 32 for name in names}  # fmt: skip
            defaults(decode(block.text, env), env, known_models(today()))


# --- what is run ----------------------------------------------------------------------------------


@curl
@pytest.mark.parametrize("page", RUN, ids=str)
def test_page_runs_as_it_stands(page, tmp_path):
    told = blocks(page)
    with Server(tmp_path, {}) as server:
        printed = iter(server.run([block for block in told if block.mark == "run"]))
        said = server.said.replace(server.address, pages.ADDRESS)
    last = ""
    for block in told:
        if block.mark == "run":
            last = next(printed)
        elif block.mark:
            real = said if block.mark == "started" else last
            assert agree(block.text, real), f"the page shows\n{block.text}\nand it printed\n{real}"


@pytest.mark.parametrize("page", CONSOLES, ids=str)
def test_console_says_what_it_shows(page, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for name in filter(ENVIRONMENT.match, os.environ.copy()):
        monkeypatch.delenv(name)
    made = ""
    for block in blocks(page):
        if block.mark != "console":
            continue
        command, _, shown = block.text.partition("\n")
        argv = shlex.split(re.sub(r"key_[0-9a-f]{32}", made, command.removeprefix("$ ")))
        assert argv.pop(0) == f"{pages.BIN}penstock"
        assert main(argv) == 0, capsys.readouterr().err
        printed = capsys.readouterr().out
        assert agree(shown, printed), f"{command}\nprinted\n{printed}"
        made = "".join(re.findall(r"key_[0-9a-f]{32}", printed)[:1]) or made


def calls(page: Path) -> list[Block]:
    """What a page runs against the server: its curl and SDK lines."""
    return [
        block
        for block in blocks(page)
        if block.mark == "run"
        and (block.language == "python" or "curl" in block.text)
        and "/usage" not in block.text
    ]


@curl
@pytest.mark.parametrize(
    ("variable", "more"),
    [("OPENAI_BASE_URL", {"OPENAI_API_KEY": "sk-fake"}), ("OLLAMA_HOST", {})],
)
def test_same_lines_reach_a_real_model(variable, more, tmp_path):
    with FakeProvider() as fake:
        url = f"{fake.url}/v1" if variable == "OPENAI_BASE_URL" else fake.url
        with Server(tmp_path, {variable: url, **more}) as server:
            # Names of OpenAI's models are not an Ollama's: everything goes by `auto` and `embed` there.
            wanted = [
                Block(block.mark, block.language, block.text.replace("gpt-4o-mini", "auto"))
                for block in calls(README)
            ]
            printed = "".join(server.run(wanted))
        meter = fake.meter(finished=1)
    assert "[sandbox]" not in printed
    assert "hashed-lexical" not in printed
    assert meter["charged_calls"] == meter["calls"] >= 6


def test_output_must_agree():
    assert agree('{"id":"req_…", "tokens": 3}\n', '{"id":"req_1f", "tokens":3}')
    assert agree(f"cache key  chat:{'a' * 64}", f"cache  key chat:{'b' * 64}")
    assert not agree("tokens: 3", "tokens: 4")
    assert not agree("tokens: 3", "tokens: 3 and more")


# --- errors, paths and headers --------------------------------------------------------------------


def codes_in(tree: ast.AST) -> Iterator[str]:
    """Error codes that a module can give: `code=…`, a class's `code = …`, and names that only codes have."""
    for node in ast.walk(tree):
        if isinstance(node, ast.keyword) and node.arg == "code":
            yield from _texts(node.value)
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            texts = _texts(node.value)
            named = node.targets[0].id == "code"
            yield from (text for text in texts if named or CODE.fullmatch(text))
        elif isinstance(node, ast.Call):
            yield from _codes_of_call(node)
        elif isinstance(node, ast.Tuple) and node.elts:
            yield from (text for text in _texts(node.elts[0]) if CODE.fullmatch(text))


def _codes_of_call(node: ast.Call) -> Iterator[str]:
    """Codes given by their place: to a function that is known to take one, or right behind a status."""
    if getattr(node.func, "id", "") in ("_bad", "say"):
        yield from (text for arg in node.args for text in _texts(arg))
    for status, code in itertools.pairwise(node.args):
        if isinstance(status, ast.Constant) and status.value in range(400, 600):
            yield from _texts(code)


CODE = re.compile(r"upstream_[a-z_]+|context_length_exceeded|content_filter")


def _texts(node: ast.expr) -> Iterator[str]:
    value = node.value if isinstance(node, ast.Constant) else None
    if isinstance(value, str) and re.fullmatch(r"[a-z]+(_[a-z]+)*", value):
        yield value


def all_codes(package: str) -> set[str]:
    found: set[str] = set()
    for file in (ROOT / "src" / package).rglob("*.py"):
        if "openapi" not in file.parts:
            found |= set(codes_in(ast.parse(file.read_text(encoding="utf-8"))))
    return found


@pytest.mark.parametrize(
    "text",
    [
        "BadRequest('Too odd.', code='too_odd')",
        "class Odd(Error):\n    code = 'too_odd'",
        "_bad('The token is odd.', 'too_odd')",
        "self._refuse(400, 'too_odd', 'This is too odd.')",
    ],
)
def test_a_code_is_seen_in_each_form(text):
    assert set(codes_in(ast.parse(text))) == {"too_odd"}


def listed(page: str, heading: str) -> set[str]:
    """The first cells of the tables under a heading."""
    section = pages.read(page).partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    return set(re.findall(r"^\| `([^`]+)`", section, re.MULTILINE))


def test_every_error_code_is_documented():
    found = all_codes("penstock")
    assert len(found) > 40
    assert listed("docs/reference/http.md", "Error codes") == found - NEVER_OVER_HTTP


def test_every_error_code_of_the_services_is_documented():
    page = "docs/how-to/run-the-reference-services.md"
    assert listed(page, "Error codes") == all_codes("penstock_services")
    assert listed("docs/reference/cli.md", "Errors") == NEVER_OVER_HTTP | {"not_found"}


def test_every_reason_to_refuse_a_document_is_documented():
    page = "docs/explanation/reading-documents.md"
    assert listed(page, "Why a document is refused") == set(REASONS)


def test_every_path_is_documented():
    page = pages.read("docs/reference/http.md")
    paths = {f"`{method} {path}`" for path, methods in ROUTES.items() for method in methods}
    assert [path for path in sorted(paths) if path not in page] == []


def test_every_header_is_documented():
    shown = listed("docs/reference/http.md", "Headers out")
    assert [name for name in HEADERS if name not in shown] == []


# --- the command line -----------------------------------------------------------------------------


def ends() -> Iterator[tuple[str, argparse.ArgumentParser, str]]:
    """(`penstock keys create`, its parser, its help) of every command and sub-command."""
    for name, command in _children(parser()).items():
        below = _children(command)
        yield f"penstock {name}", command, COMMANDS[name].help
        for action in command._actions:
            if isinstance(action, argparse._SubParsersAction):
                for choice in action._choices_actions:
                    yield f"penstock {name} {choice.dest}", below[choice.dest], choice.help or ""


def _children(of: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    for action in of._actions:
        if isinstance(action, argparse._SubParsersAction):
            return dict(action.choices)
    return {}


def _shown(action: argparse.Action) -> str:
    """The word that stands for its value, where it takes one."""
    return str(action.metavar or (action.dest if action.nargs != 0 else ""))


def test_every_command_and_option_is_documented():
    page = pages.read("docs/reference/cli.md")
    missing = []
    for name, command, help_text in ends():
        section = re.split(r"\n#{2,3} ", page.partition(f" `{name}`\n")[2])[0]
        shown = " ".join(section.split())
        wanted = [help_text.rstrip(".")] + [
            text.rstrip(".")
            for action in command._actions
            if not isinstance(action, argparse._HelpAction | argparse._SubParsersAction)
            and action.dest not in ("config", "json")
            for text in (*action.option_strings, _shown(action), action.help or "")
            if isinstance(text, str)
        ]
        missing += [f"{name}: {text}" for text in wanted if text.lower() not in shown.lower()]
        if (
            not _children(command)
            and f"{name.replace('penstock ', '.venv/bin/penstock ')}" not in page
        ):
            missing.append(f"{name}: an example")
    assert missing == []


def test_every_decision_is_listed():
    folder = ROOT / "docs" / "decisions"
    linked = set(pages.links("docs/decisions/README.md"))
    assert sorted({path.name for path in folder.glob("[0-9]*.md")} - linked - {TEMPLATE.name}) == []


def test_services_of_later_versions_are_named():
    page = pages.read("docs/explanation/from-the-first-design.md")
    assert [name for name in VARIABLES.values() if name not in page] == []


def test_version_of_the_project_is_in_the_changelog_or_to_come():
    version = tomllib.loads(pages.read("pyproject.toml"))["project"]["version"]
    changes = pages.read("CHANGELOG.md")
    assert "## [Unreleased]" in changes or f"## [{version}]" in changes
