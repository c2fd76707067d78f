"""Alerts, by whichever process comes to it: what this one saw fail is told, whoever has the turn judges, and what is due is sent."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING

from penstock.config.urls import shown
from penstock.config.watched import Rule, rules
from penstock.errors import BadRequest, Conflict, Unavailable
from penstock.gateway import sending
from penstock.ledger import alerts
from penstock.ledger.alerts import reads, samples
from penstock.ledger.alerts.reads import Names
from penstock.ledger.alerts.turns import MOST_CHANGES, Notice, Readings, turned
from penstock.upstream.health import Member

if TYPE_CHECKING:
    from penstock.gateway import Gateway

LOG = logging.getLogger(__name__)

EVERY_MS = 60_000
EVERY_ALONE_MS = 300_000
"""On Workers, where each reading of the books is paid for."""
MOST_CHANGES_ALONE = 20
"""There a pass has few statements, on the free plan 50."""
MOST_SENT = 50
SENDING_SECONDS = 20.0
"""After that a pass begins no more."""


async def watch(gateway: Gateway) -> None:
    """One pass; raises Unavailable where the tables are out of reach."""
    if not gateway.config.alerting.channels:
        return
    await tell(gateway)
    await judge(gateway)
    await deliver(gateway)


async def tell(gateway: Gateway, *, backends: bool = True) -> None:
    """What this process saw fail since it last told, where anything did."""
    platform = gateway.platform
    failed = _failed(gateway)
    words = {reads.PROVIDER + provider: n for provider, n in _by_provider(failed).items()}
    if backends:
        words |= dict.fromkeys(await _bad_backends(gateway), 1)
    if not words:
        return
    for member, _, number in failed:  # at once: on Workers another request may be telling too
        member.untold -= number
    try:
        await alerts.tell(platform.tables, words, _now(gateway))
    except BaseException:
        for member, _, number in failed:
            member.untold += number
        raise


async def judge(gateway: Gateway) -> None:
    """A turn, where it is due and this process's: all readings, then one batch with all that they come to."""
    tables, now = gateway.platform.tables, _now(gateway)
    turn = await alerts.turn(tables, now)
    if turn is None:
        return
    held = rules(gateway.config)
    books = await reads.opened(tables, names(gateway), held, now, turn.samples)
    readings: dict[str, Readings] = {}
    for rule in held:
        if (found := await _read(books, rule)) is not None:
            readings[rule.name] = found
    known = await alerts.states(tables)
    here = gateway.platform.shared_loop
    most, every = (MOST_CHANGES, EVERY_MS) if here else (MOST_CHANGES_ALONE, EVERY_ALONE_MS)
    done = turned(held, known, readings, now, gateway.platform.ids.new, most)
    due_at = now // every * every + every
    text = samples.encoded(books.before, books.counts, now)
    with suppress(Conflict):  # this process stood still, and another one was quicker
        await alerts.write(
            tables, turn, done, due_at, text, tuple(gateway.config.alerting.channels)
        )


async def deliver(gateway: Gateway) -> None:
    """Notices that are due, at each channel in their order."""
    platform = gateway.platform
    end = platform.clock.tick() + SENDING_SECONDS
    if not await alerts.due(platform.tables, _now(gateway)):
        return
    for _ in range(MOST_SENT):
        if platform.clock.tick() >= end:
            return
        found = await alerts.claim(platform.tables, _now(gateway))
        if found is None:
            return
        await _send(gateway, *found)


def names(gateway: Gateway) -> Names:
    """What is configured, as notices name it."""
    config = gateway.config
    return Names(
        frozenset({*config.routes, *[target.name for target in config.targets]}),
        frozenset(config.providers),
        {name: [shown(one.url) for one in service.backends] for name, service in config.services.items()},
    )  # fmt: skip


async def _read(books: reads.Books, rule: Rule) -> Readings | None:
    try:
        return await reads.read(books, rule)
    except BadRequest:
        LOG.error("The alert %s reads more groups than can be told.", rule.name)
        return None


async def _send(gateway: Gateway, delivery: alerts.Delivery, notice: Notice) -> None:
    platform, channel = gateway.platform, delivery.channel
    if channel not in gateway.config.alerting.channels:
        await alerts.failed(platform.tables, delivery, "no_channel", _now(gateway), for_good=True)
        return
    try:
        world = sending.Outside(platform.fetch, platform.clock, platform.mail)
        outcome = await sending.send(world, gateway.config, channel, notice)
    except Exception as error:  # noqa: BLE001 - one notice that nobody foresaw must not hold up the others
        gateway.report(notice.id, error)
        outcome = sending.Outcome(False, "internal_error")
    if outcome.arrived:
        await alerts.delivered(platform.tables, delivery, outcome.status, _now(gateway))
    elif await alerts.failed(platform.tables, delivery, outcome.status, _now(gateway)):
        LOG.error("Notice %s to %s is given up; the last try came to %s.", notice.id, channel, outcome.status)  # fmt: skip


def _failed(gateway: Gateway) -> list[tuple[Member, str, int]]:
    """Deployments that failed since it was last told, of which provider, and how often."""
    return [
        (one.member, label.partition("/")[0], one.member.untold)
        for label, found in gateway.lasting.fleet.items()
        for one in found.each
        if one.member.untold
    ]


def _by_provider(failed: list[tuple[Member, str, int]]) -> Mapping[str, int]:
    found: dict[str, int] = {}
    for _, provider, number in failed:
        found[provider] = found.get(provider, 0) + number
    return found


async def _bad_backends(gateway: Gateway) -> list[str]:
    """Those that are bad here."""
    platform, pools = gateway.platform, gateway.lasting.pools
    if platform.probes is not None:
        with suppress(Unavailable):
            pools.hear(await platform.probes(False), platform.clock.tick())
    return [
        f"{reads.BACKEND}{name} {shown(member.url)}"
        for name, pool in pools.items()
        for member in pool.members
        if _is_bad(member)
    ]


def _is_bad(member: Member) -> bool:
    """By probes; without any, where it failed since it was last asked here, and has answered nobody since it was bad."""
    failed, member.untold = member.untold, 0
    if member.probed or member.by_probe:
        return member.bad
    return member.in_row > 0 and failed > 0


def _now(gateway: Gateway) -> int:
    return int(gateway.platform.clock.now() * 1000)
