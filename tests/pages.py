"""Markdown pages as tests see them: links, blocks, and the commands that are run as they stand.

A fenced block after `<!-- run -->` is run, in the page's order and in one shell; one after `<!-- output -->` is what the
run block before it prints, and one after `<!-- started -->` what the server says at its start. `…` in them stands for
anything, and so do ids, times and durations. `python -m tests.pages README.md` shows what a page's blocks print now.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

ROOT = Path(__file__).resolve().parents[1]
ADDRESS = "127.0.0.1:8787"
"""Where pages say that the server is; a test's own is elsewhere."""
BIN = ".venv/bin/"
PASSED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR")
READY = "listening on http://"
SEPARATOR = "\x1e"
RUN_SECONDS = 60
END_SECONDS = 10

BLOCK = re.compile(
    r"^(?:<!-- (?P<mark>run|output|started|console) -->\n)?(?P<fence>`{3,})(?P<language>[\w#:-]*)\n(?P<text>.*?)^(?P=fence)$",
    re.MULTILINE | re.DOTALL,
)
LINK = re.compile(r"\[[^\]\n]*\]\((?P<end>[^)\s]+)\)")
HEADING = re.compile(r"^#{1,6} (?P<text>.+)$", re.MULTILINE)
VOLATILE = re.compile(
    r"(?:req|key)_[0-9a-f]{32}"
    r"|\bpk-[\w-]{43}"
    r"|\b(?:chat|embed):[0-9a-f]{64}"
    r"|\d{4}-\d\d-\d\dT[\d:.]+Z|\b20\d\d-\d\d-\d\d\b"
    r"|(?<=\"created\":)\d+"
    r"|(?<=overhead-us: )\d+|(?<=total us     )\d+|(?<=upstream us  )\d+"
    r"|(?<=x-ratelimit-reset: )\d+"
)


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block; `mark` is run, output, started, console or empty."""

    mark: str
    language: str
    text: str


def markdown() -> list[Path]:
    """Every Markdown file of the repository."""
    found = [path.relative_to(ROOT) for path in ROOT.rglob("*.md")]
    return sorted(
        path
        for path in found
        if not any(part.startswith(".") or part == "node_modules" for part in path.parts)
    )


def read(page: Path | str) -> str:
    """A page's text."""
    return (ROOT / page).read_text(encoding="utf-8")


def blocks(page: Path | str) -> list[Block]:
    """Its fenced blocks, in order."""
    return [
        Block(match["mark"] or "", match["language"], match["text"])
        for match in BLOCK.finditer(read(page))
    ]


def prose(page: Path | str) -> str:
    """Its text without the fenced blocks, where neither links nor headings are meant."""
    return BLOCK.sub("", read(page))


def links(page: Path | str) -> list[str]:
    """Where its relative links lead, as written."""
    ends = [match["end"] for match in LINK.finditer(prose(page))]
    return [end for end in ends if not re.match(r"[a-z]+:", end)]


def anchors(page: Path | str) -> set[str]:
    """The names that links to its headings use, as GitHub makes them."""
    return {
        re.sub(r"[^\w\- ]", "", match["text"].lower()).replace(" ", "-")
        for match in HEADING.finditer(prose(page))
    }


class Server:
    """`penstock serve` on a free port in a directory of its own, with no more environment than it is given."""

    def __init__(self, folder: Path, env: Mapping[str, str]) -> None:
        own = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        self.env = {**own, **env, "NO_PROXY": "127.0.0.1"}
        self.folder = folder
        command = [f"{sys.prefix}/bin/penstock", "serve", "--port", "0"]
        self.process = subprocess.Popen(
            command,
            cwd=folder,
            env=self.env,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.said = "".join(self._lines())
        self.address = self.said.rpartition(READY)[2].strip()

    def _lines(self) -> Iterator[str]:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            yield line
            if line.startswith(READY):
                return

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.process.terminate()
        try:
            self.process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        assert self.process.stderr is not None
        self.process.stderr.close()

    def run(self, wanted: list[Block]) -> list[str]:
        """What each block prints, run one after the other in one shell; fails where one fails."""
        script = "set -euo pipefail\n" + "".join(
            f"{self._shell(block)}\nprintf '{SEPARATOR}'\n" for block in wanted
        )
        ran = subprocess.run(
            ["bash", "-s"],
            input=script,
            capture_output=True,
            text=True,
            cwd=self.folder,
            env=self.env,
            timeout=RUN_SECONDS,
        )
        printed = ran.stdout.replace(self.address, ADDRESS).split(SEPARATOR)
        assert ran.returncode == 0, (
            f"block {len(printed)} failed:\n{wanted[len(printed) - 1].text}\n"
            f"it printed:\n{printed[-1]}\n{ran.stderr}"
        )
        return printed[:-1]

    def _shell(self, block: Block) -> str:
        text = block.text.replace(ADDRESS, self.address).replace(BIN, f"{sys.prefix}/bin/")
        if block.language == "python":
            return f"{sys.executable} - <<'END_OF_BLOCK'\n{text}END_OF_BLOCK"
        return text


def agree(shown: str, printed: str) -> bool:
    """Whether a page's output is what was printed; where lines are broken and padded does not matter."""
    pattern = re.escape("".join(VOLATILE.sub("…", shown).split())).replace("…", ".*?")
    return re.fullmatch(pattern, "".join(printed.split())) is not None


def main() -> None:
    """Prints a page's run blocks with what they print."""
    page = sys.argv[1]
    wanted = [block for block in blocks(page) if block.mark == "run"]
    with tempfile.TemporaryDirectory() as folder, Server(Path(folder), {}) as server:
        told = [server.said, *server.run(wanted)]
    for block, printed in zip([Block("", "", "penstock serve\n"), *wanted], told, strict=True):
        sys.stdout.write(f"=== {block.text}--- prints\n{printed}\n")


if __name__ == "__main__":
    main()
