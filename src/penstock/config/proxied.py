"""A service's backends, kept replies and WebSockets: settings of `[services.NAME]` that are tables of their own."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from penstock.config.bounds import Weight

WholeSeconds = Annotated[int, Meta(ge=0)]
Number = Annotated[int, Meta(gt=0)]
Idle = Annotated[float, Meta(gt=0, le=3_600)]
Total = Annotated[float, Meta(gt=0, le=86_400)]


class Backend(Struct, frozen=True, forbid_unknown_fields=True):
    """One place where a service is reached."""

    url: str
    """Root that the request's path is put behind: `http://10.0.0.5:3001`; `internal://auth`, `internal://chat` or `internal://billing` is the reference service in the gateway's own process (platform embedded)."""
    weight: Weight = 100
    """Its share of the requests beside the others' weights."""
    health: str = "/health"
    """Path below `url` that is asked every 30 s and answers 200 to 399 while it is well; empty: none, its replies alone tell."""


class ServiceCache(Struct, frozen=True, forbid_unknown_fields=True):
    """How replies to a service's GETs are kept, by RFC 9111."""

    ttl: WholeSeconds | None = None
    """Seconds for which a 200 is good, whatever its service says, but for `private`, `no-store` and `Set-Cookie`; callers are told so. Without it, as long as the service says."""
    stale_while_revalidate: WholeSeconds | None = None
    """Seconds after that in which it is still given out while the service is asked again (with `ttl`)."""
    key: Literal["owner", "shared"] = "owner"
    """Whether each caller has their own replies, or all share them: then what was asked with a credential is kept only where the service marks it `public`, `s-maxage` or `must-revalidate`."""
    enabled: bool = True
    """Whether they are kept at all."""


class WebSockets(Struct, frozen=True, forbid_unknown_fields=True):
    """WebSockets that a service opens, in place of its time-outs for replies."""

    enabled: bool = True
    """Whether a handshake is passed on as one; otherwise as a plain GET."""
    idle: Idle = 300.0
    """Seconds without a byte either way, pings included, after which one is ended."""
    total: Total = 86_400.0
    """Seconds after which it is ended in any case."""
    per_caller: Number = 100
    """How many of them a caller may have open at once, in each process; each keeps a slot."""
