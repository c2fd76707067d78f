"""What the tests of the fake provider send, and how they read what comes back."""

from __future__ import annotations

import json
from typing import Any

import httpx

KEY = "sk-fake"
CHAT = "/v1/chat/completions"


def ask(prompt: str, **fields: Any) -> dict[str, Any]:
    return {"model": "gpt-4o", "messages": [{"role": "user", "content": prompt}], **fields}


def events(text: str) -> list[str]:
    return [line.removeprefix("data: ") for line in text.splitlines() if line.startswith("data: ")]


def spoken(text: str) -> str:
    """The content of an OpenAI stream."""
    chunks = [json.loads(event) for event in events(text) if event != "[DONE]"]
    deltas = [choice["delta"] for chunk in chunks for choice in chunk["choices"]]
    return "".join(delta.get("content", "") for delta in deltas)


def read_into(received: bytearray, http: httpx.Client, body: dict[str, Any]) -> None:
    """Reads a reply that may break off, keeping what came."""
    with http.stream("POST", CHAT, json=body) as reply:
        for piece in reply.iter_bytes():
            received += piece
