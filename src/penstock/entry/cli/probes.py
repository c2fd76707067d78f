"""The single questions that `penstock doctor` asks."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import re
import socket
import sys
import tempfile
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from penstock.config import Config, Provider
from penstock.config.embedder import embedder
from penstock.config.reached import Reached, everywhere
from penstock.entry import home
from penstock.entry.secrets import FILE
from penstock.errors import Misconfigured, Missing
from penstock.providers import CHAT

PATIENCE = 5.0
"""Seconds a provider gets to answer."""
OLDEST_PYTHON = (3, 11)
OLDEST_SQLITE = (3, 51, 3)
DOCUMENT_PARTS = ("openpyxl", "pypdfium2")
LOCAL_PARTS = ("numpy", "onnxruntime", "safetensors", "tokenizers")


class Finding(NamedTuple):
    """One answer: what was checked and found, and the mend where it is not good."""

    check: str
    good: bool
    found: str
    mend: str = ""


def machine_probes() -> list[Finding]:
    """What does not depend on the configuration."""
    return [python(sys.version_info[:3]), sqlite()]


async def config_probes(config: Config, *, ask: bool) -> list[Finding]:
    """What the configuration wants of this machine and, if asked for, of the providers."""
    findings = [data_directory(Path(config.data)), dev_secret(Path(config.data) / FILE)]
    if config.platform == "server":
        findings += await stores(config)
    findings.append(await asyncio.to_thread(listening, config.server.host, config.server.port))
    for name, provider in config.providers.items():
        if provider.kind == "local":
            findings.append(local_runner(name, provider))
    findings += documents(config) + telemetry(config)
    remote = [found for found in everywhere(config) if found[1].at.kind in _PROBES and ask]
    asked = [asyncio.to_thread(reachable, named(config, *one), one[1].at) for one in remote]
    return findings + list(await asyncio.gather(*asked))


def python(version: tuple[int, ...]) -> Finding:
    """Is this Python new enough?"""
    found = ".".join(map(str, version))
    return Finding("python", version >= OLDEST_PYTHON, found, "install Python 3.11 or newer")


def sqlite(version: str = "") -> Finding:
    """Is SQLite past the defect that corrupts a WAL on reset?"""
    if not version:
        import apsw

        version = apsw.sqlite_lib_version()
    good = tuple(map(int, version.split("."))) >= OLDEST_SQLITE
    mend = "3.51.2 and older can corrupt the database: pip install --upgrade 'apsw>=3.51.3'"
    return Finding("sqlite", good, version, mend)


def data_directory(data: Path) -> Finding:
    """May we write there, or make it?"""
    place = data
    while not place.exists() and place != place.parent:
        place = place.parent
    if data.exists():
        good = _writes(data)
        found = f"{data} {'is writable' if good else 'cannot be written'}"
    else:
        good = place.is_dir() and os.access(place, os.W_OK | os.X_OK)
        found = f"{data} {'will be made on first run' if good else 'cannot be made'}"
    return Finding("data directory", good, found, f"check who owns {place}, or set data elsewhere")


def _writes(folder: Path) -> bool:
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"penstock")
            file.flush()
    except OSError:
        return False
    return True


def dev_secret(file: Path) -> Finding:
    """Is the development issuer's secret ours alone?"""
    if not file.exists():
        return Finding("development secret", True, "not made yet, or not needed")
    good = not file.stat().st_mode & 0o077
    found = f"{file} is {'closed' if good else 'open'} to other users"
    return Finding("development secret", good, found, f"chmod 600 {file}")


def listening(host: str, port: int) -> Finding:
    """Is the port free, or already a gateway's?"""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM
        )[0]
        with socket.socket(family, kind, protocol) as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trial.bind(address)
    except OSError as error:
        return _taken(host, port, error)
    return Finding("port", True, f"{host}:{port} is free")


def _taken(host: str, port: int, error: OSError) -> Finding:
    if error.errno == errno.EADDRINUSE:
        if _is_gateway(host, port):
            return Finding("port", True, f"{host}:{port} is a running gateway's")
        return Finding(
            "port", False, f"{host}:{port} is taken", "stop what listens there, or use --port"
        )
    reason = (error.strerror or "it cannot be used").lower()
    return Finding("port", False, f"{host}:{port}: {reason}", "set server.host and server.port")


def _is_gateway(host: str, port: int) -> bool:
    here = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    try:
        status, body = get(f"http://{'[' + here + ']' if ':' in here else here}:{port}/health", {})
        said = json.loads(body)
    except (OSError, HTTPException, ValueError):
        return False
    return status == 200 and isinstance(said, dict) and {"status", "edge", "version"} <= set(said)


async def stores(config: Config) -> list[Finding]:
    """Are PostgreSQL and Redis there, as they must be?"""
    try:
        where = home.places(config)
    except Missing as error:
        return [Finding("stores", False, *_parted(error.message))]
    from penstock.platforms.server import doctor

    found = []
    for check, ask in (("postgres", doctor.postgres), ("redis", doctor.redis)):
        try:
            found.append(Finding(check, True, await ask(where)))
        except Misconfigured as error:
            said, mend = _parted(error.message.removeprefix(f"stores.{check}: "))
            found.append(Finding(check, False, said, mend))
    return found


def _parted(message: str) -> tuple[str, str]:
    """What is wrong, and the mend that follows it."""
    for mark in ("; ", ": "):
        said, found, mend = message.rpartition(mark)
        if found:
            return said, mend
    return message, "mend it and repeat"


def local_runner(name: str, provider: Provider) -> Finding:
    """Is the model's directory there, and what runs it installed?"""
    check = f"provider {name}"
    lacking = [part for part in LOCAL_PARTS if find_spec(part) is None]
    if lacking:
        found = f"{', '.join(lacking)} not installed"
        return Finding(check, False, found, "pip install 'penstock[local]'")
    if Path(provider.path).is_dir():
        return Finding(check, True, f"{provider.path} is there")
    if HUB_NAME.fullmatch(provider.path):
        return Finding(check, True, f"{provider.path} comes from its hub at start")
    found = f"{provider.path} is no directory"
    return Finding(check, False, found, "name the directory of the model in its path")


def documents(config: Config) -> list[Finding]:
    """How documents are found, and whether all kinds of them can be read."""
    found = embedder(config)
    by = (
        "by words alone" if found.target is None else f"by words and vectors of {found.target.name}"
    )
    why = f" ({found.why})" if found.why else ""
    lacking = [part for part in DOCUMENT_PARTS if find_spec(part) is None]
    told = (
        f"{', '.join(lacking)} not installed: PDF and XLSX are refused"
        if lacking
        else "PDF and XLSX are read"
    )
    return [
        Finding("documents are found", True, f"{by}{why}"),
        Finding("documents are read", not lacking, told, "pip install 'penstock[documents]'"),
    ]


def telemetry(config: Config) -> list[Finding]:
    """Whether what sends spans is installed, where they are to be sent."""
    if not config.telemetry.enabled:
        return []
    lacking = [part for part in home.SENDERS if not home.installed(part)]
    found = f"{', '.join(lacking)} not installed" if lacking else "spans and metrics are sent"
    return [Finding("telemetry", not lacking, found, "pip install 'penstock[telemetry]'")]


HUB_NAME = re.compile(r"[\w-][\w.-]*/[\w.-]+")

_PROBES = {
    "openai": "/models",
    "anthropic": "/v1/models",
    "workers_ai": "/accounts/{account}/ai/models/search?per_page=1",
}
"""Of each kind the cheapest GET that needs its key."""


def named(config: Config, owner: str, one: Reached) -> str:
    """What a deployment is called: by its provider alone, where that has no other."""
    provider = config.providers.get(owner)
    if provider is None:
        return f"target {owner}, deployment {one.name}"
    return f"provider {owner}" + (f", deployment {one.name}" if provider.deployments else "")


def reachable(check: str, provider: Provider) -> Finding:
    """Does the provider answer there, and take our key?"""
    base = provider.base_url
    if provider.kind == "anthropic":
        base = base.removesuffix("/v1")
    url = base + _PROBES[provider.kind].format(account=provider.account)
    host = urlsplit(url).netloc.rpartition("@")[2]
    try:
        status, _ = get(url, dict(CHAT[provider.kind].key_headers(provider)))
    except (OSError, HTTPException, ValueError):
        return Finding(check, False, f"{host} is out of reach", "check the network and the url")
    if status in {401, 403}:
        return Finding(check, False, f"{host} refuses the key ({status})", "check the key")
    good = status < 500
    found = f"{host} {'answers' if good else 'is failing'} ({status})"
    return Finding(check, good, found, "try again later, or see the provider's status page")


def get(url: str, headers: dict[str, str]) -> tuple[int, bytes]:
    """Status and the first bytes of the reply; redirects are not followed. Raises OSError, HTTPException."""
    parts = urlsplit(url)
    make = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    connection = make(parts.hostname or "", parts.port, timeout=PATIENCE)
    try:
        connection.request("GET", url[len(f"{parts.scheme}://{parts.netloc}") :], headers=headers)
        reply = connection.getresponse()
        return reply.status, reply.read(65_536)
    finally:
        connection.close()
