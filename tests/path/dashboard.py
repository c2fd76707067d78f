"""A browser before the dashboard: it keeps its cookie, and says what browsers say."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from penstock.wire.http import Response
from tests.path.world import World, body

SAME = ("sec-fetch-site", "same-origin")
JSON = ("content-type", "application/json")
HOST = ("host", "gateway.test")
FRAMED = {
    "x-frame-options": "DENY",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
}


class Browser:
    """One browser of one person, on one page of the dashboard."""

    def __init__(self, world: World, client: str = "192.0.2.7") -> None:
        self.world, self.client = world, client
        self.cookie = self.csrf = ""
        self.told: dict[str, Any] = {}

    async def sign_in(self, credential: str = "", *headers: tuple[str, str]) -> Response:
        credential = credential or self.world.token("root", role="admin")
        response = await self.ask(
            "/dashboard/session", {"credential": credential}, headers=[JSON, *headers]
        )
        if (set_cookie := response.header("set-cookie")) is not None:
            self.cookie = set_cookie.partition(";")[0]
        if response.status == 200:
            self.told = await body(response)
            self.csrf = self.told["csrf"]
        return response

    async def ask(
        self, path: str, data: Any = None, *, method: str = "POST", query: str = "", csrf: str | None = None,
        headers: Sequence[tuple[str, str]] = (), site: tuple[str, str] | None = SAME,
    ) -> Response:  # fmt: skip
        said = self.csrf if csrf is None else csrf
        given = [HOST, *headers]
        given += [("cookie", self.cookie)] if self.cookie else []
        given += [("x-csrf-token", said)] if said else []
        given += [site] if site is not None else []
        return await self.world.ask(
            path, data, method=method, query=query, token=None, headers=given, client=self.client
        )

    async def get(self, path: str, query: str = "", **more: Any) -> Response:
        return await self.ask(path, method="GET", query=query, csrf="", **more)


async def signed_in(more: str = "", **how: str) -> Browser:
    browser = Browser(World(more=more), **how)
    assert (await browser.sign_in()).status == 200
    return browser


async def code(response: Response) -> tuple[int, str]:
    """Status and code of a refusal, in either envelope."""
    told = await body(response)
    return response.status, told["code"] if "code" in told else told["error"]["code"]


def framed(response: Response) -> bool:
    """Whether it carries what keeps other pages out."""
    policy = response.header("content-security-policy") or ""
    return (
        all(response.header(name) == value for name, value in FRAMED.items())
        and "frame-ancestors 'none'" in policy
        and "default-src 'none'" in policy
        and "unsafe" not in policy
    )
