"""`penstock`: finds the command, runs it, and turns what goes wrong into one line and an exit code."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from penstock import __version__
from penstock.entry.cli.alerts import ALERTS
from penstock.entry.cli.cache import CACHE
from penstock.entry.cli.check import CHECK
from penstock.entry.cli.command import Command, Misused, Parser
from penstock.entry.cli.deploy import DEPLOY
from penstock.entry.cli.doctor import DOCTOR
from penstock.entry.cli.explain import EXPLAIN
from penstock.entry.cli.keys import KEYS
from penstock.entry.cli.migrate import MIGRATE
from penstock.entry.cli.rag import RAG
from penstock.entry.cli.reconcile import RECONCILE
from penstock.entry.cli.replay import REPLAY
from penstock.entry.cli.report import REPORT
from penstock.entry.cli.router import ROUTER
from penstock.entry.cli.serve import SERVE
from penstock.entry.cli.services import SERVICES
from penstock.entry.cli.show import one_line
from penstock.entry.cli.tenant_keys import TENANT_KEYS
from penstock.entry.cli.token import TOKEN
from penstock.entry.cli.usage import USAGE
from penstock.errors import Error

DONE, FAILED, MISUSED = 0, 1, 2

COMMANDS: dict[str, Command] = {
    "serve": SERVE,
    "check": CHECK,
    "token": TOKEN,
    "keys": KEYS,
    "tenant-keys": TENANT_KEYS,
    "usage": USAGE,
    "explain": EXPLAIN,
    "alerts": ALERTS,
    "cache": CACHE,
    "deploy": DEPLOY,
    "doctor": DOCTOR,
    "migrate": MIGRATE,
    "rag": RAG,
    "reconcile": RECONCILE,
    "replay": REPLAY,
    "report": REPORT,
    "router": ROUTER,
    "services": SERVICES,
}


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command; returns 0 done, 1 failed, 2 misused. Errors are one line on standard error."""
    try:
        args = parser().parse_args(argv)
        if args.command is None:
            raise Misused(f"no command; name one of {', '.join(COMMANDS)}")
        code = COMMANDS[args.command].run(args)
        sys.stdout.flush()
        return code
    except SystemExit as end:  # argparse's way out of --help and --version
        return int(end.code or DONE)
    except Error as error:
        say(error.code, error.message)
        return MISUSED if isinstance(error, Misused) else FAILED
    except BrokenPipeError:
        # Whoever read our output has left; what is still buffered must not fail again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        reason = (error.strerror or "the system refused").lower()
        say("io_error", f"{place}{reason}; check that it exists and is ours to use")
        return FAILED
    except KeyboardInterrupt:
        return FAILED


def parser() -> Parser:
    """The whole command line; every command takes --config and --json."""
    made = Parser(prog="penstock", description="An AI gateway: serve it, and see what it did.")
    made.add_argument("--version", action="version", version=f"penstock {__version__}")
    commands = made.add_subparsers(dest="command", metavar="COMMAND")
    for name, command in COMMANDS.items():
        sub = commands.add_parser(name, help=command.help, description=command.help)
        command.add(sub)
        for end in _ends(sub):
            _add_common(end)
    return made


def say(code: str, message: str) -> None:
    """One line on standard error."""
    print(f"penstock: {code}: {one_line(message)}", file=sys.stderr)


def _ends(command: argparse.ArgumentParser) -> list[argparse.ArgumentParser]:
    """The command itself, or its sub-commands where it has some."""
    for action in command._actions:
        if isinstance(action, argparse._SubParsersAction):
            return list(action.choices.values())
    return [command]


def _add_common(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--config",
        metavar="FILE",
        help="configuration (default: PENSTOCK_CONFIG, ./penstock.toml, else the environment)",
    )
    command.add_argument("--json", action="store_true", help="print JSON for programs")
