"""wrangler, as a command that is run: never with a secret among its words."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from penstock.errors import Error, Missing

OLDEST = (4, 100)
OLDEST_NODE = (22, 12)
PATIENCE_SECONDS = 600
MOST_TOLD = 600
"""Characters of a failure, its end."""
MEND = "npm install --global wrangler@4, or npm install wrangler@4 in this folder"
_VERSION = re.compile(r"(\d+)\.(\d+)\.(\d+)")
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_MARK = re.compile(r"^(\W*ERROR\W*|[^\w(`\[]+)")
_SKIPPED = ("If you think this is a bug", "Logs were written", "wrangler ")
ADVICE = (
    (
        r"\b10000\b|\b9109\b|[Aa]uthenticat|CLOUDFLARE_API_TOKEN|[Nn]ot logged in",
        "log in by `npx wrangler login`, or set CLOUDFLARE_API_TOKEN to a token that may edit Workers Scripts, Workers"
        " KV Storage, D1, R2 Storage, Vectorize and Workers AI",
    ),
    (r"More than one account", "set CLOUDFLARE_ACCOUNT_ID to the one that is meant"),
    (r"\b10042\b|enable R2", "enable R2 in the account's dashboard once"),
    (r"getaddrinfo|fetch failed|ECONN|ETIMEDOUT", "check the network"),
)


class Undeployed(Error):
    """A command of wrangler failed."""

    code = "deploy_failed"


class Ran(NamedTuple):
    """How a command ended; `events` are what wrangler says of it to programs."""

    command: str
    code: int
    out: str
    said: str
    events: list[dict[str, Any]]

    @property
    def failure(self) -> str:
        """Why it failed, in wrangler's words, in one line."""
        lines = [_MARK.sub("", _COLOUR.sub("", line)).strip() for line in self.said.splitlines()]
        told = " ".join(line for line in lines if line and not line.startswith(_SKIPPED))
        event = next((e for e in self.events if e.get("type") == "command-failed"), {})
        told = told or " ".join(str(event.get("message", "it says nothing")).split())
        code = f" [code: {event['code']}]" if event.get("code") else ""
        return (told if code.strip() in told else told + code)[-MOST_TOLD:]

    def good(self) -> Ran:
        """Itself; raises Undeployed, with what to do, where it failed."""
        if self.code == 0:
            return self
        mends = [mend for pattern, mend in ADVICE if re.search(pattern, self.failure)]
        mend = mends[0] if mends else "mend it"
        raise Undeployed(
            f"`{self.command}` failed: {self.failure}; {mend}, then repeat: what is done is found again"
        )

    def json(self) -> Any:
        """The JSON it printed; raises Undeployed where there is none."""
        self.good()
        starts = [at for at in (self.out.find("["), self.out.find("{")) if at >= 0]
        try:
            return json.loads(self.out[min(starts) :]) if starts else json.loads(self.out)
        except ValueError as error:
            raise Undeployed(
                f"`{self.command}` did not answer with JSON; use wrangler {OLDEST[0]}.{OLDEST[1]} or newer"
            ) from error


class Wrangler:
    """The executable, run in one folder; what it prints has none of the `secret` texts."""

    def __init__(self, executable: str, folder: Path, secret: Iterable[str] = ()) -> None:
        self._executable = executable
        self._folder = folder
        self._secret = [text for text in secret if text]

    def run(self, *words: str, stdin: str = "") -> Ran:
        with tempfile.TemporaryDirectory() as place:
            events = Path(place) / "events"
            try:
                done = subprocess.run(
                    [self._executable, *words],
                    cwd=self._folder,
                    env=environment(os.environ) | {"WRANGLER_OUTPUT_FILE_PATH": str(events)},
                    input=stdin,
                    capture_output=True,
                    text=True,
                    errors="replace",
                    timeout=PATIENCE_SECONDS,
                    check=False,
                )
                code, out, err = done.returncode, done.stdout, done.stderr
            except subprocess.TimeoutExpired:
                code, out, err = 1, "", f"it took longer than {PATIENCE_SECONDS} s"
            told = _events(self._redacted(events.read_text("utf-8"))) if events.exists() else []
        out, err = self._redacted(out), self._redacted(err)
        return Ran(spoken(words), code, out, err if err.strip() else out, told)

    def _redacted(self, text: str) -> str:
        for secret in self._secret:
            text = text.replace(secret, "***")
        return text


def spoken(words: Iterable[str]) -> str:
    """The command as people would type it."""
    return " ".join(["wrangler", *(f'"{word}"' if " " in word else word for word in words)])


def environment(env: Mapping[str, str]) -> dict[str, str]:
    """That of this process, without what would have wrangler ask, colour, report, or take another section."""
    kept = {name: value for name, value in env.items() if name != "CLOUDFLARE_ENV"}
    quiet = {"CI": "1", "NO_COLOR": "1", "FORCE_COLOR": "0", "WRANGLER_SEND_METRICS": "false"}
    return kept | quiet | {"WRANGLER_HIDE_BANNER": "true"}


def find(*folders: Path) -> str:
    """wrangler's path: of these folders' own packages, else on PATH; raises Missing."""
    for folder in folders:
        own = folder / "node_modules" / ".bin" / "wrangler"
        if own.is_file():
            return str(own.absolute())
    found = shutil.which("wrangler")
    if found is None:
        raise Missing(f"wrangler is not installed: {MEND}")
    return found


def version(executable: str) -> tuple[int, ...]:
    """What `--version` says, (0,) where it says nothing of the kind."""
    try:
        done = subprocess.run(
            [executable, "--version"],
            env=environment(os.environ),
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=60,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return (0,)
    found = _VERSION.search(done.stdout)
    return tuple(map(int, found.groups())) if found else (0,)


def _events(text: str) -> list[dict[str, Any]]:
    found = []
    for line in text.splitlines():
        try:
            event = json.loads(line)
        except ValueError:
            continue
        if isinstance(event, dict):
            found.append(event)
    return found
