"""What has to be done now and then, by whichever process comes to it: one pass of it."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from msgspec.structs import replace

from penstock.auth import keys
from penstock.errors import Unavailable
from penstock.ledger import days, logins, rollups, webhooks

if TYPE_CHECKING:
    from penstock.gateway import Gateway

HOUR, MINUTE = 3_600, 60
"""What is old is dropped in the first minute of an hour: a pass comes in each, and most then ask the tables next to nothing."""
MOST_SWEEPS = 100
"""Of each kind in one pass: what is left, the next one does."""
MOST_DELIVERIES = 50
MOST_PIECES = 1
"""Of documents, in one pass of a Worker."""
DELIVERING_SECONDS = 20.0
"""After that a pass begins no more of them."""
PACE = rollups.Pace(chunk=1_500)
"""A batch holds up what else is written for a few milliseconds."""
PACE_ALONE = rollups.Pace(chunk=20_000, least=20_000)
"""On Workers, once an hour: a row that is written costs a thousand times one that is read, and the more at once, the fewer are written."""
ASKED_SECONDS = 1.0
"""How long whoever asks for a report has the books summed before it."""


async def upkeep(gateway: Gateway) -> None:
    """One pass, counted; raises Unavailable where the tables are out of reach."""
    outcome = "failed"
    try:
        await _pass(gateway)
        outcome = "done"
    except Unavailable:
        outcome = "unavailable"
        raise
    finally:
        gateway.counters.passes.add((outcome,))


async def _pass(gateway: Gateway) -> None:
    await _deliver(gateway)
    await _documents(gateway)
    first = gateway.platform.clock.now() % HOUR < MINUTE
    if first or gateway.platform.shared_loop:
        await rollups.roll(gateway.platform.tables, gateway.platform.clock, _pace(gateway))
    await _alerts(gateway)
    if first:
        await _sweep_alerts(gateway)
        await _sweep_logins(gateway)
        await _sweep_webhooks(gateway)
        await _sweep_revocations(gateway)
        await _sweep_sessions(gateway)
        await _sweep_documents(gateway)
        await _sweep_labels(gateway)
    await _monthly(gateway)


async def caught_up(gateway: Gateway) -> None:
    """What a report reads is written, and summed as far as that goes in a moment."""
    await gateway.journal.flush()
    pace = replace(_pace(gateway), seconds=ASKED_SECONDS)
    with suppress(Unavailable):  # what is not summed is read itself
        await rollups.roll(gateway.platform.tables, gateway.platform.clock, pace)


async def _monthly(gateway: Gateway) -> None:
    """The report of the month that ended last, where it is wanted and not made yet."""
    if gateway.config.monthly_report.enabled:
        from penstock.gateway import monthly  # few months end in a pass

        await monthly.due(gateway)


def _pace(gateway: Gateway) -> rollups.Pace:
    return PACE if gateway.platform.shared_loop else PACE_ALONE


async def _alerts(gateway: Gateway) -> None:
    """A minute's judgement and what is to be sent; what nobody foresaw in it keeps nothing else from being done."""
    if not gateway.config.alerting.channels:
        return
    from penstock.gateway import alerting  # requests start without it

    try:
        await alerting.watch(gateway)
    except Unavailable:
        raise
    except Exception as error:  # noqa: BLE001 - see above
        gateway.report("alerts", error)


async def _sweep_alerts(gateway: Gateway) -> None:
    from penstock.ledger import alerts  # as above

    for _ in range(MOST_SWEEPS):
        if not await alerts.sweep(
            gateway.platform.tables, int(gateway.platform.clock.now() * 1000)
        ):
            return


async def _deliver(gateway: Gateway) -> None:
    """Stripe's events that are due, those first that wait longest."""
    hook, platform = gateway.services.webhook, gateway.platform
    if hook is None:
        return
    end = platform.clock.tick() + DELIVERING_SECONDS
    for _ in range(MOST_DELIVERIES):
        if platform.clock.tick() >= end:
            return
        event = await webhooks.claim(platform.tables, int(platform.clock.now() * 1000))
        if event is None:
            return
        await hook.deliver(gateway, event)


async def _documents(gateway: Gateway) -> None:
    """Documents that wait, or that nobody works on any more; and what is left of deleted ones."""
    from penstock.gateway.documents import cleared  # requests start without it, as the next
    from penstock.rag import documents

    platform, ingests = gateway.platform, gateway.lasting.ingests
    if platform.index is None:
        return
    now = int(platform.clock.now() * 1000)
    if not await documents.due(platform.tables, now):
        return
    for id, owner, size in await documents.deleted(platform.tables, now, MOST_SWEEPS):
        await cleared(gateway, id, owner, size, last=True)
    if platform.shared_loop:
        ingests.wake(gateway)
        return
    for _ in range(MOST_PIECES):
        if not await ingests.piece(gateway):
            return


async def _sweep_documents(gateway: Gateway) -> None:
    from penstock.rag import documents

    for _ in range(MOST_SWEEPS):
        if not await documents.sweep(
            gateway.platform.tables, int(gateway.platform.clock.now() * 1000)
        ):
            return


async def _sweep_webhooks(gateway: Gateway) -> None:
    for _ in range(MOST_SWEEPS):
        now = int(gateway.platform.clock.now() * 1000)
        if not await webhooks.sweep(gateway.platform.tables, now):
            return


async def _sweep_revocations(gateway: Gateway) -> None:
    for _ in range(MOST_SWEEPS):
        if not await keys.sweep(gateway.platform.tables, now=gateway.platform.clock.now()):
            return


async def _sweep_sessions(gateway: Gateway) -> None:
    from penstock.auth import sessions  # requests start without it

    for _ in range(MOST_SWEEPS):
        if not await sessions.sweep(gateway.platform.tables, now=gateway.platform.clock.now()):
            return


async def _sweep_logins(gateway: Gateway) -> None:
    kept = gateway.config.accounts.retention_days
    before = int(gateway.platform.clock.now() * 1000) - kept * days.DAY_MS
    for _ in range(MOST_SWEEPS):
        if not await logins.sweep(gateway.platform.tables, before):
            return


async def _sweep_labels(gateway: Gateway) -> None:
    from penstock.ledger import feedback, labels, logs  # requests start without them

    tables, kept = gateway.platform.tables, gateway.config.labels.retention_days
    before = int(gateway.platform.clock.now() * 1000) - kept * days.DAY_MS
    for sweep in (feedback.sweep, labels.sweep, logs.sweep):
        for _ in range(MOST_SWEEPS):
            if not await sweep(tables, before):
                break
