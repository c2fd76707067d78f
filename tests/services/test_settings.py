"""What the services read of the environment is what their page says."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from penstock_services import settings
from penstock_services.auth import app as auth
from penstock_services.billing import app as billing
from penstock_services.chat import app as chat
from tests import pages

PAGE = "docs/how-to/run-the-reference-services.md"


class Asked(Mapping[str, str]):
    """An empty environment that remembers what it was asked for."""

    def __init__(self) -> None:
        self.names: set[str] = set()

    def __getitem__(self, name: str) -> str:
        self.names.add(name)
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


def test_every_variable_is_documented_and_every_documented_one_read():
    asked = Asked()
    settings.read(asked, Path("unused"))
    rows = re.findall(r"^\| (`[A-Z].*?) \|", pages.read(PAGE), re.MULTILINE)
    assert {name for row in rows for name in re.findall(r"`([A-Z_]+)`", row)} == asked.names


def test_every_route_is_documented():
    sources = [Path(part.__file__ or "").read_text() for part in (auth, chat, billing)]
    routes = {path for text in sources for path in re.findall(r'"[A-Z]+ (/api/[^"]+)": ', text)}
    page = pages.read(PAGE)
    aliases = {"/api/auth/signup", "/api/auth/signin", "/api/auth/signout", "/api/ai/chat/{id}"}
    missing = [
        path
        for path in routes - aliases
        if path not in page and f"`/{path.rpartition('/')[2]}`" not in page
    ]
    assert missing == []
