"""What a notice says, as a webhook, Slack and a letter carry it. Of callers there are names alone, and no name is markup anywhere."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from penstock.ledger import days
from penstock.ledger.alerts.states import CRITICAL
from penstock.ledger.alerts.turns import NO_RULE, Notice, Told
from penstock.prices import usd
from penstock.wire.json import encode
from penstock.wire.letters import Letter

LONGEST_NAME = 120
LONGEST_HEADER, LONGEST_SECTION = 150, 2_900
"""Of Slack's blocks: 150 and 3,000 characters."""
TEST = "test"
_TITLES = {
    "spend_rate": "Money is spent fast",
    "budget": "A budget comes to its end",
    "errors": "Requests fail",
    "hit_rate": "Fewer answers come from the cache",
    "provider_down": "A provider does not answer",
    "backend_down": "A backend does not answer",
    TEST: "This is a test",
}
_EVENTS = {"firing": "", "worse": "Worse: ", "reminder": "Still: ", "recovered": "Over: ", TEST: ""}
_MARKS = re.compile(r"[@*~`\[#_]|:(?=//)|\.(?=[^\W\d])")
"""What makes a mention, a link (of a bare host too) or a format, in Slack or in what takes the same: each is followed by a
space of no width."""


def title(notice: Notice) -> str:
    """One line: how bad, what, and by which rule."""
    about = f"{_EVENTS.get(notice.event, '')}{_TITLES.get(notice.kind, notice.kind)}"
    named = "" if notice.rule == notice.kind else f" ({shown(notice.rule)})"
    return f"[{severity(notice.level)}] {about}{named}"


def lines(notice: Notice) -> list[str]:
    """A line a subject."""
    if notice.event == TEST:
        return ["Nothing is wrong: somebody asked whether this channel works."]
    found = [_line(notice, one) for one in notice.subjects]
    return [*found, f"and {notice.more} more"] if notice.more else found


def severity(level: int) -> str:
    return "critical" if level >= CRITICAL else "warning" if level else "info"


def webhook(notice: Notice) -> bytes:
    """JSON for programs; `id` is the same however often it is sent, `alert` from a subject's first notice to its recovery."""
    subjects = [
        {
            "alert": one.alert, "subject": one.subject, "severity": severity(one.level), "since": days.iso(one.since),
            "facts": one.facts,
        }
        for one in notice.subjects
    ]  # fmt: skip
    body: dict[str, Any] = {
        "id": notice.id, "at": days.iso(notice.at), "event": notice.event, "rule": notice.rule, "kind": notice.kind,
        "severity": severity(notice.level), "title": title(notice), "text": "\n".join(lines(notice)),
        "subjects": subjects, "more": notice.more,
    }  # fmt: skip
    return encode(body)


def slack(notice: Notice) -> bytes:
    """Blocks of plain text, in which nothing is markup, and a text without any for what shows no blocks."""
    told = _fitting(lines(notice))
    body = {
        "text": "\n".join([_unmarked(title(notice)), *[_unmarked(line) for line in told]]),
        "blocks": [
            {"type": "header", "text": _plain(title(notice)[:LONGEST_HEADER])},
            {"type": "section", "text": _plain("\n".join(told))},
            {"type": "context", "elements": [_plain(f"{days.iso(notice.at)} {notice.id}")]},
        ],
    }
    return encode(body)


def letter(notice: Notice, channel: str, to: Sequence[str]) -> Letter:
    """A letter of plain text."""
    text = "\n".join([title(notice), "", *lines(notice), "", f"{days.iso(notice.at)} {notice.id}", ""])  # fmt: skip
    return Letter(f"{notice.id}.{channel}", tuple(to), f"Penstock {title(notice)}", text)


def shown(text: str) -> str:
    """A name on a line of its own: nothing in it that breaks, turns or hides the line, and not too long."""
    plain = "".join(char if char.isprintable() else " " for char in text)
    return plain if len(plain) <= LONGEST_NAME else f"{plain[: LONGEST_NAME - 1]}…"


def _line(notice: Notice, one: Told) -> str:
    subject = shown(one.subject)
    if notice.event == "recovered":
        how = "watched by no rule any more" if one.facts.get("reason") == NO_RULE else "well again"
        return f"{subject}: {how}, after {_lasted(notice.at - one.since)}"
    try:
        return f"{subject}: {_SAID[notice.kind](one.facts)}"
    except (KeyError, TypeError, ValueError):  # another version wrote it, with other facts
        return subject


Facts = Mapping[str, Any]


def _spend(facts: Facts) -> str:
    usual = facts["usual_nanos_an_hour"]
    told = f", usually ${_money(usual)}" if usual else ""
    return f"${_money(facts['nanos_an_hour'])} an hour{told}, over {facts['hours']} h"


def _budget(facts: Facts) -> str:
    money = facts["unit"] == "nanos"
    cap = f"${usd(facts['cap'])}" if money else f"{facts['cap']:,} tokens"
    forecast = facts["forecast_share"]
    over = f"; as things go it comes to {_percent(forecast)}" if forecast > 1 else ""
    return f"{_percent(facts['used_share'])} of {cap} is spent{over}; it begins again at {days.iso(facts['ends'])}"


def _errors(facts: Facts) -> str:
    return (
        f"{_percent(facts['error_share'])} of {facts['requests']:,} requests failed in {facts['hours']} h,"
        f" {_percent(facts['error_share_lately'])} of the last; {_percent(1 - facts['objective'])} is borne"
    )


def _hit_rate(facts: Facts) -> str:
    return (
        f"{_percent(facts['hit_share'])} of {facts['requests']:,} requests in {facts['hours']} h,"
        f" usually {_percent(facts['usual_hit_share'])}"
    )


def _provider(facts: Facts) -> str:
    return f"{facts['failures']:,} failures in {facts['minutes']} min, and no answer"


def _backend(facts: Facts) -> str:
    return (
        f"{facts['bad']} of the {facts['backends']} backends of {shown(facts['service'])} are bad"
    )


_SAID: Mapping[str, Callable[[Facts], str]] = {
    "spend_rate": _spend,
    "budget": _budget,
    "errors": _errors,
    "hit_rate": _hit_rate,
    "provider_down": _provider,
    "backend_down": _backend,
}


def _percent(share: float) -> str:
    return f"{share * 100:.3g} %"


def _money(nanos: int) -> str:
    return f"{nanos / 1e9:,.2f}" if nanos >= 10_000_000 else usd(nanos)


def _lasted(milliseconds: int) -> str:
    minutes = max(1, round(milliseconds / 60_000))
    return f"{minutes} min" if minutes < 120 else f"{minutes / 60:.1f} h"


def _plain(text: str) -> dict[str, Any]:
    return {"type": "plain_text", "text": text, "emoji": False}


def _unmarked(text: str) -> str:
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _MARKS.sub("\\g<0>\u200b", escaped)


def _fitting(each: Sequence[str]) -> list[str]:
    """As many lines as a section holds."""
    found: list[str] = []
    room = LONGEST_SECTION
    for at, line in enumerate(each):
        room -= len(line) + 1
        if room < 0:
            return [*found, f"and {len(each) - at} more"]
        found.append(line)
    return found
