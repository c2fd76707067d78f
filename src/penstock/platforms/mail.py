"""`Mail` by SMTP: the standard library's client, on threads of its own."""

from __future__ import annotations

import asyncio
import re
import smtplib
import socket
import ssl
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate

from penstock.config.mail import MailServer
from penstock.errors import Broken, Failed, NotSent
from penstock.wire.letters import MOST_LETTER_BYTES, MOST_RECIPIENTS, Letter

STEP_SECONDS = 15.0
"""The longest silence of the server."""
WHOLE_SECONDS = 60.0
"""After that whoever sends waits no more."""
THREADS = 2
"""Letters at once; more wait, within their time."""
LONGEST_HEADER = 200
_KIND = re.compile(r"[a-z]+/[a-z0-9.+-]+")
_UNFIT = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")


class Talk:
    """A conversation that a thread leads, and that can be broken off from outside, whatever its server still says."""

    def __init__(self) -> None:
        self.link: smtplib.SMTP | None = None
        self._over = False

    def begun(self, link: smtplib.SMTP) -> None:
        self.link = link
        if self._over:
            raise TimeoutError

    def end(self) -> None:
        self._over = True
        if self.link is not None and (at := self.link.sock) is not None:
            with suppress(OSError):  # the plain socket's own: a thread is still reading by TLS
                socket.socket.shutdown(at, socket.SHUT_RDWR)


class SmtpMail:
    """Letters by whatever server is named. One that holds up its thread is hung up on after the time above."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(THREADS, "mail")

    async def send(self, letter: Letter, server: MailServer) -> Sequence[str]:
        data = message(letter, server.sender, time.time())
        loop, talk = asyncio.get_running_loop(), Talk()
        try:
            async with asyncio.timeout(WHOLE_SECONDS):
                return await loop.run_in_executor(
                    self._threads, _sent, server, letter.to, data.as_bytes(), talk
                )
        except TimeoutError as error:
            raise Broken("The mail server took too long.") from error
        finally:
            talk.end()

    def close(self) -> None:
        """Waits for nothing: what is under way ends by itself."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def message(letter: Letter, sender: str, now: float) -> EmailMessage:
    """A letter as it is sent; raises Failed where it is too large or for too many."""
    size = len(letter.text) + len(letter.html) + sum(len(one.data) for one in letter.attached)
    if size > MOST_LETTER_BYTES or not 0 < len(letter.to) <= MOST_RECIPIENTS:
        raise _never("The letter is too large, or not for 1 to 50 addresses.")
    made = EmailMessage(SMTP)
    made["From"], made["To"] = sender, ", ".join(letter.to)
    made["Subject"], made["Date"] = in_header(letter.subject), formatdate(now)
    made["Message-ID"] = f"<{_id(letter.id)}@{sender.rpartition('@')[2]}>"
    made["Auto-Submitted"] = "auto-generated"  # no answering machine answers
    made.set_content(_sound(letter.text), cte="quoted-printable")
    if letter.html:
        made.add_alternative(_sound(letter.html), subtype="html", cte="quoted-printable")
    for one in letter.attached:
        kind = one.kind if _KIND.fullmatch(one.kind) else "application/octet-stream"
        main, _, sub = kind.partition("/")
        made.add_attachment(one.data, main, sub, filename=in_header(one.name))
    return made


def in_header(text: str) -> str:
    """What may stand in a header: one line, of printable characters, not too long."""
    return _UNFIT.sub(" ", text)[:LONGEST_HEADER].strip()


def _sent(server: MailServer, to: Sequence[str], data: bytes, talk: Talk) -> Sequence[str]:
    """The whole conversation, on a thread; raises Failed."""
    told = False
    try:
        link = _connected(server, talk)
        try:
            if server.user:
                link.login(server.user, server.password)
            told = True
            refused = tuple(link.sendmail(server.sender, list(to), data))
            with suppress(OSError, smtplib.SMTPException):
                link.quit()  # it is taken, whatever is said now
            return refused
        finally:
            link.close()
    except smtplib.SMTPResponseException as error:
        raise _refused(error.smtp_code) from error
    except smtplib.SMTPRecipientsRefused as error:
        codes = [code for code, _ in error.recipients.values()]
        raise _refused(min(codes)) from error
    except smtplib.SMTPNotSupportedError as error:
        raise _never("The mail server lacks STARTTLS or a way to log in.") from error
    except ssl.SSLCertVerificationError as error:
        raise NotSent("The mail server's certificate is not valid for its name.") from error
    except (OSError, smtplib.SMTPException, ValueError) as error:
        if told:
            raise Broken("The connection to the mail server broke.") from error
        raise NotSent("The mail server could not be reached.") from error


def _connected(server: MailServer, talk: Talk) -> smtplib.SMTP:
    """A socket of our own, so that it can be hung up on from the first byte on."""
    context, link = ssl.create_default_context(), smtplib.SMTP(timeout=STEP_SECONDS)
    try:
        link.sock = socket.create_connection(server.at, STEP_SECONDS)
        if server.security == "tls":
            link.sock = context.wrap_socket(link.sock, server_hostname=server.host)
        link._host = server.host  # type: ignore[attr-defined]  # the certificate's name, which its own way of connecting sets
        talk.begun(link)
        code, said = link.getreply()
        if code != 220:
            raise smtplib.SMTPConnectError(code, said)
        if server.security == "starttls":
            link.starttls(context=context)
        talk.begun(link)
    except BaseException:
        link.close()
        raise
    return link


def _sound(text: str) -> str:
    """Without halves of characters, which have no bytes."""
    return text.encode("utf-8", "replace").decode()


def _refused(code: int) -> Failed:
    """Its codes of 5xx are for good; what it says beside them may hold anything, and is not told."""
    return Failed(
        f"The mail server refused the letter with {code}.",
        processed="no",
        upstream_status=code,
        retryable=not 500 <= code < 600,
    )


def _never(what: str) -> Failed:
    return Failed(what, processed="no", retryable=False)


def _id(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9.-]", "-", text)[:LONGEST_HEADER] or "-"
