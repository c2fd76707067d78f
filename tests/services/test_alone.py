"""The services as processes of their own, and a gateway that believes them through their published keys."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx

from tests.clients.process import END_SECONDS, OURS, READY, Penstock
from tests.services.home import PASSWORD, secret

GATEWAY = """
[auth]
issuers = [
  { mode = "jwks", issuer = "penstock-auth", audience = "penstock", algorithms = ["EdDSA"], jwks_url = "%s/api/auth/jwks.json" },
]
"""


@contextmanager
def service(name: str, folder: Path, env: Mapping[str, str]) -> Iterator[str]:
    """`penstock services NAME` until the block ends: its address."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith(OURS)}
    command = [sys.executable, "-m", "penstock", "services", name, "--port", "0"]
    process = subprocess.Popen(
        [*command, "--data", str(folder)],
        cwd=folder, env=clean | dict(env), text=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stderr is not None
    said = []
    try:
        for line in process.stderr:
            said.append(line)
            if READY in line:
                yield line.partition(READY)[2].strip()
                break
        else:
            raise AssertionError(f"it did not start: {said}")
    finally:
        process.terminate()
        complaints = process.communicate(timeout=END_SECONDS)[1]
    assert complaints == ""
    assert process.returncode == 0


def test_a_login_opens_the_gateway_and_the_other_services(tmp_path):
    with ExitStack() as stack:
        client = stack.enter_context(httpx.Client(timeout=30))
        auth = stack.enter_context(service("auth", tmp_path, {}))
        env = {"AUTH_JWKS_URL": f"{auth}/api/auth/jwks.json", "AUTH_SERVICE_URL": auth}
        chat = stack.enter_context(service("chat", tmp_path, env))
        billing = stack.enter_context(service("billing", tmp_path, env))
        gateway = stack.enter_context(Penstock(tmp_path / "gateway", GATEWAY % auth))
        account = {"email": "ada@example.com", "password": PASSWORD, "username": "ada"}
        assert client.post(f"{auth}/api/auth/register", json=account).status_code == 201
        outbox, end = tmp_path / "services" / "outbox", time.monotonic() + END_SECONDS
        while not (letters := list(outbox.glob("*.eml"))) and time.monotonic() < end:
            client.get(f"{auth}/health")  # the letter is written beside the replies
        token = secret(letters[0].read_text())
        client.post(f"{auth}/api/auth/verify-email", json={"token": token}).raise_for_status()
        entered = client.post(f"{auth}/api/auth/login", json=account).json()
        headers = {"authorization": f"Bearer {entered['token']}"}
        assert client.get(f"{gateway.url}/api/usage", headers=headers).status_code == 200
        question = {"messages": [{"role": "user", "content": "Why?"}], "stream": True}
        answered = client.post(f"{chat}/api/chat/completions", json=question, headers=headers)
        assert answered.text.endswith("data: [DONE]\n\n")
        held = client.get(f"{billing}/api/billing/subscription", headers=headers).json()
        assert held == {"tier": "free", "subscription": None}
        assert client.get(f"{chat}/api/chat/conversations").status_code == 401
