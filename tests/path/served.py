"""A gateway as an ASGI application, for a test tool that knows no other kind."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from penstock.ports import Fetch
from penstock.wire.http import Request, collect

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


def served(gateway: Fetch) -> Callable[[dict[str, Any], Receive, Send], Awaitable[None]]:
    """Whole requests and whole replies only."""

    async def app(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise RuntimeError("this gateway needs no lifespan")
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        query = scope["query_string"]
        target = scope["raw_path"] + (b"?" + query if query else b"")
        headers = [
            (name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]
        ]
        response = await gateway(
            Request(
                scope["method"],
                target,
                scope["path"],
                query.decode("latin-1"),
                headers,
                "127.0.0.1",
                body,
            )
        )
        data = (
            response.body
            if isinstance(response.body, bytes)
            else await collect(response.body, 1 << 20)
        )
        await response.aclose()
        sent = [(name.encode(), value.encode("latin-1")) for name, value in response.headers]
        await send({"type": "http.response.start", "status": response.status, "headers": sent})
        await send(
            {"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else data}
        )

    return app
