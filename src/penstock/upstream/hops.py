"""The headers of a request on its way to a service, and of its reply on the way back: what ends here, and what is ours to say."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from msgspec import Struct

from penstock import __version__
from penstock.errors import Failed
from penstock.wire.http import Headers

HOP_BY_HOP = frozenset(
    {"connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection",
     "te", "trailer", "transfer-encoding", "upgrade"}
)  # fmt: skip
_ABOUT_CLIENT = frozenset(
    {"cf-connecting-ip", "client-ip", "fastly-client-ip", "forwarded", "front-end-https", "true-client-ip", "via",
     "x-client-ip", "x-cluster-client-ip", "x-gateway-version", "x-host", "x-http-host-override", "x-original-host",
     "x-original-url", "x-real-ip", "x-request-id", "x-rewrite-url"}
)  # fmt: skip
"""Said by us, or by nobody: a service that believed a caller here could be led anywhere."""
_WAY = frozenset({"x-forwarded-for", "forwarded"})
_BEGAN = frozenset({"x-forwarded-host", "x-forwarded-proto"})
_OF_THIS_HOP = frozenset({"content-length", "expect", "host"})
_OURS = ("x-forwarded-", "x-penstock-")
_OURS_BACK = ("access-control-", "ratelimit", "x-ratelimit-")
_DROPPED_BACK = HOP_BY_HOP | {"alt-svc", "x-request-id"}
_HOST = re.compile(r"[A-Za-z0-9._\[\]:-]{1,255}")
MOST_VIA = 5
"""Gateways of this kind that a request may have come through: one more is a circle."""
NAME = "penstock"


class Whence(Struct, frozen=True):
    """Where a request came from: `peer` is who is connected, `client` whom we believe it to be from, who may be the same.

    `believed` says that the peer is a trusted proxy, whose own word on it is passed on.
    """

    peer: str
    client: str
    id: str
    scheme: str = "http"
    believed: bool = False


def onward(headers: Headers, whence: Whence, dropped: frozenset[str]) -> list[tuple[str, str]]:
    """A request's headers for a service, without those in `dropped`; raises Failed where it goes round in circles."""
    kept: list[tuple[str, str]] = []
    listed: frozenset[str] = frozenset()
    for pair in headers:
        name = pair[0]
        if _passes(name):
            if name not in dropped:
                kept.append(pair)
        elif name == "connection":
            listed |= _names(pair[1])
    if listed:
        kept = [pair for pair in kept if pair[0] not in listed]
    kept += _told(headers, whence)
    return kept


def back(headers: Headers, *, sized: bool, cookies: bool) -> list[tuple[str, str]]:
    """A reply's headers for the caller; `sized` where its length is still that of what follows."""
    listed: frozenset[str] = frozenset()
    kept = []
    for pair in headers:
        name = pair[0]
        if _returns(name):
            kept.append(pair)
        elif name == "connection":
            listed |= _names(pair[1])
    unwanted = listed
    if not sized:
        unwanted |= {"content-length"}
    if not cookies:
        unwanted |= {"set-cookie", "set-cookie2"}
    return [pair for pair in kept if pair[0] not in unwanted] if unwanted else kept


def _told(headers: Headers, whence: Whence) -> list[tuple[str, str]]:
    """What we say of where it came from; behind a trusted proxy after what that one says."""
    said = _said(headers, whence)
    host, scheme = said.get("x-forwarded-host", ""), said.get("x-forwarded-proto", whence.scheme)
    told = [
        ("x-forwarded-for", _after(said.get("x-forwarded-for"), whence.peer)),
        ("x-forwarded-proto", scheme),
        ("forwarded", _after(said.get("forwarded"), _element(whence.peer, host, scheme))),
        ("x-real-ip", whence.client),
        ("x-gateway-version", __version__),
        ("x-request-id", whence.id),
        ("via", _after(said.get("via"), f"1.1 {NAME}")),
    ]
    if host:
        told.append(("x-forwarded-host", host))
    return told


def _said(headers: Headers, whence: Whence) -> dict[str, str]:
    """What is believed of what came: the host it was for, and by whom it passed; of a trusted proxy all."""
    found: dict[str, str] = {}
    for name, value in headers:
        if name == "host" and _HOST.fullmatch(value):
            found["x-forwarded-host"] = value
        elif name == "via":
            found["via"] = _after(found.get("via"), value)
    if found.get("via", "").count(NAME) >= MOST_VIA:
        raise Failed(
            "The request came through this gateway before: a backend's address leads back here.",
            code="upstream_loop",
            processed="no",
        )
    return found | _trusted(headers) if whence.believed else found


def _trusted(headers: Headers) -> dict[str, str]:
    """What a trusted proxy says of the way so far, and of where it began."""
    found: dict[str, str] = {}
    for name, value in headers:
        if name in _WAY:
            found[name] = _after(found.get(name), value)
        elif name in _BEGAN and _HOST.fullmatch(value):
            found[name] = value
    return found


def _element(peer: str, host: str, scheme: str) -> str:
    """One hop of Forwarded, RFC 7239."""
    place = f'"[{peer}]"' if ":" in peer else peer or "unknown"
    at = f';host="{host}"' if host else ""
    return f"for={place}{at};proto={scheme}"


def _after(before: str | None, ours: str) -> str:
    return f"{before}, {ours}" if before else ours


def _names(value: str) -> frozenset[str]:
    """What a connection header keeps to its hop, beside what it says of the connection."""
    names = frozenset(name.strip() for name in value.lower().split(","))
    return names - {"keep-alive", "close", ""}


@lru_cache(maxsize=1_000)
def _passes(name: str) -> bool:
    """Whether a header goes on to a service. One with an underscore does not: many read it as if it were a dash."""
    if name in HOP_BY_HOP or name in _ABOUT_CLIENT or name in _OF_THIS_HOP or "_" in name:
        return False
    return not name.startswith(_OURS)


@lru_cache(maxsize=1_000)
def _returns(name: str) -> bool:
    """Whether a header goes back to the caller: CORS, rates and ids are this gateway's to say."""
    return name not in _DROPPED_BACK and not name.startswith(_OURS_BACK)


def dropped(*, cookies: bool, authorization: bool, checked: bool) -> frozenset[str]:
    """What a service's settings keep from it; a key of ours is ours where we `checked` it."""
    names: Sequence[str] = (
        *(() if cookies else ("cookie", "cookie2")),
        *(() if authorization else ("authorization",)),
        *(("x-api-key",) if checked else ()),
    )
    return frozenset(names)
