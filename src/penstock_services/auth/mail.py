"""Letters to users: sent by SMTP, or written into a folder where no server is configured."""

from __future__ import annotations

import asyncio
import os
import smtplib
import ssl
from collections.abc import Callable
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from penstock.errors import Misconfigured

SECONDS = 20.0
PORTS = {"smtp": 587, "smtps": 465}
HERE = ("127.0.0.1", "::1", "localhost")


class Letter(NamedTuple):
    """What is sent; `text` may hold a secret and is in no log."""

    to: str
    subject: str
    text: str


Send = Callable[[Letter], None]
"""Sends one letter and returns when it was taken; runs on a thread, raises OSError or SMTPException."""


class Post:
    """Where letters go: a folder, or a mail server by `smtp://user:password@host:587` (`smtps://` for TLS from the start)."""

    def __init__(self, sender: str, url: str, outbox: Path) -> None:
        self._sender = sender
        self._send: Send = _server(url, sender) if url else _folder(outbox, sender)

    async def deliver(self, letter: Letter) -> None:
        await asyncio.to_thread(self._send, letter)


def _folder(outbox: Path, sender: str) -> Send:
    def write(letter: Letter) -> None:
        outbox.mkdir(mode=0o700, parents=True, exist_ok=True)
        message = _message(letter, sender)
        name = message["message-id"].strip("<>").partition("@")[0]
        opened = os.open(outbox / f"{name}.part", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(opened, "wb") as file:
            file.write(message.as_bytes())
        (outbox / f"{name}.part").rename(outbox / f"{name}.eml")

    return write


def _server(url: str, sender: str) -> Send:
    where = urlsplit(url)
    host = where.hostname or ""
    if where.scheme not in PORTS or not host:
        raise Misconfigured("SMTP_URL is no mail server; write smtp://user:password@host:587")
    port, context = where.port or PORTS[where.scheme], ssl.create_default_context()

    def send(letter: Letter) -> None:
        if where.scheme == "smtps":
            opened: smtplib.SMTP = smtplib.SMTP_SSL(host, port, timeout=SECONDS, context=context)
        else:
            opened = smtplib.SMTP(host, port, timeout=SECONDS)
        with opened as server:
            # In clear only on this machine: a letter is as good as a password.
            if where.scheme == "smtp" and host not in HERE:
                server.starttls(context=context)
            if where.username:
                server.login(unquote(where.username), unquote(where.password or ""))
            server.send_message(_message(letter, sender))

    return send


def _message(letter: Letter, sender: str) -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"] = sender, letter.to
    message["Subject"], message["Date"] = letter.subject, formatdate()
    message["Message-ID"] = make_msgid(domain="penstock.invalid")
    # As it is where it can be: a wrapped link is broken for whoever reads the folder.
    cte = "7bit" if letter.text.isascii() else "quoted-printable"
    message.set_content(letter.text, cte=cte)
    return message
