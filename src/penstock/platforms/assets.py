"""Files that were built beforehand, as a `Fetch`: read once, each at hand as it is and packed."""

from __future__ import annotations

import gzip
from collections.abc import Iterator, Mapping
from hashlib import sha256
from importlib import resources
from importlib.resources.abc import Traversable

from msgspec import Struct

from penstock.wire.http import Request, Response

FOLDER = "dashboard"
INDEX = "/index.html"
TYPES = {
    "css": "text/css; charset=utf-8", "html": "text/html; charset=utf-8", "ico": "image/x-icon",
    "js": "text/javascript; charset=utf-8", "json": "application/json", "map": "application/json", "png": "image/png",
    "svg": "image/svg+xml", "txt": "text/plain; charset=utf-8", "webmanifest": "application/manifest+json",
    "woff2": "font/woff2",
}  # fmt: skip
OTHER = "application/octet-stream"
_PACKED = frozenset({"css", "html", "js", "json", "map", "svg", "txt", "webmanifest"})


class File(Struct, frozen=True):
    """One file; `packed` is empty where that would not make it smaller."""

    kind: str
    tag: str
    plain: bytes
    packed: bytes


class Files:
    """A `Fetch` of GETs by path: 404 for what is not there, 304 for what the asker has."""

    def __init__(self, files: Mapping[str, File]) -> None:
        self._files = files

    async def __call__(self, request: Request) -> Response:
        file = self._files.get(request.path)
        if file is None:
            return Response(404)
        packed = bool(file.packed) and _takes_gzip(request.header("accept-encoding") or "")
        tag = f'"{file.tag}{"-gzip" if packed else ""}"'
        headers = [("content-type", file.kind), ("etag", tag)]
        headers += [("vary", "accept-encoding")] if file.packed else []
        if _has(request.header("if-none-match") or "", tag):
            return Response(304, headers)
        if packed:
            return Response(200, [*headers, ("content-encoding", "gzip")], file.packed)
        return Response(200, headers, file.plain)


def built(package: str = "penstock") -> Files | None:
    """The dashboard's, as the package has them; None where it was not built."""
    return read(resources.files(package).joinpath(FOLDER))


def read(folder: Traversable) -> Files | None:
    """All files below a folder; None where it has no index.html."""
    if not folder.joinpath(INDEX[1:]).is_file():
        return None
    return Files({path: _file(path, data) for path, data in _below(folder, "")})


def _below(folder: Traversable, path: str) -> Iterator[tuple[str, bytes]]:
    for item in folder.iterdir():
        here = f"{path}/{item.name}"
        if item.is_dir():
            yield from _below(item, here)
        else:
            yield here, item.read_bytes()


def _file(path: str, data: bytes) -> File:
    ending = path.rpartition(".")[2]
    packed = gzip.compress(data, mtime=0) if ending in _PACKED else b""
    tag = sha256(data).hexdigest()[:32]
    return File(TYPES.get(ending, OTHER), tag, data, packed if len(packed) < len(data) else b"")


def _takes_gzip(accepted: str) -> bool:
    for one in accepted.lower().split(","):
        name, _, weight = one.partition(";")
        if name.strip() in ("gzip", "x-gzip"):
            return weight.replace(" ", "").rstrip("0.") not in ("q=", "q")
    return False


def _has(known: str, tag: str) -> bool:
    """Whether an asker has this very file, packed or not, by what they say they have."""
    return any(one.strip().removeprefix("W/") in (tag, "*") for one in known.split(","))
