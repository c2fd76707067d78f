"""Where a request came from: the peer, or what a trusted proxy says of it."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)

from penstock.errors import Misconfigured
from penstock.wire.http import Headers, Request

Address = IPv4Address | IPv6Address

_MOST_HOPS = 32
_MOST_KNOWN = 4096
_LONGEST = 64
_HOME_BITS = 64


class Networks:
    """The trusted proxies, parsed once; raises Misconfigured."""

    __slots__ = ("_known", "_networks")

    def __init__(self, specs: Sequence[str]) -> None:
        self._networks = tuple(_network(spec) for spec in specs)
        self._known: dict[str, tuple[str, bool] | None] = {}

    def __bool__(self) -> bool:
        return bool(self._networks)

    def look(self, text: str) -> tuple[str, bool] | None:
        """An address in its one spelling, and whether it is trusted; None for anything else."""
        if text in self._known:
            return self._known[text]
        found = self._look(text)
        if len(text) <= _LONGEST:
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            self._known[text] = found
        return found

    def _look(self, text: str) -> tuple[str, bool] | None:
        address = _address(text)
        if address is None:
            return None
        return str(address), any(address in network for network in self._networks)


def client_address(request: Request, trusted: Networks) -> str:
    """The peer's address or, behind trusted proxies only, the nearest that is not such a proxy."""
    if not trusted:
        return request.client
    peer = trusted.look(request.client)
    if peer is None or not peer[1]:
        return request.client
    hops = _forwarded(request.headers)
    if not hops:
        hops = [value for name, value in request.headers if name == "cf-connecting-ip"]
        # Two of them: one is forged.
        hops = hops if len(hops) == 1 else []
    return _nearest_untrusted(peer[0], hops, trusted)


def home(address: str) -> str:
    """What one anonymous caller holds: an IPv4 address, or the /64 where IPv6 hosts pick theirs."""
    if ":" not in address:
        return address
    parsed = _address(address)
    if not isinstance(parsed, IPv6Address):
        return address if parsed is None else str(parsed)
    return str(IPv6Network((int(parsed), _HOME_BITS), strict=False))


def _nearest_untrusted(peer: str, hops: list[str], trusted: Networks) -> str:
    # From the right: each hop was written by the one after it, and only trusted ones are believed.
    nearest = peer
    for hop in hops[: -_MOST_HOPS - 1 : -1]:
        found = trusted.look(hop)
        if found is None:
            break
        nearest = found[0]
        if not found[1]:
            break
    return nearest


def _forwarded(headers: Headers) -> list[str]:
    values = [value for name, value in headers if name == "x-forwarded-for"]
    return ",".join(values).split(",") if values else []


def _address(text: str) -> Address | None:
    try:
        address = ip_address(_without_port(text.strip()))
    except ValueError:
        return None
    if isinstance(address, IPv6Address):
        return address.ipv4_mapped or address
    return address


def _without_port(text: str) -> str:
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return text.partition(":")[0] if text.count(":") == 1 else text


def _network(spec: str) -> IPv4Network | IPv6Network:
    try:
        return ip_network(spec.strip(), strict=False)
    except ValueError as error:
        raise Misconfigured(
            f"server.trusted_proxies: {spec!r} is neither an IP address"
            " nor a network such as 10.0.0.0/8."
        ) from error
