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
Networks = tuple[IPv4Network | IPv6Network, ...]

_MOST_HOPS = 32
_HOME_BITS = 64


def networks(specs: Sequence[str]) -> Networks:
    """Addresses and CIDR networks, parsed once; raises Misconfigured."""
    return tuple(_network(spec) for spec in specs)


def client_address(request: Request, trusted: Networks) -> str:
    """The peer's address or, behind trusted proxies only, the nearest that is not such a proxy."""
    if not trusted:
        return request.client
    peer = _address(request.client)
    if peer is None or not _within(peer, trusted):
        return request.client
    hops = _forwarded(request.headers)
    if not hops:
        hops = [value for name, value in request.headers if name == "cf-connecting-ip"]
        # Two of them: one is forged.
        hops = hops if len(hops) == 1 else []
    return str(_nearest_untrusted(peer, hops, trusted))


def home(address: str) -> str:
    """What one anonymous caller holds: an IPv4 address, or the /64 where IPv6 hosts pick theirs."""
    if ":" not in address:
        return address
    parsed = _address(address)
    if not isinstance(parsed, IPv6Address):
        return address if parsed is None else str(parsed)
    return str(IPv6Network((int(parsed), _HOME_BITS), strict=False))


def _nearest_untrusted(peer: Address, hops: list[str], trusted: Networks) -> Address:
    # From the right: each hop was written by the one after it, and only trusted ones are believed.
    nearest = peer
    for hop in hops[: -_MOST_HOPS - 1 : -1]:
        address = _address(hop)
        if address is None:
            break
        nearest = address
        if not _within(address, trusted):
            break
    return nearest


def _forwarded(headers: Headers) -> list[str]:
    values = [value for name, value in headers if name == "x-forwarded-for"]
    return ",".join(values).split(",") if values else []


def _within(address: Address, trusted: Networks) -> bool:
    return any(address in network for network in trusted)


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
