"""The OpenAPI document against the gateway: no 5xx, nothing that the document does not say."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.config import SchemathesisConfig

from penstock.entry.asgi import asgi
from penstock.gateway import openapi
from penstock.wire.http import JSON, Request, Response
from tests.path.world import World, pieces, streamed, whole

TOKEN_LIFE = 10_000_000
UNLIMITED = """
[tiers.huge]
requests_per_hour = 100000000
scale = 1000000
embedding_batch = 100
"""
FEW = settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
CONFIG: dict[str, Any] = {
    "generation": {"with-security-parameters": False, "deterministic": True, "no-shrink": True},
    "phases": {"stateful": {"enabled": False}},
}


def upstream(request: Request) -> Response:
    """A target that answers whatever it is asked."""
    assert isinstance(request.body, bytes)
    asked = json.loads(request.body)
    if request.target.endswith(b"/embeddings"):
        rows = [{"index": i, "embedding": [0.5, 0.25]} for i in range(len(asked["input"]))]
        reply = {"data": rows, "usage": {"prompt_tokens": 3, "total_tokens": 3}}
        return Response(200, [JSON], json.dumps(reply).encode())
    return streamed(pieces("Hello")) if asked.get("stream") else whole("Hello")


def described(world: World, token: str) -> Any:
    """The document of a world as schemathesis reads it, and how it asks: with this token where it is not empty."""
    config = SchemathesisConfig.from_dict(CONFIG)
    schema = schemathesis.openapi.from_asgi("/openapi.json", asgi(world.gateway), config=config)
    if token:
        schema.config.update(headers={"Authorization": f"Bearer {token}"})
    return schema


OPEN_WORLD = World(upstream, more=UNLIMITED)
TOKEN = OPEN_WORLD.token("root", role="admin", tier="huge")
OPEN = described(OPEN_WORLD, "")

@OPEN.parametrize()
@FEW
def test_open(case: Any) -> None:
    case.call_and_validate(headers={"Authorization": f"Bearer {TOKEN}"})
