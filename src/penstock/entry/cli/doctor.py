"""`penstock doctor`: whether this machine and this configuration can serve, and what to do where not."""

from __future__ import annotations

import argparse
import asyncio

from penstock.entry.cli import show
from penstock.entry.cli.command import Command, configured
from penstock.entry.cli.probes import Finding, config_probes, machine_probes
from penstock.entry.cli.probes_documents import strays
from penstock.entry.settings import Loaded
from penstock.errors import Misconfigured


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--offline", action="store_true", help="do not ask the providers")


def run(args: argparse.Namespace) -> int:
    findings = asyncio.run(examine(args))
    good = all(finding.good for finding in findings)
    if args.json:
        checks = [
            {"check": f.check, "good": f.good, "found": f.found, "mend": f.mend} for f in findings
        ]
        show.as_json({"good": good, "checks": checks})
    else:
        for finding in findings:
            _print(finding)
    return 0 if good else 1


async def examine(args: argparse.Namespace) -> list[Finding]:
    """Every finding; without a usable configuration those of the machine alone."""
    findings = machine_probes()
    try:
        loaded: Loaded = configured(args)
    except Misconfigured as error:
        return [*findings, Finding("configuration", False, error.message, "mend it and repeat")]
    findings.append(Finding("configuration", True, loaded.source))
    probes = await config_probes(loaded.config, ask=not args.offline)
    return [*findings, *probes, *await strays(loaded.config)]


def _print(finding: Finding) -> None:
    mend = "" if finding.good else f"; {finding.mend}"
    text = show.one_line(f"{finding.check}: {finding.found}{mend}")
    print(f"{'✓' if finding.good else '✗'} {text}")


DOCTOR = Command("Check this machine, the configuration and the providers.", add, run)
