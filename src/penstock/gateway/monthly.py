"""The report of a month: for whoever asks, and made once by itself when the month is over."""

from __future__ import annotations

import hmac
from hashlib import sha256
from typing import TYPE_CHECKING, Literal

from penstock.errors import BadRequest, Error, Failed, Unavailable
from penstock.gateway.exchange import Exchange
from penstock.gateway.paging import fields
from penstock.gateway.reports import one_of
from penstock.gateway.upkeep import caught_up
from penstock.ledger import days, duties
from penstock.ledger.duties import Duty
from penstock.ledger.reports import monthly
from penstock.ledger.reports.monthly import Monthly
from penstock.ledger.reports.printed import glance, paper
from penstock.ports import Print
from penstock.wire.http import JSON, Response
from penstock.wire.json import encode
from penstock.wire.letters import Attached, Letter
from penstock.wire.paper import html

if TYPE_CHECKING:
    from penstock.gateway import Gateway

Format = Literal["html", "pdf", "json"]
FORMATS: tuple[Format, ...] = ("html", "pdf", "json")
NO_PDF = "This gateway writes no PDF: install it by pip install 'penstock[reports]' (a Worker has none), or take format=html and print that."
NO_STORE = ("cache-control", "no-store")


async def report(gateway: Gateway, exchange: Exchange) -> Response:
    """A month as a page, a PDF or figures; without `month`, which reports were made, and of which months there are any."""
    query = fields(exchange, "month", "format", "tenant")
    if "month" not in query:
        if query:
            raise BadRequest("Name the month, as month=2026-10.", code="invalid_field", param="month")  # fmt: skip
        return await _listed(gateway)
    form = one_of(query, "format", FORMATS, "html")
    asked = monthly.asking(query["month"], _now(gateway), query.get("tenant", ""))
    if form == "pdf":
        printer_of(gateway)  # before the books are read
    await caught_up(gateway)
    found = await monthly.monthly(gateway.platform.tables, gateway.config, asked)
    if form == "json":
        return Response(200, [JSON, NO_STORE], encode(monthly.told(found)))
    name = ("content-disposition", f'inline; filename="penstock-{asked.month}.{form}"')
    if form == "html":
        return Response(200, [*html.HEADERS, NO_STORE, name], html.html(paper(found)))
    kind = [("content-type", "application/pdf"), ("x-content-type-options", "nosniff")]
    return Response(200, [*kind, NO_STORE, name], await printer_of(gateway)(paper(found)))


def printer_of(gateway: Gateway) -> Print:
    """Who writes PDF here; raises BadRequest where nobody does."""
    if gateway.platform.pdf is None:
        raise BadRequest(NO_PDF, code="pdf_unavailable", param="format")
    return gateway.platform.pdf


async def due(gateway: Gateway) -> None:
    """Makes and sends the report of the month that ended last, where nobody did; raises Unavailable."""
    settings, tables, now = gateway.config.monthly_report, gateway.platform.tables, _now(gateway)
    if now < days.span("month", now)[0] + (settings.day - 1) * days.DAY_MS:
        return
    duty = await duties.claim(tables, monthly.last(now), settings.tenant, now)
    if duty is None:
        return
    if duty.attempts > duties.MOST_ATTEMPTS:  # of which none came to an end, not even a bad one
        await duties.done(tables, duty, "given_up", now, "never_ended")
        return
    try:
        outcome, told = await _made(gateway, duty)
    except Unavailable:
        raise  # the tables are out of reach: once its lease is over it is due again
    except Error as error:
        last = isinstance(error, Failed) and not error.retryable
        if await duties.failed(tables, duty, error.code, _now(gateway), last=last):
            gateway.report("monthly_report", error)
        return
    await duties.done(tables, duty, outcome, _now(gateway), told)


async def _made(gateway: Gateway, duty: Duty) -> tuple[duties.Outcome, str]:
    """What became of it, and what is to be told of that."""
    platform, settings = gateway.platform, gateway.config.monthly_report
    asked = monthly.asking(duty.month, _now(gateway), duty.tenant)
    await caught_up(gateway)
    if not await monthly.used(platform.tables, asked.until):
        return "empty", ""
    if not settings.to:
        return "made", ""
    if platform.mail is None:
        raise Failed("This home sends no mail.", retryable=False)
    found = await monthly.monthly(platform.tables, gateway.config, asked)
    letter = await _letter(gateway, duty, found)
    refused = await platform.mail.send(letter, gateway.config.mail)
    return "sent", f"{len(refused)} of {len(letter.to)} addresses refused" if refused else ""


async def _letter(gateway: Gateway, duty: Duty, found: Monthly) -> Letter:
    """With the report in it; sent again, it has the same id."""
    settings, made = gateway.config.monthly_report, paper(found)
    if settings.format == "pdf":
        name, data = "application/pdf", await printer_of(gateway)(made)
    else:
        name, data = "text/html", html.html(made)
    told = [
        f"{one.label}: {one.value}" + (f" ({one.note})" if one.note else "")
        for one in glance(found)
    ]
    text = "\n".join([made.title, made.about, "", *told, "", "The whole report is attached.", ""])
    file = Attached(f"penstock-{duty.month}.{settings.format}", name, data)
    return Letter(_id(gateway, duty), settings.to, made.title, text, attached=(file,))


def _id(gateway: Gateway, duty: Duty) -> str:
    """The same each time, and no other installation's or tenant's."""
    whose = f"monthly\0{duty.month}\0{duty.tenant}".encode("utf-8", "replace")
    return f"monthly-{duty.month}-{hmac.digest(gateway.platform.secret, whose, sha256).hex()[:24]}"


async def _listed(gateway: Gateway) -> Response:
    """Which reports were made by themselves, how each ended, and of which months one can be asked for."""
    tables, settings, now = gateway.platform.tables, gateway.config.monthly_report, _now(gateway)
    first = await monthly.first(tables)
    body = {
        "reports": await duties.listed(tables),
        "first": days.day(first)[:7] if first is not None else None,
        "running": days.day(now)[:7],
        "formats": [form for form in FORMATS if form != "pdf" or gateway.platform.pdf is not None],
        "enabled": settings.enabled,
        "mailed": bool(settings.to),
    }
    return Response(200, [JSON, NO_STORE], encode(body))


def _now(gateway: Gateway) -> int:
    return int(gateway.platform.clock.now() * 1000)
