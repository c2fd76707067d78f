"""The command line as a whole: exit codes, help, one line for each error."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

from penstock import __version__
from penstock.entry.cli import main
from penstock.entry.cli.program import COMMANDS, parser
from penstock.entry.cli.show import one_line
from penstock.errors import Unavailable

ALL = [
    *(
        [name]
        for name in COMMANDS
        if name
        not in {"alerts", "keys", "tenant-keys", "cache", "deploy", "migrate", "rag", "router"}
    ),
    *(["keys", action] for action in ("create", "list", "revoke")),
    *(["tenant-keys", action] for action in ("put", "delete", "list", "reseal")),
    *(["cache", action] for action in ("stats", "purge")),
    *(["alerts", action] for action in ("list", "test")),
    ["deploy", "cloudflare"],
    *(["migrate", action] for action in ("status", "up")),
    *(["rag", one] for one in ("ingest", "search", "ask", "list", "delete", "reindex", "evaluate")),
    *(["router", action] for action in ("fit", "evaluate", "certify", "labels", "forget")),
]


def test_the_commands_of_this_version():
    assert list(COMMANDS) == [
        "serve", "check", "token", "keys", "tenant-keys", "usage", "explain", "alerts", "cache", "deploy", "doctor",
        "migrate", "rag", "reconcile", "replay", "report", "router", "services",
    ]  # fmt: skip


@pytest.mark.parametrize("command", ALL, ids=" ".join)
def test_every_command_has_help_json_and_config(command, capsys):
    assert main([*command, "--help"]) == 0
    said = capsys.readouterr()
    assert said.err == ""
    assert said.out.startswith(f"usage: penstock {' '.join(command)} ")
    assert "--json" in said.out
    assert "--config FILE" in said.out


@pytest.mark.parametrize(
    "command",
    [[], ["keys"], ["tenant-keys"], ["cache"], ["deploy"], ["migrate"], ["rag"], ["router"]],
    ids=" ".join,
)
def test_help_of_the_groups_lists_what_they_hold(command, capsys):
    assert main([*command, "--help"]) == 0
    said = capsys.readouterr().out
    for full in ALL:
        if full[: len(command)] == command:
            assert re.search(rf"^    {full[len(command)]}\b", said, re.MULTILINE)


def test_version(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"penstock {__version__}\n"


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        ([], "no command; name one of serve, check, token"),
        (["sevre"], "argument COMMAND: invalid choice: 'sevre'"),
        (["serve", "--port", "x"], "argument --port: 'x' is no port; write a number from 0 to 65535"),
        (["serve", "--port", "65536"], "argument --port: '65536' is no port"),
        (["serve", "--prot", "1"], "unrecognized arguments: --prot 1; `penstock --help` says more"),
        (["token"], "the following arguments are required: --sub; `penstock token --help` says more"),
        (["token", "--sub", "a", "--ttl", "soon"], "argument --ttl: 'soon' is no length of time"),
        (["token", "--sub", "a", "--ttl", "0"], "argument --ttl: '0' is no length of time; write 90"),
        (["token", "--sub", " "], "--sub is empty or not printable"),
        (["token", "--sub", "a", "--tier", "gold"], "--tier 'gold' is not configured; name one of free"),
        (["keys"], "the following arguments are required: ACTION; `penstock keys --help` says more"),
        (["keys", "create", "--sub", "a", "--expires", "2001-01-01"], "--expires is past; name a later"),
        (["keys", "create", "--sub", "a", "--expires", "x"], "argument --expires: 'x' is no date; write"),
        (["keys", "create", "--sub", "a", "--tier", "gold"], "--tier 'gold' is not configured"),
        (["usage", "--by", "week"], "argument --by: invalid choice: 'week'"),
        (["usage", "--from", "yesterday"], "argument --from: 'yesterday' is no date; write 2026-01-31"),
        (["usage", "--from", "2026-02-01", "--to", "2026-02-01"], "--from is not before --to; name"),
        (["explain"], "the following arguments are required: REQUEST_ID"),
        (["cache", "purge", "--kind", "film"], "argument --kind: invalid choice: 'film' (choose from"),
        (["cache", "purge", "--key", "abc"], "A key is written as `explain` shows it"),
        (["cache", "purge", "--owner", ""], "Each name is given with a value."),
        (["cache", "purge", "--url", "orders/7"], "A url is written as it is asked for"),
        (["cache", "purge", "--url", "https://shop.example"], "A url is written as it is asked for"),
        (["cache", "purge", "--url", "https:///x"], "A url is written as it is asked for"),
        (["cache", "purge", "--tag", ""], "Each name is given with a value."),
    ],
)  # fmt: skip
def test_misuse_is_one_line_and_exit_code_2(argv, said, capsys, home):
    assert main(argv) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"penstock: misused: {said}")
    assert err.count("\n") == 1
    assert err.endswith("\n")


@pytest.mark.parametrize(
    "command", [["check"], ["token", "--sub", "a"], ["keys", "list"], ["usage"]]
)
def test_a_bad_configuration_is_one_line_and_exit_code_1(command, capsys, home):
    (home / "penstock.toml").write_text("[server]\nprot = 1\n")
    assert main(command) == 1
    assert capsys.readouterr() == (
        "",
        "penstock: misconfigured: penstock.toml: server.prot is no setting; the nearest is server.port\n",
    )


def test_a_failing_store_is_one_line_and_exit_code_1(capsys, monkeypatch):
    def fail(args):
        raise Unavailable("The tables cannot be reached\nor written.")

    monkeypatch.setitem(COMMANDS, "check", type(COMMANDS["check"])("x", lambda parser: None, fail))
    assert main(["check"]) == 1
    said = "penstock: service_unavailable: The tables cannot be reached or written.\n"
    assert capsys.readouterr() == ("", said)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            PermissionError(13, "Permission denied", "/x"),
            "penstock: io_error: /x: permission denied;",
        ),
        (OSError("odd"), "penstock: io_error: the system refused;"),
    ],
)
def test_what_the_system_refuses_is_one_line_and_exit_code_1(error, said, capsys, monkeypatch):
    def fail(args):
        raise error

    monkeypatch.setitem(COMMANDS, "check", type(COMMANDS["check"])("x", lambda parser: None, fail))
    assert main(["check"]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(said)
    assert err.count("\n") == 1


def test_a_reader_that_left_is_no_traceback(home):
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "penstock", "check", "--schema"]
    ended = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, check=False, cwd=home)
    os.close(writing)
    assert (ended.returncode, ended.stderr) == (1, b"")


def test_one_line_has_no_control_characters():
    assert one_line("a\nb\x1b[31mc\td") == "a b [31mc d"


def test_the_parser_is_made_anew_each_time():
    assert parser() is not parser()
