"""Where a request goes: an absolute URL, taken apart once."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from msgspec import Struct

from penstock.errors import NotSent

_URL = re.compile(
    rb"(?P<scheme>https?)://(?P<host>\[[0-9a-f:.]+\]|[a-z0-9._~-]+)(?::(?P<port>[0-9]{1,5}))?"
    rb"(?P<path>/[!\"$-~]*)?(?P<query>\?[!\"$-~]*)?(?:#[!-~]*)?",
    re.IGNORECASE,
)
_PORTS = {False: 80, True: 443}


class Origin(NamedTuple):
    """What a connection leads to; connections are shared within one."""

    secure: bool
    host: str
    port: int


class Target(Struct, frozen=True):
    """An origin, and the rest of the request line with the host header."""

    origin: Origin
    line: str


@lru_cache(maxsize=1_000)
def parse(url: bytes) -> Target:
    """A target from an absolute http or https URL in ASCII; raises NotSent. User names are refused, fragments dropped."""
    found = _URL.fullmatch(url)
    if found is None:
        raise _invalid()
    secure = found["scheme"].lower() == b"https"
    host = found["host"].decode("ascii").lower()
    port = int(found["port"] or _PORTS[secure])
    if not 0 < port < 65_536:
        raise _invalid()
    name = host if port == _PORTS[secure] else f"{host}:{port}"
    path = (found["path"] or b"/") + (found["query"] or b"")
    origin = Origin(secure, host.strip("[]"), port)
    return Target(origin, f" {path.decode('ascii')} HTTP/1.1\nhost: {name}")


def _invalid() -> NotSent:
    return NotSent("The target's address is not an http or https URL.")
