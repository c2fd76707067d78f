"""A gateway with a channel for notices, whose minutes a test lets pass."""

from __future__ import annotations

import json
from typing import Any

from penstock.gateway import Gateway, build
from penstock.gateway.upkeep import upkeep
from penstock.ledger import book, days
from penstock.ledger.book import Account, Charged
from penstock.ledger.decisions import Decision, row
from penstock.wire.chat import Usage
from penstock.wire.http import Request, Response
from tests.path.world import World, read, whole

NOW = 1_800_000_000.0  # 08:00 UTC
SECRET = "a-secret-for-tests-only"
CHANNELS = f"""
[alerting.channels.ops]
kind = "webhook"
url = "https://hooks.test/ops"
secret = "{SECRET}"
"""
MAIL = """
[alerting.channels.post]
kind = "email"
to = ["ops@example.com", "me@example.com"]
[mail]
host = "mail.test"
sender = "penstock@example.com"
"""
SLACK = """
[alerting.channels.chat]
kind = "slack"
url = "https://hooks.slack.test/services/T/B/secret"
"""


class Watched(World):
    """`sent` are the notices that came to the webhook, in order; `answer` is what it says, `provider` what providers do."""

    def __init__(self, more: str = "", channels: str = CHANNELS, now: float = NOW) -> None:
        self.sent: list[dict[str, Any]] = []
        self.posts: list[Request] = []
        self.bodies: list[bytes] = []
        self.answer: Any = lambda request: Response(200, body=b"ok")
        self.provider: Any = lambda request: whole("Hello!")
        self.number = 0
        super().__init__(self._reply, channels + more, now=now)

    def _reply(self, request: Request) -> Any:
        if b"hooks." not in request.target:
            return self.provider(request)
        assert isinstance(request.body, bytes)
        self.posts.append(request)
        self.bodies.append(request.body)
        answer = self.answer(request)
        if b"hooks.test" in request.target and getattr(answer, "status", 0) == 200:
            self.sent.append(json.loads(request.body))
        return answer

    @property
    def events(self) -> list[tuple[str, str]]:
        return [(one["rule"], one["event"]) for one in self.sent]

    def beside(self) -> Gateway:
        """Another process on the same tables."""
        return build(
            self.gateway.config, self.platform, lambda _, error: self.reports.append(error)
        )

    async def minutes(self, number: int = 1, *others: Gateway) -> None:
        """Each with a pass of every process."""
        for _ in range(number):
            self.platform.clock.advance(60)
            for gateway in (self.gateway, *others):
                await upkeep(gateway)
            assert not self.reports

    async def spent(
        self,
        nanos: int,
        at: float | None = None,
        *,
        hits: int = 0,
        misses: int = 1,
        route: str = "auto",
    ) -> None:
        """So much, in the books, by requests then."""
        then = int((self.platform.clock.now() if at is None else at) * 1000)
        rows = []
        for each in range(hits + misses):
            self.number += 1
            whose = Account(
                f"req_t{self.number}", "default/alice", "default", "alice", "", route, "chat"
            )
            what = Charged("cheap", "gpt-4o-mini", "cheap/gpt-4o-mini")
            amount = nanos if each == hits else 0
            rows.append(
                book.final(
                    whose,
                    1,
                    "settled",
                    then,
                    what,
                    Usage(input=1, output=1),
                    amount,
                    "hit" if each < hits else "",
                )
            )
        for first in range(0, len(rows), 500):
            await self.platform.tables.batch(*rows[first : first + 500])

    async def ended(
        self, number: int, status: int = 200, route: str = "auto", target: str = "cheap/gpt-4o-mini"
    ) -> None:
        """So many requests, in the books, that came to this just now."""
        then, rows = int(self.platform.clock.now() * 1000), []
        for _ in range(number):
            self.number += 1
            made = Decision(
                f"req_e{self.number}", "chat", route=route, target=target, status=status
            )
            rows.append(row(made, then, "default/alice"))
        await self.platform.tables.batch(*rows)

    async def told(self) -> dict[str, Any]:
        """What an admin is told."""
        response = await self.get("/admin/alerts", token=self.token("root", role="admin"))
        assert response.status == 200
        found: dict[str, Any] = json.loads(await read(response))
        return found


HOUR = days.HOUR_MS // 1000
