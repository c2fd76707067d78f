"""The Worker as a whole: how it starts, what it says when it cannot, what it leaves behind."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from penstock.auth.mint import mint
from tests.clients.process import until
from tests.edge import backend
from tests.edge.worker import SECRET, Worker, migrations

SETTINGS = {"providers": {"sandbox": {"kind": "sandbox"}}}
HELLO = {"model": "auto", "messages": [{"role": "user", "content": "hello there"}]}
CHAT = "/v1/chat/completions"
LONG_AGO = 1_700_000_000_000


@pytest.fixture(scope="module")
def process() -> Iterator[Worker]:
    with Worker(SETTINGS) as served:
        yield served


@pytest.fixture
def worker(process: Worker) -> Worker:
    """A Worker with no provider but the sandbox, which has just been started."""
    process.again(SETTINGS)
    return process


def ask(worker: Worker, path: str, body: Any = None, sub: str = "alice") -> httpx.Response:
    token = mint({"sub": sub}, SECRET, now=time.time())
    method = "GET" if body is None else "POST"
    headers = {"authorization": f"Bearer {token}"}
    return httpx.request(method, worker.url + path, json=body, headers=headers, timeout=30.0)


def problem(worker: Worker, path: str = "/health") -> str:
    """What every path answers while the Worker cannot start."""
    told = ask(worker, path)
    assert (told.status_code, told.headers["retry-after"]) == (503, "1")
    assert told.headers["content-type"] == "application/problem+json"
    said = told.json()
    assert (said["code"], said["error"]) == ("misconfigured", "Service unavailable")
    return str(said["detail"])


def test_it_knows_where_it_runs(worker: Worker) -> None:
    told = httpx.get(f"{worker.url}/health").json()
    assert (told["status"], told["edge"]) == ("healthy", "TST")
    assert httpx.head(f"{worker.url}/health").content == b""


def test_a_line_is_logged_for_each_request(worker: Worker) -> None:
    worker.ask("log")
    request_id = ask(worker, CHAT, HELLO, "logged").headers["x-request-id"]
    worker.ask("idle")
    (line,) = [line for line in worker.said() if line.get("id") == request_id]
    assert (line["method"], line["path"], line["status"]) == ("POST", CHAT, 200)
    assert (line["route"], line["cache"], line["country"]) == ("auto", "miss", "NL")
    assert "hello there" not in str(line)


@pytest.mark.parametrize("size", [10_000, 1_000_000])
@pytest.mark.parametrize("path", [CHAT, "/api/orders/1"])
def test_an_upload_that_breaks_off_is_a_client_that_left(
    worker: Worker, path: str, size: int
) -> None:
    orders = {"prefixes": ["/api/orders"], "backends": [{"url": worker.url}]}
    worker.again({**SETTINGS, "services": {"orders": orders}})
    worker.ask("log")
    token = mint({"sub": "alice"}, SECRET, now=time.time())
    headers = {"authorization": f"Bearer {token}", "content-length": str(size)}
    assert worker.ask("broken", path=path, headers=headers, begins='{"model": "auto",') == 499
    worker.ask("idle")
    lines = [line for line in worker.said() if line.get("path") == path]
    # What of it went on to the service is a request of its own.
    told = [(line["status"], line.get("gone"), line.get("error")) for line in lines]
    assert (499, True, None) in told
    assert not [line for line in lines if line["status"] == 500]


def test_a_services_replies_are_kept_for_the_caller_in_the_data_centres_cache(
    worker: Worker,
) -> None:
    def told(path: str, sub: str = "alice") -> tuple[str, str | None]:
        response = ask(worker, path, sub=sub)
        worker.ask("idle")
        return response.text, response.headers.get("x-cache")

    with backend.served() as service:
        orders = {"prefixes": ["/api/orders"], "backends": [{"url": service.url}], "cache": {}}
        settings = {**SETTINGS, "services": {"orders": orders}}
        worker.again(settings)
        assert [told("/api/orders/1") for _ in range(2)] == [("1", "MISS"), ("1", "HIT")]
        assert told("/api/orders/1", "bob") == ("2", "MISS")
        worker.again(settings)
        assert told("/api/orders/1") == ("1", "HIT")
    assert service.asked == {"/api/orders/1": 2}


def test_a_backend_that_is_not_well_is_left_out_by_every_isolate(worker: Worker) -> None:
    admin = {
        "authorization": f"Bearer {mint({'sub': 'r', 'role': 'admin'}, SECRET, now=time.time())}"
    }

    def told() -> list[tuple[str, str]]:
        """How a new isolate finds them, after its first request."""
        worker.again(settings)
        assert ask(worker, "/api/orders/1").status_code == 200
        worker.ask("idle")
        [found] = httpx.get(f"{worker.url}/admin/services", headers=admin).json()["services"]
        return [(one["state"], one["probe"]) for one in found["backends"]]

    with backend.served() as one, backend.served() as two:
        orders = {"prefixes": ["/api/orders"], "backends": [{"url": one.url}, {"url": two.url}]}
        settings = {**SETTINGS, "services": {"orders": orders}}
        assert told() == [("up", "off")] * 2
        one.broken.add("/health")
        worker.ask("alarm")
        until(lambda: told() == [("ejected", "failed"), ("up", "well")], 60.0)
        one.broken.clear()
        worker.ask("alarm")
        until(lambda: told() == [("up", "well")] * 2, 60.0)
        assert one.asked["/health"] >= 2


def test_callers_are_known_by_the_address_that_the_platform_tells(worker: Worker) -> None:
    route = {"targets": ["sandbox/gpt-4o"], "auth": "optional"}
    worker.again({**SETTINGS, "routes": {"open": route}, "limits": {"chat": "1/h"}})

    def status(address: str) -> int:
        headers, body = {"cf-connecting-ip": address}, {**HELLO, "model": "open"}
        return httpx.post(worker.url + CHAT, json=body, headers=headers).status_code

    assert [status(f"192.0.2.{last}") for last in (1, 1, 2)] == [200, 429, 200]


def test_what_a_request_leaves_behind_is_written_after_its_reply(worker: Worker) -> None:
    request_id = ask(worker, CHAT, HELLO, "written").headers["x-request-id"]
    assert [stage for stage, *_ in worker.ledger(request_id)] == ["reserve", "dispatched", "final"]
    hit = ask(worker, CHAT, HELLO, "written")
    assert hit.headers["x-penstock-cache"] == "hit"
    worker.ask("idle")
    assert worker.ledger(hit.headers["x-request-id"]) == [("final", "settled", 0)]
    decided = worker.rows("select request_id from decisions where request_id = ?", request_id)
    assert decided == [(request_id,)]


def test_what_nobody_foresaw_is_told_by_a_code_and_logged_by_where_it_was(worker: Worker) -> None:
    worker.ask("batch", statements=[["alter table installation rename to hidden", []]])
    try:
        told = ask(worker, "/health")
    finally:
        worker.ask("batch", statements=[["alter table hidden rename to installation", []]])
    assert (told.status_code, told.json()["code"]) == (500, "internal_error")
    assert "installation" not in told.text
    assert ask(worker, "/health").status_code == 200


def test_the_cron_trigger_ends_what_was_left_open(worker: Worker) -> None:
    columns = (
        "request_id, attempt, stage, at, owner, tenant, sub, service, amount_nanos, lease_until"
    )
    worker.rows(
        f"insert into ledger ({columns}) values (?, 0, 'reserve', ?, 'o', 't', 's', 'chat', 900, ?) returning 1",
        "req_left", LONG_AGO, LONG_AGO + 60_000,
    )  # fmt: skip
    worker.ask("scheduled")
    assert worker.ledger("req_left")[-1][:2] == ("final", "released")
    (kept,) = worker.rows("select value from installation where name = 'reconciled'")
    assert str(LONG_AGO) not in str(kept)
    worker.ask("scheduled")
    assert len(worker.ledger("req_left")) == 2


def test_bound_models_need_no_key_and_their_free_neurons_cost_nothing(worker: Worker) -> None:
    worker.again({})
    told = ask(worker, "/api/ai/chat", {"message": "hello there"}, "bound").json()
    assert (told["message"]["content"], told["provider"]) == ("echo hello there", "cloudflare")
    assert (told["model"], told["cost"]) == ("@cf/ibm-granite/granite-4.0-h-micro", 0)
    streamed = ask(worker, CHAT, {**HELLO, "stream": True}, "bound stream")
    assert streamed.text.endswith("data: [DONE]\n\n")
    embedded = ask(worker, "/api/ai/embeddings", {"text": "hello"}, "bound").json()
    assert (len(embedded["embedding"]), embedded["model"]) == (768, "bge-base-en-v1.5")


@pytest.mark.parametrize("name", ["KV", "DB", "BLOBS", "METER", "AI"])
def test_a_missing_binding_is_named_with_its_mend(worker: Worker, name: str) -> None:
    worker.again({}, without=[name])
    assert problem(worker).startswith(f"The Worker has no binding {name} (")
    assert "penstock deploy cloudflare" in problem(worker, "/api/usage")
    told = ask(worker, "/v1/models").json()["error"]
    assert (told["code"], told["type"]) == ("misconfigured", "server_error")


def test_an_index_of_another_length_is_named_with_the_commands_that_mend_it(worker: Worker) -> None:
    worker.again({}, dimensions=1_024)
    assert problem(worker).startswith("The Vectorize index (binding VECTORIZE) has 1024 dimensions")
    assert "--dimensions=768" in problem(worker)
    worker.again({}, dimensions=768)
    assert ask(worker, "/health").status_code == 200


def test_without_an_issuer_nobody_can_be_let_in(worker: Worker) -> None:
    worker.again(SETTINGS, variables={})
    assert "wrangler secret put JWT_SECRET" in problem(worker)


def test_a_variable_that_is_not_there_is_named_and_no_secret_is_told(worker: Worker) -> None:
    worker.again({"providers": {"o": {"kind": "openai", "api_key": "${MY_KEY}"}}})
    assert "providers.o.api_key: the environment variable MY_KEY is not set" in problem(worker)
    assert SECRET not in problem(worker)


def test_tables_of_another_version_are_named_with_the_command_that_mends_them() -> None:
    with Worker(SETTINGS, migrated=False) as served:
        assert "are at migration none, and" in problem(served)
        served.ask("batch", statements=migrations()[:-1])
        assert "wrangler d1 migrations apply DB" in problem(served)
        served.ask("batch", statements=migrations()[-1:])
        assert ask(served, "/health").status_code == 200
        served.rows("insert into d1_migrations (name) values ('9999_later.sql') returning 1")
        served.again(SETTINGS)
        assert ask(served, "/health").status_code == 200


def test_the_cron_tells_of_a_provider_whose_failures_other_requests_saw(worker: Worker) -> None:
    with backend.served() as ops:
        channel = {"kind": "webhook", "url": f"{ops.url}/hook"}
        away = {"kind": "openai", "base_url": "http://127.0.0.1:9/v1", "api_key": "k" * 32}
        worker.again(
            {
                "providers": {"away": away},
                "targets": [{"provider": "away", "model": "gpt-4o"}],
                "alerting": {"channels": {"ops": channel}},
                "alerts": [{"kind": "provider_down", "for_minutes": 0}],
            }
        )
        for number in range(6):
            body = {**HELLO, "model": "away/gpt-4o", "max_tokens": number + 1}
            assert ask(worker, CHAT, body).status_code == 502
            worker.ask("idle")
        worker.ask("scheduled")
        worker.ask("scheduled")
        assert ops.asked["/hook"] == 1
        token = mint({"sub": "root", "role": "admin"}, SECRET, now=time.time())
        headers = {"authorization": f"Bearer {token}"}
        told = httpx.get(f"{worker.url}/admin/alerts", headers=headers, timeout=30.0).json()
        assert [one["subject"] for one in told["firing"]] == ["away"]
        assert told["channels"][0]["delivered"] == 1
