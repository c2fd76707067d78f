"""What is kept for routers to learn from, and with whose consent."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

Days = Annotated[int, Meta(ge=1, le=36_500)]
Share = Annotated[float, Meta(gt=0, le=1)]


class Labels(Struct, frozen=True, forbid_unknown_fields=True):
    """What is kept for routers to learn from: feedback, judged answers, and prompts of tenants who agreed."""

    retention_days: Days = 90
    """How long it is kept."""


class Shadow(Struct, frozen=True, forbid_unknown_fields=True):
    """A share of a route's chats is also asked of another target, after the caller's answer and at your cost, and both answers are judged."""

    share: Share
    """Of the chats that could be: `0.02` is one in fifty."""
    money: str
    """Dollars a UTC day, as `"1.00"`, for all of it with the judge; what is beyond is not asked."""
    judge: str
    """A chat target that scores both answers, `exact` (by `references`), or `module:function` of your own."""
    references: str = ""
    """JSON lines of `{"prompt", "reference"}` (judge `exact`); other chats are not asked again."""
    weak: str = ""
    """The target asked where the strong one answered; empty: the route's `simple`."""
    strong: str = ""
    """The target asked where another one answered; empty: the route's."""


class Tenant(Struct, frozen=True, forbid_unknown_fields=True):
    """What one tenant agreed to."""

    shadow: bool = True
    """Whether its chats may be asked of another target too; of what comes of that, scores and hashes are kept."""
    texts: Literal["none", "labels", "all"] = "none"
    """Texts that may be kept: none, prompts and answers of judged chats, or the prompts of all chats too, for an exported log, and for spans where `telemetry.content` is set."""
