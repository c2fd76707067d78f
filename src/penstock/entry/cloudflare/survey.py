"""What `--check` asks: of the configuration, of this machine, and of wrangler's login."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from penstock.entry.cloudflare import project, vendor
from penstock.entry.cloudflare import wrangler as tool
from penstock.entry.cloudflare.choices import Choices
from penstock.entry.cloudflare.judge import Judged
from penstock.entry.cloudflare.wrangler import Undeployed, Wrangler
from penstock.errors import Missing


class Finding(NamedTuple):
    """One answer: what was checked and found, and the mend where it is not good."""

    check: str
    good: bool
    found: str
    mend: str = ""


def machine(folder: Path) -> list[Finding]:
    """Node, wrangler, and what python_modules is filled by."""
    return [node(), wrangler(folder), modules(folder)]


def node() -> Finding:
    oldest = ".".join(map(str, tool.OLDEST_NODE))
    mend = f"install Node {oldest} or newer"
    if shutil.which("node") is None:
        return Finding("node", False, "it is not installed", mend)
    done = subprocess.run(["node", "--version"], capture_output=True, text=True, check=False)
    found = done.stdout.strip().removeprefix("v")
    numbers = tuple(int(part) for part in found.split(".") if part.isdecimal())
    return Finding("node", numbers >= tool.OLDEST_NODE, found or "it says no version", mend)


def wrangler(folder: Path) -> Finding:
    try:
        executable = tool.find(Path.cwd(), folder)
    except Missing:
        return Finding("wrangler", False, "it is not installed", tool.MEND)
    found = tool.version(executable)
    told = ".".join(map(str, found)) if any(found) else "it says no version"
    return Finding("wrangler", found >= tool.OLDEST, told, tool.MEND)


def modules(folder: Path) -> Finding:
    if vendor.is_done(folder / project.MODULES):
        return Finding("python_modules", True, "they are those of the lock")
    return Finding(
        "python_modules", True, "they will be fetched from PyPI when the project is written"
    )


def account(wrangler: Wrangler) -> Finding:
    """Is wrangler logged in, and to which accounts?"""
    mend = "log in by `npx wrangler login`, or set CLOUDFLARE_API_TOKEN"
    ran = wrangler.run("whoami", "--json")
    try:
        told = ran.json() if ran.out.strip().startswith("{") and not ran.code else {}
    except Undeployed:
        told = {}
    if not told.get("loggedIn"):
        return Finding("login", False, "wrangler is not logged in", mend)
    accounts = [str(one.get("name") or one.get("id")) for one in told.get("accounts") or ()]
    single = len(accounts) == 1 or bool(os.environ.get("CLOUDFLARE_ACCOUNT_ID"))
    return Finding(
        "login",
        single,
        ", ".join(accounts) or "no account",
        "set CLOUDFLARE_ACCOUNT_ID to one of them",
    )


def secrets(judged: Judged, env: Mapping[str, str], there: Callable[[], set[str]]) -> list[Finding]:
    """Is each secret set here, or put already? The second is asked only where it matters."""
    unset = [name for name in judged.required if not env.get(name)]
    put = there() if unset else set()
    mend = "set it in the environment of --apply"
    return [
        Finding(f"secret {name}", name not in unset or name in put, _whence(name, unset, put), mend)
        for name in judged.required
    ]


def _whence(name: str, unset: list[str], put: set[str]) -> str:
    if name not in unset:
        return "is set here"
    return "was put already" if name in put else "is not set here"


def put_already(wrangler: Wrangler, worker: str) -> set[str]:
    """The names of secrets that the Worker has, as far as they can be asked for."""
    try:
        listed = wrangler.run("secret", "list", "--name", worker, "--format", "json").json()
    except Undeployed:
        return set()
    return {str(found["name"]) for found in listed}


def probes(judged: Judged) -> list[Finding]:
    """Who asks the backends of services for their health, where they have one."""
    told = "the meter's Worker is bound to the gateway, which probes the services' backends"
    return [Finding("probes", True, told)] if judged.probed else []


def documents(judged: Judged) -> Finding:
    """Whether documents are taken in, and by what they are found."""
    found = judged.embedder
    if found.target is None:
        return Finding("documents", True, f"none are taken: {found.why}")
    told = f"found by the vectors of {found.target.name}, {found.target.dimension} dimensions"
    return Finding("documents", True, told)


def resources(choices: Choices, *, indexed: bool) -> Finding:
    """Which of the stores are known by their ids; the others are found by name, or made."""
    named = {f"KV {choices.namespace}": choices.kv_id, f"D1 {choices.database}": choices.d1_id}
    told = [f"{name} {f'is {id}' if id else 'by its name'}" for name, id in named.items()]
    told += [f"R2 {choices.bucket}", *([f"Vectorize {choices.index}"] if indexed else [])]
    return Finding("resources", True, ", ".join(told))
