"""What an operator does by the command line, beside a gateway that serves."""

from __future__ import annotations

import openai
import pytest
from openai import OpenAI

from load.fake_provider import FakeProvider
from tests.clients.process import Penstock, token, until

PURGED_WITHIN = 10.0


@pytest.fixture(scope="session")
def gateway(penstock: Penstock) -> Penstock:
    """Commands read the files of a process."""
    return penstock


def test_a_key_works_until_it_is_revoked_and_not_once_more(
    gateway: Penstock, fake: FakeProvider
) -> None:
    made = gateway.ask("keys", "create", "--sub", "keyed", "--tier", "pro", "--name", "test")
    assert made["key"].startswith("pk-")
    with OpenAI(base_url=f"{gateway.url}/v1", api_key=made["key"], max_retries=0) as client:
        asked = client.models.with_raw_response.list
        assert asked().headers["x-ratelimit-limit-requests"] == "2000"
        alone = {"authorization": openai.omit, "x-api-key": made["key"]}
        assert asked(extra_headers=alone).http_response.status_code == 200
        with pytest.raises(openai.BadRequestError) as doubled:
            asked(extra_headers={"x-api-key": "pk-another"})
        assert doubled.value.code == "conflicting_credentials"
        assert made["key"] not in gateway.run("keys", "list", "--sub", "keyed")
        gateway.run("keys", "revoke", made["id"])
        for _ in range(2):
            with pytest.raises(openai.AuthenticationError) as caught:
                client.models.list()
            assert caught.value.code in ("credential_revoked", "invalid_api_key")


def test_a_purge_counts_within_ten_seconds(client: OpenAI, gateway: Penstock, sub: str) -> None:
    # The wait is spent asking: a tier whose rate lasts.
    client = client.with_options(api_key=token(sub, tier="enterprise"))

    def cache() -> str:
        raw = client.chat.completions.with_raw_response.create(
            model="auto", messages=[{"role": "user", "content": "keep me"}]
        )
        return str(raw.headers["x-penstock-cache"])

    assert [cache(), cache()] == ["miss", "hit"]
    client.embeddings.create(model="embed", input="keep me")
    assert gateway.ask("cache", "purge", "--owner", sub) == {"purged": [f"owner:default/{sub}"]}
    assert until(lambda: cache() == "miss", PURGED_WITHIN)
    raw = client.embeddings.with_raw_response.create(model="embed", input="keep me")
    assert raw.headers["x-penstock-cache"] == "miss"
    assert cache() == "hit"


def test_usage_and_explain_tell_of_a_request(
    client: OpenAI, fake: FakeProvider, gateway: Penstock, sub: str
) -> None:
    text = "Explain what a penstock is, my-own-secret-prompt"
    done = client.chat.completions.create(
        model="auto", messages=[{"role": "user", "content": text}]
    )
    request_id = done._request_id or ""
    charged = fake.meter()["charged_nanos"]
    told = until(lambda: explained(gateway, request_id))
    decision = told["decision"]
    assert (decision["route"], decision["policy"], decision["reason"]) == (
        "auto",
        "heuristic",
        "complex",
    )
    assert decision["features"]["analysis"] is True
    assert decision["ranks"] == ["openai/gpt-4o", "openai/gpt-4o-mini"]
    assert (decision["target"], decision["cache"], decision["status"]) == (
        "openai/gpt-4o",
        "miss",
        200,
    )
    assert decision["cost_nanos"] == charged
    assert [step["stage"] for step in told["ledger"]] == ["reserve", "dispatched", "final"]
    assert told["ledger"][-1]["amount_nanos"] == charged
    assert "my-own-secret-prompt" not in str(told)
    rows = gateway.ask("usage", "--by", "user")["rows"]
    (mine,) = [row for row in rows if row["user"] == sub]
    assert (mine["requests"], mine["cost_nanos"], mine["cached"]) == (1, charged, 0)
    assert "openai/gpt-4o" in gateway.run("explain", request_id)


def explained(gateway: Penstock, request_id: str) -> dict[str, object] | None:
    """The whole story, once its decision record is written: within a second."""
    told: dict[str, object] = gateway.ask("explain", request_id)
    return told if told["decision"] else None


def test_secrets_and_prompts_stand_in_no_log(client: OpenAI, gateway: Penstock) -> None:
    client.chat.completions.create(
        model="auto", messages=[{"role": "user", "content": "canary-prompt"}]
    )
    lines = until(lambda: [line for line in gateway.access() if line["status"] == 200])
    assert {"id", "caller", "route", "target", "cache", "status", "ms"} <= lines[-1].keys()
    log = (gateway.home / "access.log").read_text()
    for secret in ("canary-prompt", "sk-fake", client.api_key):
        assert secret not in log
