"""What operators are told of, and where."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct, field

AlertKind = Literal[
    "spend_rate", "budget", "errors", "hit_rate", "provider_down", "backend_down"
]  # fmt: skip
ChannelKind = Literal["webhook", "slack", "email"]
Each = Literal["", "route", "provider"]
Hours = Annotated[int, Meta(ge=0, le=24)]
Minutes = Annotated[int, Meta(ge=0, le=1_440)]
Repeat = Annotated[int, Meta(ge=0, le=720)]
Factor = Annotated[float, Meta(ge=0, le=1_000)]
Part = Annotated[float, Meta(gt=0, le=1)]
Objective = Annotated[float, Meta(gt=0, le=0.99999)]
Requests = Annotated[int, Meta(ge=0, le=1_000_000)]


class Channel(Struct, frozen=True, forbid_unknown_fields=True):
    """Where notices go."""

    kind: Literal["webhook", "slack", "email"]
    """JSON to an address of yours, Slack's incoming webhook or one that takes the same, or letters by `[mail]`."""
    url: str = ""
    """Where it is sent (webhook, slack), best written `${VAR}`: Slack's is a secret."""
    secret: str = ""
    """What a webhook's notices are signed with, best written `${VAR}`; empty: they are not."""
    to: tuple[str, ...] = ()
    """Addresses (email)."""


class Alerting(Struct, frozen=True, forbid_unknown_fields=True):
    """Where notices go, and whether there are any without rules of yours."""

    preset: bool = True
    """Whether a standing set of rules holds where there is a channel and no `[[alerts]]`."""
    channels: dict[str, Channel] = field(default_factory=dict)
    """Where notices go, by name."""


class Alert(Struct, frozen=True, forbid_unknown_fields=True):
    """One rule. What it does not say is as its kind has it."""

    kind: Literal["spend_rate", "budget", "errors", "hit_rate", "provider_down", "backend_down"]
    """What is watched."""
    name: str = ""
    """What it is called in notices; empty: its kind. Two rules of one name cannot be."""
    to: tuple[str, ...] = ()
    """Channels it is told to; empty: all."""
    each: Literal["", "route", "provider"] = ""
    """Whether each route (spend_rate, errors, hit_rate) or provider (spend_rate, hit_rate) is watched by itself; else all together."""
    route: str = ""
    """Only this route (spend_rate, errors, hit_rate)."""
    provider: str = ""
    """Only this provider (spend_rate, hit_rate, provider_down)."""
    tenant: str = ""
    """Only this tenant (spend_rate)."""
    service: str = ""
    """Only this service (backend_down)."""
    hours: Hours = 0
    """The window that is looked at (spend_rate, hit_rate: 1; errors: 1, at most 12, and the last twelfth of it too)."""
    factor: Factor = 0.0
    """How many times the usual (spend_rate: 3, over the week before) or the bearable (errors: 14.4, see `objective`) it is."""
    money: str = ""
    """Dollars an hour, as `"5.00"`, above which it is told whatever is usual (spend_rate)."""
    least_money: str = ""
    """Dollars in the window below which nothing is told (spend_rate: `"1.00"`, or what `money` comes to in the window where that is less)."""
    objective: Objective = 0.99
    """The share of requests that should end well (errors)."""
    share: Part = 0.8
    """The share of a budget that is told as near (budget)."""
    drop: Part = 0.3
    """The share of the usual hit rate that must be gone (hit_rate)."""
    least_requests: Requests = 0
    """Requests below which nothing is told (errors: 20 in the short window; hit_rate: 200 in the window and the week before)."""
    for_minutes: Minutes | None = None
    """How long it must last before it is told (provider_down, backend_down: 2; else 0)."""
    recover_minutes: Minutes | None = None
    """How long it must be well again before that is told (5)."""
    repeat_hours: Repeat = 24
    """After how long it is told again while it lasts; 0: never."""
