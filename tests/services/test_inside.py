"""The services in the gateway's own process: one command starts all, and a login opens the gateway."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest
from msgspec.structs import replace

from load.fake_stripe import FakeStripe
from penstock.config import Backend, Config, Issuer, Server, Service, decode, defaults
from penstock.config.accounts import Billing
from penstock.config.services import VARIABLES
from penstock.entry import inside
from penstock.entry.settings import load
from penstock.errors import Misconfigured, Missing
from penstock.platforms import memory
from penstock.wire.http import Request
from penstock_services.home import NEEDS
from tests.clients.process import END_SECONDS, OURS, READY, until
from tests.services.home import PASSWORD, SECRET, SHARED, secret

HOOK = "whsec_of_the_tests"
ADA = {"email": "ada@example.com", "password": PASSWORD}
QUESTION = {"model": "auto", "messages": [{"role": "user", "content": "Say hello."}]}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, httpx.Client]]:
    """`penstock serve` with no configuration, as `make serve` starts it: its folder, and who asks it."""
    folder = tmp_path_factory.mktemp("serve")
    clean = {key: value for key, value in os.environ.items() if not key.startswith(OURS)}
    process = subprocess.Popen(
        [sys.executable, "-m", "penstock", "serve", "--port", "0"],
        cwd=folder, env=clean | {"STRIPE_WEBHOOK_SECRET": HOOK}, text=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stderr is not None
    said = []
    for line in process.stderr:
        said.append(line)
        if READY in line:
            break
    assert "  service auth: /api/auth to internal://auth (100)\n" in said
    with httpx.Client(base_url=said[-1].partition(READY)[2].strip(), timeout=60) as client:
        yield folder, client
    process.send_signal(signal.SIGTERM)
    complaints = process.communicate(timeout=END_SECONDS)[1]
    assert (complaints, process.returncode) == ("", 0)


def letter(folder: Path) -> str:
    """The token of the newest letter, which is written after the reply."""
    outbox = folder / ".penstock/services/outbox"
    until(lambda: any(outbox.glob("*.eml")), 60)
    return secret(max(outbox.glob("*.eml")).read_text())


def test_register_login_and_chat(server):
    folder, client = server
    made = client.post("/api/auth/register", json=ADA | {"username": "ada"})
    assert made.status_code == 201
    refused = client.post("/api/auth/login", json=ADA)
    assert (refused.status_code, refused.json()["error"]) == (401, "Login failed")
    assert client.post("/api/auth/verify-email", json={"token": letter(folder)}).is_success
    entered = client.post("/api/auth/login", json=ADA).json()
    bearer = {"authorization": f"Bearer {entered['token']}"}
    chat = client.post("/v1/chat/completions", json=QUESTION, headers=bearer)
    assert chat.status_code == 200
    assert "[sandbox]" in chat.json()["choices"][0]["message"]["content"]
    usage = client.get("/v1/usage", headers=bearer).json()
    assert usage["totals"]["requests"] == 1
    said = client.post("/api/chat/completions", json=QUESTION, headers=bearer)
    assert (said.status_code, said.json()["provider"]) == (200, "sandbox")
    assert client.get("/api/billing/subscription", headers=bearer).json()["tier"] == "free"
    assert client.get("/api/auth/me", headers=bearer).json()["user"]["email"] == ADA["email"]


def test_an_event_that_stripe_signs_comes_to_the_billing_service(server):
    folder, client = server
    stripe = FakeStripe("sk_test", HOOK, int(time.time()))
    event = stripe.event("invoice.paid", {"id": "in_1", "customer": "cus_1"})
    headers = {"stripe-signature": stripe.signed(event)}
    for duplicate in (False, True):
        reply = client.post("/api/billing/webhook", content=event, headers=headers)
        assert (reply.status_code, reply.json()["duplicate"]) == (200, duplicate)
    with closing(sqlite3.connect(folder / ".penstock/services/billing.sqlite")) as tables:
        until(lambda: tables.execute("select id from events").fetchall(), 60)
    changed = client.post("/api/billing/webhook", content=event + b" ", headers=headers)
    assert changed.status_code == 400


def test_a_token_of_the_command_line_is_of_the_same_issuer(server):
    folder, client = server
    command = [sys.executable, "-m", "penstock", "token", "--sub", "me"]
    token = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout
    bearer = {"authorization": f"Bearer {token.strip()}"}
    begun = client.post("/api/chat/conversations", json={"title": "mine"}, headers=bearer)
    assert begun.status_code == 201
    listed = client.get("/api/chat/conversations", headers=bearer).json()["conversations"]
    assert [one["title"] for one in listed] == ["mine"]


def test_without_a_token_the_rest_is_closed(server):
    _, client = server
    for path in ("/api/auth/me", "/api/chat/conversations", "/api/billing/payments"):
        assert client.get(path).status_code == 401
    # What billing tells auth has no path here.
    assert client.put("/internal/tier", json={}).status_code == 404


def test_what_the_environment_names_is_elsewhere():
    found, lines = inside.standing({"AUTH_SERVICE_URL": "http://auth.test"})
    assert (sorted(found), lines) == (["billing", "chat"], [])


def test_without_the_extra_the_gateway_starts_and_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(inside, "find_spec", lambda part: None if part == "stripe" else part)
    loaded = load(None, {})
    assert loaded.config.services == {}
    assert loaded.notes[-1] == (
        "warning: the services auth, chat, billing do not run here, for stripe is not installed:"
        " pip install 'penstock[services]'"
    )


def test_what_is_needed_is_what_the_services_need():
    assert set(inside.PARTS) == {"penstock_services", *NEEDS.values()}


def test_a_file_names_its_services_itself(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "penstock.toml").write_text("")
    assert load(None, {}).config.services == {}


def file(text: str) -> Config:
    return defaults(decode(text, {}), {})[0]


@pytest.mark.parametrize("url", ["internal://orders", "internal://auth/x"])
def test_only_the_three_run_inside(url):
    with pytest.raises(Misconfigured, match="names no service that can run in this process"):
        file(f'[services.auth]\nbackends = [{{ url = "{url}" }}]')


def test_they_run_in_one_process_alone():
    with pytest.raises(Misconfigured, match="runs in one process alone"):
        file(
            'platform = "server"\n[stores]\npostgres = "postgresql://h/d"\nredis = "redis://h"\n'
            '[services.auth]\nbackends = [{ url = "internal://auth" }]'
        )


def test_what_needs_no_token_at_the_reference_service():
    ours = file('[services.auth]\nbackends = [{ url = "internal://auth" }]').services["auth"]
    theirs = file('[services.auth]\nbackends = [{ url = "http://auth.test" }]').services["auth"]
    assert "verify-email" in ours.public
    assert theirs.public == ("register", "login", "refresh")


def configured(*issuers: Issuer, names: tuple[str, ...] = tuple(VARIABLES)) -> Config:
    services = {name: Service(backends=(Backend(url=f"internal://{name}"),)) for name in names}
    config = defaults(Config(services=services), {})[0]
    return _with(config, issuers)


def _with(config: Config, issuers: tuple[Issuer, ...]) -> Config:
    return replace(config, auth=replace(config.auth, issuers=issuers))


def test_auth_inside_needs_a_shared_secret():
    public = Issuer(mode="jwks", issuer="i", audience="a", jwks_url="https://id.test/jwks.json")
    assert inside.signer(configured(public, SHARED)) == SHARED
    with pytest.raises(Misconfigured, match="has no hs256 issuer"):
        inside.signer(configured(public))
    assert inside.signer(configured(public, names=("chat",))) == public


def test_a_reload_neither_starts_a_service_nor_changes_whose_tokens_they_take():
    now = configured(SHARED, names=("chat",))
    inside.check_same(now, now)
    inside.check_same(now, configured(names=()))
    with pytest.raises(Misconfigured, match="restart to have it"):
        inside.check_same(now, configured(SHARED))
    charged = configured(SHARED, names=("billing",))
    hooked = replace(charged, billing=Billing(webhook_secrets=(HOOK,)))
    with pytest.raises(Misconfigured, match="webhook_secrets cannot change"):
        inside.check_same(charged, hooked)
    with pytest.raises(Misconfigured, match="cannot change while services run"):
        inside.check_same(now, configured(Issuer(secret=SECRET[::-1]), names=("chat",)))


@pytest.mark.parametrize(
    ("host", "port", "url"),
    [
        ("127.0.0.1", 8787, "http://127.0.0.1:8787"),
        ("0.0.0.0", 80, "http://127.0.0.1:80"),
        ("::", 80, "http://[::1]:80"),
        ("gateway.test", 80, "http://gateway.test:80"),
        ("127.0.0.1", 0, ""),
    ],
)
def test_where_they_reach_the_gateway(host, port, url):
    assert inside.here(Server(host=host, port=port)) == url


async def test_a_configured_service_that_is_not_installed_stops_the_start(monkeypatch):
    monkeypatch.setattr(inside, "find_spec", lambda part: None)
    outer = memory.platform().fetch
    with pytest.raises(Missing, match="pip install 'penstock"):
        async with inside.with_services(configured(SHARED), outer, {}):
            raise AssertionError("it started")


async def test_billing_takes_the_secrets_that_the_gateway_signs_by(tmp_path):
    config = replace(configured(SHARED, names=("billing",)), data=str(tmp_path))
    hooked = replace(config, billing=Billing(webhook_secrets=(HOOK,)))
    stripe = FakeStripe("sk_test", HOOK, int(time.time()))
    event = stripe.event("invoice.paid", {"id": "in_1", "customer": "cus_1"})
    url, signature = b"internal://billing/api/billing/webhook", stripe.signed(event)
    outer = memory.platform().fetch
    async with inside.with_services(hooked, outer, {}) as fetch:
        sent = Request("POST", url, headers=[("stripe-signature", signature)], body=event)
        assert (await fetch(sent)).status == 200


async def test_without_any_the_fetch_is_as_it_was():
    outer = memory.platform().fetch
    async with inside.with_services(configured(names=()), outer, {}) as fetch:
        assert fetch is outer
