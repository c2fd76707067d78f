"""`Mail` that keeps its letters, for tests."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from penstock.config.mail import MailServer
from penstock.errors import Failed
from penstock.wire.letters import MOST_LETTER_BYTES, MOST_RECIPIENTS, Letter

Taken = Callable[[Letter, MailServer], Sequence[str]]
"""The addresses it refuses of a letter; raises Failed."""


class MemoryMail:
    """A mail server that a test answers for; `letters` are those that were taken."""

    def __init__(self, handler: Taken | None = None) -> None:
        self.handler = handler
        self.letters: list[Letter] = []
        self.servers: list[MailServer] = []

    async def send(self, letter: Letter, server: MailServer) -> Sequence[str]:
        size = len(letter.text) + len(letter.html) + sum(len(one.data) for one in letter.attached)
        if size > MOST_LETTER_BYTES or not 0 < len(letter.to) <= MOST_RECIPIENTS:
            raise Failed("The letter cannot be sent.", processed="no", retryable=False)
        refused = self.handler(letter, server) if self.handler else ()
        self.letters.append(letter)
        self.servers.append(server)
        return refused
