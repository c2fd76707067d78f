"""What every `Fetch` keeps to, whatever carries its requests: headers that end at this hop, and what is said of failures."""

from __future__ import annotations

import re
from functools import lru_cache

from penstock.errors import Broken, Cut, NotSent, Overlong, Stalled

HOP_BY_HOP = frozenset(
    {"connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection",
     "te", "trailer", "transfer-encoding", "upgrade"}
)  # fmt: skip
COOKIES = frozenset({"set-cookie", "set-cookie2"})
UNTOLD = HOP_BY_HOP | COOKIES
"""Headers of a reply that go no further, unless it is verbatim: then the cookies do."""
MOST_BYTES = 64 << 10
MOST_FIELDS = 200
"""Of a reply's head."""
WHOLE = 1 << 20
"""A reply up to this size that says so is waited for and handed over in one piece."""
_SILENCES = {
    "first-byte": "The target sent no reply within the route's first-byte time-out.",
    "idle": "The target paused for longer than the route's idle time-out.",
    "total": "The target took longer than the route's total time-out.",
}
_OURS = frozenset({"content-length", "expect", "host"})
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


@lru_cache(maxsize=1_000)
def sent_name(name: str) -> str:
    """A request header's name, or nothing if it ends at this hop or is ours to write; raises NotSent."""
    name = name.lower()
    if not is_token(name):
        raise unsendable()
    return "" if name in HOP_BY_HOP or name in _OURS else name


@lru_cache(maxsize=100)
def is_token(name: str) -> bool:
    return _TOKEN.fullmatch(name) is not None


def unsendable() -> NotSent:
    """What is said of a request that could not be written down as one."""
    return NotSent("The request to the target has a method or header that HTTP cannot carry.")


def unsound() -> Broken:
    """What is said of a reply whose head or framing must not be believed."""
    return Broken("The target's reply is not sound HTTP/1.1.")


def cut_short() -> Broken:
    """What is said of a reply whose connection ended before it did."""
    return Broken("The target closed the connection before the end of its reply.")


def stalled(phase: str) -> Stalled:
    """What is said of a reply that did not come in time: of which time-out, `first-byte`, `idle` or `total`."""
    return (Overlong if phase == "total" else Stalled)(_SILENCES[phase])


def too_large() -> Cut:
    """What is said of a reply larger than its cap."""
    return Cut("The target's reply is larger than its cap.", processed="yes")


def unasked_packing() -> Broken:
    """What is said of a reply in a packing that is not read here."""
    return Broken("The target packed its reply in a way that was not asked for.")
