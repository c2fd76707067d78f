"""The mail server that letters to operators go by."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Literal

from msgspec import Struct

from penstock.config.bounds import Port
from penstock.errors import Misconfigured

Security = Literal["starttls", "tls", "none"]
PORTS: Mapping[Security, int] = {"starttls": 587, "tls": 465, "none": 25}
HERE = frozenset({"localhost", "127.0.0.1", "::1"})
LONGEST_ADDRESS = 254
# Compiled where one is judged: a Worker starts without them.
_HOST = r"[A-Za-z0-9.:_-]{1,253}"
_ADDRESS = r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?"


class MailServer(Struct, frozen=True, forbid_unknown_fields=True):
    """The mail server that letters to operators go by; not on Workers, which reach none."""

    host: str = ""
    """Its name or address; empty: there is none."""
    port: Port = 0
    """Its port; 0: 587 for starttls, 465 for tls, 25 for none."""
    security: Literal["starttls", "tls", "none"] = "starttls"
    """TLS by STARTTLS before anything is said, from the start, or not at all: then with a password on this machine only."""
    user: str = ""
    """Whom to log in as; empty: nobody."""
    password: str = ""
    """The password, best written `${VAR}`."""
    sender: str = ""
    """The address that letters are from, as `penstock@example.com`."""

    @property
    def at(self) -> tuple[str, int]:
        """Where it listens."""
        return self.host, self.port or PORTS[self.security]


def check_mail(mail: MailServer) -> None:
    """Complete or not there at all; raises Misconfigured."""
    if not mail.host:
        if mail != MailServer():
            raise Misconfigured("mail.host is empty; name the mail server, as smtp.example.com")
        return
    if not re.fullmatch(_HOST, mail.host):
        raise Misconfigured(
            "mail.host is no host; write it as smtp.example.com, and the port as mail.port"
        )
    if not is_address(mail.sender):
        raise Misconfigured("mail.sender is no address; write it as penstock@example.com")
    if bool(mail.user) != bool(mail.password):
        raise Misconfigured("mail.user and mail.password go together; set both or none")
    if not (mail.user + mail.password).isascii():
        raise Misconfigured(
            "mail.user or mail.password has letters beyond ASCII, which no way of logging in here takes; change it"
        )
    if mail.security == "none" and mail.user and mail.host not in HERE:
        raise Misconfigured(
            'mail.security is none, and a password would go in clear; write "starttls" or "tls"'
        )


def check_addresses(addresses: Iterable[str], path: str) -> None:
    """Each can be written to; raises Misconfigured."""
    for at, address in enumerate(addresses):
        if not is_address(address):
            raise Misconfigured(f"{path}[{at}] is no address; write it as ops@example.com")


def is_address(text: str) -> bool:
    """Whether it is a plain address, without a name and of ASCII, so that no header and no command has more in it."""
    return len(text) <= LONGEST_ADDRESS and re.fullmatch(_ADDRESS, text) is not None
