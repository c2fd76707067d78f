"""Which backends of a pool are well: a state machine fed by what requests and probes came to. It asks nobody itself.

A backend is *bad* after FAILURES failures in a row, or one failed probe. Of the bad ones those that were first are
*ejected*, at most half of all; where all are bad none is, for one that may work beats none that does.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Literal

from penstock.upstream import balance
from penstock.upstream.budget import RetryBudget

FAILURES = 5
PROBE_SECONDS = 30.0
PROBE_AGAIN_SECONDS = 5.0
"""Between probes of one that is bad."""
PROBE_LIMIT_SECONDS = 5.0
TOLD_SECONDS = 3 * PROBE_SECONDS
"""For which another's probe counts: then it seems that nobody probes any more."""
BACK_OFF_SECONDS = 30.0
"""For which one without probes is left alone, times how often in a row it was bad."""
MOST_BACK_OFFS = 10
SPREAD = 0.2
"""Probes come this much sooner or later, so that no two processes keep step."""

Balance = Literal["weighted", "least"]
State = Literal["up", "bad", "ejected"]


class Member:
    """One backend. `probed` says whether somebody probes it; `since` when it became what it is."""

    __slots__ = (
        "bad",
        "by_probe",
        "credit",
        "ejections",
        "failures",
        "health",
        "in_air",
        "in_row",
        "out",
        "outcomes",
        "probe_at",
        "probed",
        "probing",
        "shut",
        "since",
        "turn",
        "untold",
        "url",
        "weight",
        "well",
    )  # fmt: skip

    def __init__(self, url: str, weight: int, health: str, *, probed: bool, now: float) -> None:
        self.url = url
        self.weight = weight
        self.health = health
        self.probed = probed and bool(health)
        self.credit = 0
        self.in_air = 0
        self.turn = 0
        """How often what is in the air was counted anew."""
        self.failures = 0
        """In a row."""
        self.untold = 0
        """Failures that nobody was told of yet who hears of all processes'."""
        self.bad = False
        self.by_probe = False
        self.out = False
        """Whether it is ejected."""
        self.since = now
        self.in_row = 0
        """How often it was bad since a request of it went well."""
        self.ejections = 0
        self.well: bool | None = None
        """What the last probe found."""
        self.probe_at = now
        self.probing = False
        self.shut = now
        """Until when another's bad probe holds."""
        self.outcomes: Counter[str] = Counter()

    def forget(self) -> None:
        """Counts what is in the air anew; what was until now is not taken back any more."""
        self.turn += 1
        self.in_air = 0

    @property
    def state(self) -> State:
        return "ejected" if self.out else "bad" if self.bad else "up"


class Pool:
    """The backends of one service, and its retries."""

    def __init__(self, members: Sequence[Member], by: Balance = "weighted") -> None:
        self.retries = RetryBudget()
        self.become(members, by)

    def become(self, members: Sequence[Member], by: Balance) -> None:
        """These from now on. What is still in the air ends here too, so that all of it is judged in one place."""
        assert members
        self.members = tuple(members)
        self.by = by
        self._in = list(self.members)
        self._timed = False
        self._judge()

    def serving(self, now: float) -> Sequence[Member]:
        """Those that requests may go to now: never none."""
        if self._timed:
            self._forgive(now)
        return self._in

    def pick(self, now: float, tried: Sequence[Member] = ()) -> Member | None:
        """The next to be tried, None where all that serve were."""
        seats = self.serving(now)
        if tried:
            seats = [one for one in seats if one not in tried]
            if not seats:
                return None
        return balance.weighted(seats) if self.by == "weighted" else balance.least(seats)

    def succeeded(self, member: Member, began: float, now: float) -> None:
        """A request that began then was answered. It says nothing of one that became bad after that, or that a probe found bad."""
        member.failures = 0
        if member.bad:
            if member.by_probe or member.out or began < member.since:
                return
            self._mend(member, now)
        member.in_row = 0

    def failed(self, member: Member, now: float) -> None:
        """A request came to nothing, for a reason that is the backend's."""
        member.failures += 1
        member.untold += 1
        if member.failures >= FAILURES and not member.bad:
            self._spoil(member, now, by_probe=False)

    def found(self, member: Member, now: float, chance: float, *, well: bool) -> None:
        """A probe came back; `chance`, from 0 to 1, spreads the next."""
        member.probing, member.well = False, well
        if well and member.bad:
            self._mend(member, now)
        elif not well and not (member.bad and member.by_probe):
            self._spoil(member, now, by_probe=True)
        member.probe_at = now + _wait(member) * (1 - SPREAD + 2 * SPREAD * chance)

    def told(self, member: Member, asked: float, now: float, *, well: bool) -> None:
        """Another's probe, sent then, of one that nobody here probes; none that is old counts, and one that went well before
        its backend became bad does not bring it back."""
        if now - asked > TOLD_SECONDS or (well and member.bad and asked < member.since):
            return
        if not well:
            member.shut = max(member.shut, asked + TOLD_SECONDS)
        self.found(member, now, 0.5, well=well)

    def due(self, now: float) -> list[Member]:
        """Those to be probed now, which count as being probed from here on."""
        found = [m for m in self.members if m.probed and not m.probing and m.probe_at <= now]
        for member in found:
            member.probing = True
        return found

    def _spoil(self, member: Member, now: float, *, by_probe: bool) -> None:
        if not member.bad:
            member.bad, member.since = True, now
            member.in_row = min(member.in_row + 1, MOST_BACK_OFFS)
            member.probe_at = min(member.probe_at, now + PROBE_AGAIN_SECONDS)
        member.by_probe = by_probe
        self._judge()

    def _mend(self, member: Member, now: float) -> None:
        member.bad = member.by_probe = False
        member.since, member.failures = now, 0
        self._judge()

    def _judge(self) -> None:
        """Who is ejected follows from who is bad, and since when."""
        bad = sorted([m for m in self.members if m.bad], key=lambda member: member.since)
        most = 0 if len(bad) == len(self.members) else len(self.members) // 2
        out = bad[:most]
        for member in self.members:
            ejected = member in out
            if ejected and not member.out:
                member.ejections += 1
            elif member.out and not ejected:
                member.credit = 0  # it makes up for nothing
            member.out = ejected
        self._in = [member for member in self.members if not member.out]
        self._timed = any(not member.probed for member in bad)

    def _forgive(self, now: float) -> None:
        """Those whom nobody probes are tried again once their time is over: by requests, and five failures end it again."""
        for member in self.members:
            if member.bad and not member.probed and now >= back_at(member):
                self._mend(member, now)


def back_at(member: Member) -> float:
    """When a bad one that nobody here probes is tried again."""
    return max(member.since + BACK_OFF_SECONDS * member.in_row, member.shut)


def _wait(member: Member) -> float:
    return PROBE_AGAIN_SECONDS if member.bad else PROBE_SECONDS
