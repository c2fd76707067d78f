"""A complex prompt: gateway, chat service, provider, by the real parts of each, and charged once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from penstock.auth import calls
from penstock.wire.http import Request, Response
from penstock_services import settings
from penstock_services.chat.app import made
from tests.path.test_service_target import COMPLEX, ENV, TARGET
from tests.path.world import SECRET, World, body, pieces, read, streamed, whole
from tests.services.home import never
from tests.services.home import world as of_service

GATEWAY = "http://gateway.test"
COST = 10 * 2_500 + 5 * 10_000
"""Of what the provider reports, in nano-dollars."""


class Chained(World):
    """`chat.test` is the reference service, `openai.test` the provider; what the service calls is in `env`."""

    def __init__(self, **env: str) -> None:
        self.seen: list[Request] = []
        super().__init__(self._reached, "", env=ENV | {"CHAT_SERVICE_URL": "http://chat.test"})
        self.service = of_service("chat", self._outer)
        told = settings.read(ENV | env, Path("unused"))
        self.app = made(self.service, told, never)

    async def _reached(self, request: Request) -> Response:
        host, path = request.target.decode().removeprefix("http://").split("/", 1)
        self.seen.append(request)
        if host == "chat.test":
            return await self.app(_inbound(request, f"/{path}"))
        assert isinstance(request.body, bytes)
        asked = json.loads(request.body)
        return streamed(pieces("A ", "river.")) if asked.get("stream") else whole("A river.")

    async def _outer(self, request: Request) -> Response:
        target = request.target.decode()
        if target.startswith(GATEWAY):
            return await self.gateway(_inbound(request, target.removeprefix(GATEWAY)))
        return await self._reached(request)

    async def sums(self) -> list[tuple[str, int]]:
        rows = await self.ledger("stage, ended, amount_nanos")
        return sorted((ended, amount) for stage, ended, amount in rows if stage == "final")


def _inbound(request: Request, path: str) -> Request:
    return Request(
        request.method, path.encode(), path, "", request.headers, "192.0.2.7", request.body
    )


@pytest.mark.parametrize("stream", [False, True])
async def test_the_service_calls_the_provider(stream):
    world = Chained(OPENAI_BASE_URL="http://openai.test/v1")
    response = await world.chat(COMPLEX, stream=stream)
    assert response.header("x-penstock-target") == TARGET
    assert "river." in (await read(response)).decode()
    assert [request.target for request in world.seen] == [
        b"http://chat.test/api/chat/completions",
        b"http://openai.test/v1/chat/completions",
    ]
    assert not [name for name, _ in world.seen[1].headers if name == calls.NAME]
    assert await world.sums() == [("settled", COST)]
    assert world.reports == []


@pytest.mark.parametrize("stream", [False, True])
async def test_the_service_calls_the_gateway_back(stream):
    calling: dict[str, Any] = {
        "GATEWAY_URL": GATEWAY,
        "OPENAI_BASE_URL": f"{GATEWAY}/v1",
        "CHAT_MODELS": "gpt-4o",
    }
    world = Chained(**calling)
    told = settings.read(ENV | calling | {"OPENAI_API_KEY": world.token("robot")}, Path("unused"))
    world.app = made(world.service, told, never)
    response = await world.chat(COMPLEX, stream=stream)
    assert response.status == 200
    assert "river." in (await read(response)).decode()
    assert [request.target.split(b"/")[2] for request in world.seen] == [
        b"chat.test",
        b"openai.test",
    ]
    assert await world.sums() == [("settled", 0), ("settled", COST)]


async def test_a_token_that_the_service_refuses_goes_elsewhere():
    world = Chained(OPENAI_BASE_URL="http://openai.test/v1")
    told = settings.read(ENV | {"JWT_SECRET": SECRET[::-1]}, Path("unused"))
    world.app = made(world.service, told, never)
    response = await world.chat(COMPLEX)
    assert response.header("x-penstock-target") == "openai/gpt-4o-mini"
    assert (await body(response))["choices"][0]["message"]["content"] == "A river."
