"""One route open to anybody: who has no credential learns of all others only that it needs one."""

from __future__ import annotations

from typing import Any

import pytest

from penstock.auth import refusals
from penstock.auth.caller import Caller, anonymous
from penstock.wire.http import Request
from tests.path.world import World, body

OPEN = """
[routes.lobby]
auth = "optional"
targets = ["cheap/gpt-4o-mini"]
[routes.words]
verb = "embed"
auth = "optional"
targets = ["cheap/text-embedding-3-small"]
"""
V1_CHAT, V1_EMBED = "/v1/chat/completions", "/v1/embeddings"
CHAT, ONE, EMBED = "/api/ai/chat/completions", "/api/ai/chat", "/api/ai/embeddings"
HELLO = [{"role": "user", "content": "hello"}]

CLOSED: list[tuple[str, Any]] = [
    *[(path, bad) for path in (V1_CHAT, V1_EMBED, CHAT, ONE, EMBED) for bad in (b"{", b"", b"[]", b'{"a":1,"a":2}')],
    *[(path, {}) for path in (V1_CHAT, V1_EMBED, CHAT, ONE, EMBED)],
    (V1_CHAT, {"model": "auto", "messages": 5}),
    (V1_CHAT, {"model": 5, "messages": HELLO}),
    (V1_CHAT, {"model": "dear/gpt-4o", "messages": HELLO, "api_key": "x"}),
    (V1_CHAT, {"model": "no-such", "messages": []}),
    (V1_EMBED, {"model": "embed", "input": [1]}),
    (V1_EMBED, {"model": "lobby", "input": [1]}),
    (CHAT, {"messages": []}),
    (CHAT, {"messages": HELLO, "forceProvider": "cheap"}),
    (CHAT, {"model": "lobby", "messages": [], "forceProvider": "cheap"}),
    (ONE, {"message": 5}),
    (EMBED, {"text": 5}),
]  # fmt: skip


@pytest.mark.parametrize(("path", "sent"), CLOSED)
@pytest.mark.parametrize("token", [None, "forged"])
async def test_a_bad_body_is_no_way_past_the_door(path: str, sent: Any, token: str | None) -> None:
    world = World(more=OPEN)
    response = await world.ask(path, sent, token=token)
    told = await body(response)
    code = (told["error"] if path.startswith("/v1/") else told)["code"]
    assert (response.status, code) == (401, "invalid_token" if token else "missing_credential")
    assert response.header("www-authenticate")


async def test_neither_is_one_that_cannot_be_read() -> None:
    world = World(more=OPEN + "[server]\nmax_body_bytes = 1024\n")
    assert (await world.ask(V1_CHAT, b"x" * 2_000, token=None)).status == 401
    packed = await world.ask(V1_CHAT, {}, token=None, headers=[("content-encoding", "gzip")])
    assert packed.status == 401
    assert (await world.ask(V1_CHAT, b"x" * 2_000)).status == 413


@pytest.mark.parametrize(
    ("path", "sent"),
    [
        (V1_CHAT, {"model": "lobby", "messages": 5}),
        (V1_CHAT, {"model": "lobby", "messages": HELLO, "temperature": "hot"}),
        (V1_EMBED, {"model": "words", "input": []}),
        (CHAT, {"model": "lobby", "messages": []}),
        (ONE, {"model": "lobby", "message": ""}),
    ],
)
async def test_on_the_open_route_a_bad_field_is_told(path: str, sent: Any) -> None:
    assert (await World(more=OPEN).ask(path, sent, token=None)).status == 400


async def test_the_open_route_answers_and_a_credential_hears_of_its_own_faults() -> None:
    world = World(more=OPEN)
    assert (await world.chat(model="lobby", token=None)).status == 200
    assert (await world.ask(V1_CHAT, b"{")).status == 400


async def test_who_cannot_be_checked_is_told_that_and_not_of_the_body(monkeypatch) -> None:
    world = World(more=OPEN)

    async def unknown(request: Request, optional: bool = False) -> Caller:
        return anonymous(request.client, refusals.keys_unreachable(10))

    monkeypatch.setattr(world.gateway.identity, "identify", unknown)
    for sent in (b"{", {"model": "auto", "messages": 5}):
        response = await world.ask(V1_CHAT, sent)
        assert (response.status, response.header("retry-after")) == (503, "10")
    assert (await world.ask(V1_CHAT, {"model": "lobby", "messages": 5})).status == 400
