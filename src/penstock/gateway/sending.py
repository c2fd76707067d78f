"""A notice sent to one channel, and what came back in a word: never a reply's text, never an exception's."""

from __future__ import annotations

from typing import NamedTuple

from penstock.auth import signatures
from penstock.config import Config
from penstock.config.alerting import Channel
from penstock.errors import Error, Failed
from penstock.gateway import notices
from penstock.ledger.alerts.turns import Notice
from penstock.ports import Clock, Fetch, Mail
from penstock.wire.http import JSON, Request, Timeouts, collect

TIMEOUTS = Timeouts(connect=3.0, first_byte=8.0, idle=3.0, total=10.0)
WHOLE_SECONDS = 15.0
REPLY_BYTES = 64 << 10
SIGNATURE, ID = "penstock-signature", "penstock-notice"


class Outside(NamedTuple):
    """What sending asks of the world."""

    fetch: Fetch
    clock: Clock
    mail: Mail | None


class Outcome(NamedTuple):
    """Whether it arrived, and in a word what came back."""

    arrived: bool
    status: str


async def send(world: Outside, config: Config, name: str, notice: Notice) -> Outcome:
    """One attempt at a configured channel."""
    channel = config.alerting.channels[name]
    if channel.kind == "email":
        return await _letter(world, config, name, notice)
    body = notices.slack(notice) if channel.kind == "slack" else notices.webhook(notice)
    return await _post(world, channel, notice, body)


async def _post(world: Outside, channel: Channel, notice: Notice, body: bytes) -> Outcome:
    headers = [JSON]
    if channel.kind == "webhook":
        headers.append((ID, notice.id))
    if channel.secret:
        now = world.clock.now()
        headers.append((SIGNATURE, signatures.signed(body, channel.secret, now)))
    request = Request(
        "POST", channel.url.encode(), headers=headers, body=body, timeouts=TIMEOUTS, max_reply=REPLY_BYTES
    )  # fmt: skip
    try:
        async with world.clock.timeout(WHOLE_SECONDS):
            response = await world.fetch(request)
            try:
                if not isinstance(response.body, bytes):
                    await collect(response.body, REPLY_BYTES)
            finally:
                await response.aclose()
    except TimeoutError:
        return Outcome(False, "upstream_timeout")
    except Error as error:
        return Outcome(False, error.code)
    return Outcome(200 <= response.status < 300, f"http {response.status}")


async def _letter(world: Outside, config: Config, name: str, notice: Notice) -> Outcome:
    if world.mail is None or not config.mail.host:
        return Outcome(False, "no_mail")
    letter = notices.letter(notice, name, config.alerting.channels[name].to)
    try:
        refused = await world.mail.send(letter, config.mail)
    except Failed as failed:
        told = f"smtp {failed.upstream_status}" if failed.upstream_status else failed.code
        return Outcome(False, told)
    return Outcome(True, f"taken, not for {len(refused)}" if refused else "taken")
