"""Upstreams that answer whatever they are asked, and a configuration in which nothing else can refuse."""

from __future__ import annotations

import json

from penstock.wire.http import JSON, Request, Response
from tests.path.world import SECRET, pieces, streamed, whole

PLAIN = f"""
[auth]
issuers = [{{ mode = "hs256", secret = "{SECRET}" }}]
[providers.any]
kind = "openai"
base_url = "http://any.test/v1"
[[targets]]
provider = "any"
model = "chat"
context = 1000000000
[[targets]]
provider = "any"
model = "embed"
verb = "embed"
[routes.auto]
targets = ["any/chat"]
[routes.embed]
verb = "embed"
targets = ["any/embed"]
"""
UNLIMITED = """
[tiers.huge]
requests_per_hour = 100000000
scale = 1000000
embedding_batch = 100
documents = 100000
document_bytes = 1000000
"""


def upstream(request: Request) -> Response:
    """A target that answers whatever it is asked."""
    assert isinstance(request.body, bytes)
    asked = json.loads(request.body)
    if request.target.endswith(b"/embeddings"):
        rows = [{"index": i, "embedding": [0.5, 0.25]} for i in range(len(asked["input"]))]
        reply = {"data": rows, "usage": {"prompt_tokens": 3, "total_tokens": 3}}
        return Response(200, [JSON], json.dumps(reply).encode())
    return streamed(pieces("Hello")) if asked.get("stream") else whole("Hello")
