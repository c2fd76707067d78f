"""The report of each month: whether it is made by itself, when, and who gets it."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from penstock.config.mail import MailServer, check_addresses
from penstock.errors import Misconfigured

Day = Annotated[int, Meta(ge=1, le=28)]
MOST = 50
"""Addresses, as many as a letter bears."""
LONGEST = 200
"""Characters of a tenant's name."""


class MonthlyReport(Struct, frozen=True, forbid_unknown_fields=True):
    """The report of each month, once it is over. Any month's can be asked for at any time, whatever stands here."""

    enabled: bool = False
    """Whether it is made by itself, by one of all processes."""
    to: tuple[str, ...] = ()
    """Addresses that get it by mail (`[mail]`); none: it is only listed at `/admin/reports/monthly`. Not on Workers, which send no mail."""
    format: Literal["html", "pdf"] = "pdf"
    """What is attached. PDF needs the extra `reports`."""
    day: Day = 1
    """The day of the next month on which it is made, from midnight UTC on."""
    tenant: str = ""
    """The tenant that it is of; empty: of all."""
    font: str = ""
    """A TrueType file for PDFs, where names need letters that this machine's DejaVu, Noto or Liberation Sans lacks; without any of these it is Helvetica. A letter that the font lacks is written as its number, `[U+4E2D]`."""


def check_monthly(report: MonthlyReport, mail: MailServer, platform: str) -> None:
    """What is asked of it can be; raises Misconfigured."""
    if report.to and platform == "cloudflare":
        raise Misconfigured(
            "monthly_report.to is set, and Workers send no mail; remove it, and fetch /admin/reports/monthly"
        )
    if report.to and not mail.host:
        raise Misconfigured(
            "monthly_report.to is set, and there is no mail server; set [mail] host and sender"
        )
    if len(report.to) > MOST:
        raise Misconfigured(
            f"monthly_report.to has more than {MOST} addresses; name a list's address"
        )
    check_addresses(report.to, "monthly_report.to")
    if report.to and not report.enabled:
        raise Misconfigured(
            "monthly_report.to is set, and nothing is sent; write enabled = true, or remove it"
        )
    if "\0" in report.tenant:
        raise Misconfigured("monthly_report.tenant has a NUL in it; remove it")
    if len(report.tenant) > LONGEST:
        raise Misconfigured(f"monthly_report.tenant is longer than {LONGEST} characters; shorten it")  # fmt: skip
