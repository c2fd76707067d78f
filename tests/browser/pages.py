"""The dashboard's pages, and what each shows of a day's data and of a gateway that nobody has asked anything yet."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Place:
    """A page: below /dashboard, its heading, a text that its data puts there, and one where there are none."""

    path: str
    heading: str
    full: str
    empty: str


PLACES = (
    Place("", "Overview", "gpt-4o", "No requests"),
    Place("usage?of=model", "Usage", "gpt-4o", "Nothing in this range"),
    Place("playground", "Playground", "Ask something", "Ask something"),
    Place("requests", "Requests", "insufficient quota", "No requests in these days"),
    Place("budgets", "Budgets and limits", "frugal", "No budget is in use"),
    Place("keys", "Keys", "nightly report", "No keys yet"),
    Place("documents", "Documents", "handbook.md", "No documents yet"),
    Place("services", "Services", "/api/orders", "No target was asked yet"),
    Place("routing", "Routing", "openai/gpt-4o-mini", "sandbox"),
    Place("cache", "Cache", "Chats", "Nothing was looked for yet"),
)
