"""A mail server on this machine, in the tests' own process."""

from __future__ import annotations

import ssl
from collections.abc import Generator
from contextlib import contextmanager

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from tests.stores import free_port


class Mailbox:
    """Keeps what it is sent; `answers` stand in place of "250 OK", for a letter, and `refuses` are addresses it does not take."""

    def __init__(self) -> None:
        self.envelopes: list[Envelope] = []
        self.logins: list[tuple[bytes, bytes]] = []
        self.answers: list[str] = []
        self.refuses: set[str] = set()
        self.port = 0

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address in self.refuses:
            return "550 no such mailbox: secret"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        answer = self.answers.pop(0) if self.answers else "250 OK"
        if answer.startswith("250"):
            self.envelopes.append(envelope)
        return answer

    def login(
        self, server: SMTP, session: Session, envelope: Envelope, way: str, data: LoginPassword
    ) -> AuthResult:
        self.logins.append((data.login, data.password))
        return AuthResult(success=data.password == b"right", handled=False)


@contextmanager
def mailbox(*, certificate: ssl.SSLContext | None = None, tls: bool = False) -> Generator[Mailbox]:
    """One that listens; with a certificate it takes STARTTLS and nothing without it, or TLS from the start."""
    box = Mailbox()
    box.port = free_port()
    options: dict = {"authenticator": box.login, "auth_require_tls": False}
    if certificate is not None and not tls:
        options |= {"tls_context": certificate, "require_starttls": True}
    controller = Controller(
        box, "127.0.0.1", box.port, ssl_context=certificate if tls else None, **options
    )
    controller.start()
    try:
        yield box
    finally:
        controller.stop()
