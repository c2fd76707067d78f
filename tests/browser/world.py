"""A gateway as an operator's browser meets it: a real process before the fake provider, with data made through its API."""

from __future__ import annotations

import io
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from load.fake_provider import FakeProvider
from tests.clients.backend import Backend
from tests.clients.process import SECRET, Penstock, token

NAUGHTY = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "{{7*7}} ${7*7} #{7*7}",
    "__class__",
    "مرحبا بالعالم",
    "🦊 ﷽",
    "'; drop table ledger; --",
)
"""Names that a page shows as they are."""
PLAIN_SUBS = ("ana", "bram", "chidi", "dora")
CONFIG = """
[auth]
issuers = [{{ mode = "hs256", secret = "${{JWT_SECRET}}" }}]
[providers.openai]
kind = "openai"
base_url = "{provider}/v1"
api_key = "sk-fake"
any_model = true
[[targets]]
provider = "openai"
model = "gpt-4o-mini"
[[targets]]
provider = "openai"
model = "gpt-4o"
[[targets]]
provider = "openai"
model = "text-embedding-3-small"
verb = "embed"
[routes.auto]
policy = "heuristic"
simple = "openai/gpt-4o-mini"
medium = "openai/gpt-4o-mini"
strong = "openai/gpt-4o"
[routes.learned]
policy = "learned"
simple = "openai/gpt-4o-mini"
strong = "openai/gpt-4o"
[services.orders]
prefixes = ["/api/orders"]
auth = "none"
backends = [{{ url = "{up}" }}]
[services.stock]
prefixes = ["/api/stock"]
auth = "none"
backends = [{{ url = "{down}" }}]
[[budgets]]
per = "tenant"
name = "frugal"
period = "month"
money = "0.01"
[[budgets]]
per = "tenant"
name = "acme"
period = "month"
money = "250"
[[costs]]
line = "models"
name = "model providers"
budget = "200"
before = "640"
[[costs]]
line = "edge"
name = "plan"
fixed = "5"
budget = "40"
[tiers.free]
requests_per_hour = 10000
scale = 100
"""


class World:
    """A served gateway and who asks it."""

    def __init__(self, gateway: Penstock) -> None:
        self.gateway = gateway
        self.url = gateway.url
        self.client = httpx.Client(base_url=gateway.url, timeout=30.0)
        self.made: dict[str, str] = {}
        """Ids of what was made, by what it is here for."""

    def ask(
        self, method: str, path: str, body: object = None, *, sub: str = "admin", **claims: Any
    ) -> httpx.Response:
        """One request of this caller; the operator's where nothing else is said."""
        claims = claims or {"scope": "admin chat embed rag"}
        headers = {"authorization": f"Bearer {token(sub, **claims)}"}
        return self.client.request(method, path, json=body, headers=headers)

    def chat(self, text: str, *, sub: str, tenant: str = "acme", **fields: Any) -> httpx.Response:
        """A chat of a user."""
        body = {
            "model": "auto",
            "messages": [{"role": "user", "content": text}],
            "max_tokens": 1_000,
        }
        path = "/v1/chat/completions"
        return self.ask("POST", path, body | fields, sub=sub, tenant=tenant, scope="chat")

    def upload(self, name: str, content: bytes, *, sub: str = "ana") -> httpx.Response:
        """A document of a user's."""
        headers = {"authorization": f"Bearer {token(sub, tenant='acme', tier='pro')}"}
        form = {"file": ("file.txt", io.BytesIO(content))}
        data = {"filename": name}
        return self.client.post("/api/rag/upload", files=form, data=data, headers=headers)

    def key(self, name: str, **fields: Any) -> dict[str, Any]:
        """A new API key, as the dashboard makes one."""
        reply = self.ask("POST", "/admin/keys", {"name": name} | fields)
        assert reply.status_code == 201, reply.text
        made: dict[str, Any] = reply.json()
        return made


@contextmanager
def served(home: Path) -> Iterator[World]:
    """A gateway that is still empty."""
    with FakeProvider("--key", "sk-fake") as provider, Backend() as backend:
        config = CONFIG.format(provider=provider.url, up=backend.url, down=_nobody())
        with Penstock(home, config, {"JWT_SECRET": SECRET}) as gateway:
            world = World(gateway)
            with world.client:
                yield world


def fill(world: World) -> None:
    """What a busy day leaves: answers bought, streamed, kept and failed, documents, keys, budgets near their cap."""
    _chats(world)
    _failures(world)
    _documents(world)
    for name in (*NAUGHTY, "nightly report"):
        world.key(name)
    world.ask("GET", "/api/orders/1")
    world.ask("GET", "/api/stock/1")


def frugal(world: World, text: str) -> httpx.Response:
    """A call of which the frugal tenant's budget has room for one."""
    fields = {"model": "openai/gpt-4o", "max_tokens": 900}
    return world.chat(f"[[words:890]] {text}", sub="frank", tenant="frugal", **fields)


def _chats(world: World) -> None:
    for sub in (*PLAIN_SUBS, *NAUGHTY):
        for text in (f"Good morning from {sub}", f"Explain and compare the plans of {sub} ```x```"):
            reply = world.chat(text, sub=sub)
            assert reply.status_code == 200, reply.text
            world.made.setdefault("bought", reply.headers["x-request-id"])
    again = world.chat("Good morning from ana", sub="ana")
    assert again.headers["x-penstock-cache"] == "hit", again.headers
    world.made["hit"] = again.headers["x-request-id"]
    streamed = world.chat("[[words:40]] a river", sub="bram", stream=True)
    assert streamed.text.endswith("data: [DONE]\n\n")
    world.made["streamed"] = streamed.headers["x-request-id"]
    dear = frugal(world, "write")
    assert dear.status_code == 200, dear.text
    body = {"model": "text-embedding-3-small", "input": ["a river", "a bank"]}
    embedded = world.ask("POST", "/v1/embeddings", body, sub="chidi", tenant="acme", scope="embed")
    assert embedded.status_code == 200, embedded.text


def _failures(world: World) -> None:
    failed = world.chat("[[fault:500]] fail", sub="dora")
    assert failed.status_code >= 500
    world.made["failed"] = failed.headers["x-request-id"]
    refused = frugal(world, "more")
    assert refused.status_code == 429, refused.text
    world.made["refused"] = refused.headers["x-request-id"]
    for name in NAUGHTY[:2]:
        odd = world.chat("Hello", sub="dora", model=f"openai/{name}")
        assert odd.status_code < 500, odd.text


def _documents(world: World) -> None:
    for name in (*NAUGHTY, "handbook.md"):
        reply = world.upload(name, f"# {name}\n\nThe river floods in spring. {name}".encode())
        assert reply.status_code in (200, 201, 202), reply.text
    assert world.upload("empty.txt", b" \n").status_code == 422


def _nobody() -> str:
    """An address where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"http://127.0.0.1:{listener.getsockname()[1]}"
