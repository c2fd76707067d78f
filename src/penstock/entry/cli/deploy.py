"""`penstock deploy cloudflare`: writes the Worker project, judges it, tries it, deploys it."""

from __future__ import annotations

import argparse
import os
import re
import sys
import tempfile
import time
from argparse import ArgumentTypeError
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import msgspec
from msgspec.structs import replace

from penstock import __version__
from penstock.entry import settings
from penstock.entry.cli import show
from penstock.entry.cli.command import Command, Misused
from penstock.entry.cli.values import port
from penstock.entry.cloudflare import apply, project, rehearse, sources, survey, vendor
from penstock.entry.cloudflare import wrangler as tool
from penstock.entry.cloudflare.apply import Work
from penstock.entry.cloudflare.choices import ENVIRONMENTS, Choices
from penstock.entry.cloudflare.judge import Judged, judge
from penstock.entry.cloudflare.wrangler import Undeployed, Wrangler
from penstock.entry.known import known_models
from penstock.errors import Misconfigured

FOLDER = Path(".penstock/cloudflare")
PATIENCE_SECONDS = 10.0
LONGEST_NAME = 45
"""A Worker's name has 63 characters at most, `-development-meter` included."""
OPTIONS = {
    "kv_id": "id of an existing KV namespace (default: NAME-kv, found or made)",
    "d1_id": "id of an existing D1 database",
    "d1_name": "name of the D1 database (default: NAME, found or made)",
    "r2_name": "name of the R2 bucket (default: NAME-blobs, found or made)",
    "vectorize_name": "name of the Vectorize index (default: document-vectors)",
    "url": "the address it is tried at (default: the one that wrangler names)",
}
MODES = {
    "check": "judge the configuration, this machine and the login, and write nothing",
    "dry_run": "build both Workers by wrangler, offline, and print their sizes",
    "apply": "make what is missing in the account, migrate, deploy, try it; roll back if it fails",
    "local": "serve it by `wrangler dev`, on this machine's own stores",
    "rollback": "have the version before this one serve again",
}


def add(parser: argparse.ArgumentParser) -> None:
    platforms = parser.add_subparsers(dest="where", required=True, metavar="PLATFORM")
    made = platforms.add_parser("cloudflare", help="a Worker, with what it stands on")
    made.add_argument(
        "--out", metavar="DIR", help=f"where the project is written (default: {FOLDER}/ENV)"
    )
    made.add_argument(
        "--name", type=_name, metavar="NAME", help="the Worker's name (default: penstock)"
    )
    made.add_argument(
        "--env",
        choices=ENVIRONMENTS,
        metavar="ENV",
        default="production",
        help="which environment; others than production end their names with it (default: production)",
    )
    for option, meaning in OPTIONS.items():
        made.add_argument(f"--{option.replace('_', '-')}", metavar=option.upper(), help=meaning)
    made.add_argument(
        "--vendor",
        choices=("pip", "none"),
        metavar="HOW",
        default="pip",
        help="what fills python_modules; none leaves them as they are (default: pip)",
    )
    made.add_argument(
        "--port", type=port, default=8787, metavar="PORT", help="for --local (default: 8787)"
    )
    modes = made.add_mutually_exclusive_group()
    for mode, meaning in MODES.items():
        modes.add_argument(f"--{mode.replace('_', '-')}", action="store_true", help=meaning)


def run(args: argparse.Namespace) -> int:
    folder = Path(args.out) if args.out else FOLDER / args.env
    choices = chosen(args, project.read(folder))
    if args.check:
        return check(args, folder, choices)
    if args.rollback:
        return rollback(args, folder)
    judged, source = configuration(args)
    package = sources.packaged()
    project.write(folder, project.files(choices, judged, package))
    _vendored(args, folder / project.MODULES)
    if args.dry_run:
        return dry_run(args, folder)
    if args.local:
        return local(args, folder)
    if args.apply:
        return applied(args, _work(args, folder, judged, package), choices)
    return written(args, folder, choices, judged, source)


def chosen(args: argparse.Namespace, kept: Choices | None) -> Choices:
    """The options given, over those of an earlier run, over the defaults; raises Misused."""
    choices = kept or Choices(environment=args.env)
    if choices.environment != args.env:
        raise Misused(f"that folder is the project of {choices.environment}; name another by --out")
    given = {name: getattr(args, name) for name in ("name", *OPTIONS)}
    return replace(choices, **{name: value for name, value in given.items() if value is not None})


def configuration(args: argparse.Namespace) -> tuple[Judged, str]:
    """What is to run there, and the file that says it; raises Misconfigured."""
    file = settings.find(args.config, os.environ)
    known = known_models(settings.today())
    if file is None:
        return judge("", os.environ, known), "environment"
    try:
        text = file.read_bytes().decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise Misconfigured(f"{file} cannot be read; name another by --config") from error
    try:
        return judge(text, os.environ, known), str(file)
    except Misconfigured as error:
        raise Misconfigured(f"{file}: {error.message}") from error


def check(args: argparse.Namespace, folder: Path, choices: Choices) -> int:
    """Judges and asks; writes nothing."""
    findings = survey.machine(folder)
    with tempfile.TemporaryDirectory() as place:
        wrangler = None
        if all(finding.good for finding in findings):
            wrangler = Wrangler(tool.find(Path.cwd(), folder), Path(place))
            findings.append(survey.account(wrangler))
        findings += _judged(args, choices, wrangler if findings[-1].good else None)
    good = all(finding.good for finding in findings)
    if args.json:
        keys = ("check", "good", "found", "mend")
        show.as_json(
            {"good": good, "checks": [dict(zip(keys, found, strict=True)) for found in findings]}
        )
    else:
        for found in findings:
            mend = "" if found.good else f"; {found.mend}"
            text = show.one_line(f"{found.check}: {found.found}{mend}")
            print(f"{'✓' if found.good else '✗'} {text}")
    return 0 if good else 1


def _judged(
    args: argparse.Namespace, choices: Choices, wrangler: Wrangler | None
) -> list[survey.Finding]:
    try:
        judged, source = configuration(args)
    except Misconfigured as error:
        return [survey.Finding("configuration", False, error.message, "mend it and repeat")]

    def put() -> set[str]:
        return survey.put_already(wrangler, choices.worker) if wrangler else set()

    return [
        survey.Finding("configuration", True, source),
        *survey.secrets(judged, os.environ, put),
        survey.resources(choices, indexed=judged.dimension > 0),
        survey.documents(judged),
        *survey.probes(judged),
    ]


def written(
    args: argparse.Namespace, folder: Path, choices: Choices, judged: Judged, source: str
) -> int:
    """Says what was written, and what is next."""
    told = {
        "project": str(folder),
        "configuration": source,
        "worker": choices.worker,
        "meter": choices.meter,
        "environment": choices.environment,
        "secrets": [*judged.required],
        "optional": [*judged.optional],
        "notes": judged.notes,
    }
    if args.json:
        show.as_json(told)
        return 0
    shown = ("project", "configuration", "worker", "meter", "environment")
    show.pairs([(name, told[name]) for name in shown])
    show.pairs([("secrets", ", ".join(judged.required))])
    print("\n" + "\n".join(show.one_line(note) for note in judged.notes))
    print("\nNext: --check, --dry-run, then --apply with the secrets in the environment.")
    return 0


def dry_run(args: argparse.Namespace, folder: Path) -> int:
    with tempfile.TemporaryDirectory() as out:
        sizes = rehearse.sizes(
            Wrangler(tool.find(Path.cwd(), folder), folder.absolute()), Path(out)
        )
    if args.json:
        show.as_json({"project": str(folder), "workers": [size._asdict() for size in sizes]})
    else:
        rows = [(size.worker, size.raw_bytes, size.gzip_bytes) for size in sizes]
        show.table(("WORKER", "BYTES", "GZIP"), rows)
    return 0


def local(args: argparse.Namespace, folder: Path) -> int:
    executable = tool.find(Path.cwd(), folder)
    rehearse.check_local()
    remote = survey.account(Wrangler(executable, folder.absolute())).good
    if not remote:
        _say("not logged in, so Workers AI and Vectorize are left out", args)
    return rehearse.serve(executable, folder, args.port, os.environ, remote)


def applied(args: argparse.Namespace, work: Work, choices: Choices) -> int:
    logged_in = survey.account(work.wrangler)
    if not logged_in.good:
        raise Undeployed(f"{logged_in.found}; {logged_in.mend}")
    done = apply.apply(work, choices)
    told: dict[str, Any] = {
        "url": done.url,
        "worker": done.choices.worker,
        "version": done.version,
        "penstock": __version__,
        "kept": [statement.split()[-1].rstrip(";") for statement in done.adopted],
        "resources": msgspec.to_builtins(done.choices),
    }
    if args.json:
        show.as_json(told)
    else:
        print(f"\n{done.choices.worker} serves at {done.url}")
    return 0


def rollback(args: argparse.Namespace, folder: Path) -> int:
    if project.read(folder) is None:
        raise Misconfigured(f"{folder} has no project; write it first, without --rollback")
    words = ("rollback", "--message", "penstock deploy cloudflare --rollback", "--yes")
    _say(f"back to the version before: {tool.spoken(words)}", args)
    Wrangler(tool.find(Path.cwd(), folder), folder.absolute()).run(*words).good()
    if args.json:
        show.as_json({"rolled_back": True})
    else:
        print("The version before serves again. The database stays as it is.")
    return 0


def fetch(url: str) -> tuple[int, bytes]:
    """Status and the first bytes of a page; raises OSError."""
    request = Request(url, headers={"user-agent": f"penstock/{__version__}"})
    try:
        with urlopen(request, timeout=PATIENCE_SECONDS) as reply:
            return reply.status, reply.read(65_536)
    except HTTPError as error:
        return error.code, error.read(65_536)
    except ValueError as error:
        raise OSError("no address") from error


def _work(
    args: argparse.Namespace,
    folder: Path,
    judged: Judged,
    package: dict[str, tuple[str, bytes]],
) -> Work:
    secret = [os.environ.get(name, "") for name in (*judged.required, *judged.optional)]
    executable = tool.find(Path.cwd(), folder)
    wrangler = Wrangler(executable, folder.absolute(), secret)
    return Work(
        folder,
        judged,
        package,
        os.environ,
        wrangler,
        lambda text: _say(text, args),
        fetch,
        time.sleep,
    )


def _say(text: str, args: argparse.Namespace) -> None:
    """Progress: beside the JSON where that is asked for."""
    print(f"· {show.one_line(text)}", file=sys.stderr if args.json else sys.stdout, flush=True)


def _vendored(args: argparse.Namespace, modules: Path) -> None:
    if args.vendor == "pip" and not vendor.is_done(modules):
        _say("python_modules, from PyPI", args)
        vendor.vendor(modules)
    elif not modules.is_dir():
        raise Misconfigured(f"{modules} is not there; fill it, or leave --vendor none out")


def _name(text: str) -> str:
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]*", text) or len(text) > LONGEST_NAME:
        raise ArgumentTypeError(f"{text!r} is no Worker's name; use a-z, 0-9 and dashes")
    return text


DEPLOY = Command("Write, check and deploy the Cloudflare home.", add, run)
