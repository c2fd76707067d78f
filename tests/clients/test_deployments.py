"""Two real deployments of one model, each with its own key, before a real process."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from openai import OpenAI

from load.fake_provider import FakeProvider
from tests.clients.conftest import fake_prices
from tests.clients.process import SECRET, Penstock, token
from tests.clients.test_reload import reload

CONFIG = """
[auth]
issuers = [{{ mode = "hs256", secret = "{secret}" }}]
[providers.openai]
kind = "openai"
deployments = [
  {{ name = "a", url = "{a}/v1", key = "{key_a}" }}, {{ name = "b", url = "{b}/v1", key = "{key_b}" }},
]
[[targets]]
provider = "openai"
model = "gpt-4o-mini"
[[targets]]
provider = "openai"
model = "text-embedding-3-small"
verb = "embed"
"""
OWN = """
[auth]
issuers = [{{ mode = "hs256", secret = "{secret}" }}]
[providers.openai]
kind = "openai"
base_url = "{b}/v1"
deployments = [{{ url = "{a}/v1", key = "sk-a" }}]
[[targets]]
provider = "openai"
model = "gpt-4o-mini"
"""
B = "sk-b-of-sixteen-or-more"
Two = tuple[FakeProvider, FakeProvider]


@pytest.fixture
def two(tmp_path: Path) -> Iterator[Two]:
    file = tmp_path / "prices.json"
    file.write_text(json.dumps(fake_prices()))
    prices = ("--prices", str(file))
    with FakeProvider("--key", "sk-a", *prices) as a, FakeProvider("--key", B, *prices) as b:
        yield a, b


def config(two: Two, key_a: str = "sk-a", key_b: str = B) -> str:
    return CONFIG.format(secret=SECRET, a=two[0].url, b=two[1].url, key_a=key_a, key_b=key_b)


def asked(fake: FakeProvider) -> int:
    return len(fake.requests())


def charged(two: Two) -> int:
    rows = [row for fake in two for row in fake.meter()["rows"]]
    return sum(row["charged_nanos"] for row in rows)


def ask(client: OpenAI, number: int, *, stream: bool = False) -> None:
    messages: Any = [{"role": "user", "content": f"question {number}"}]
    if stream:
        for _ in client.chat.completions.create(
            model="gpt-4o-mini", messages=messages, stream=True
        ):
            pass
    else:
        client.chat.completions.create(model="gpt-4o-mini", messages=messages)


def test_a_429_cools_one_and_keys_rotate(two: Two, fresh_home: Callable[[str], Path]) -> None:
    a, b = two
    with (
        Penstock(fresh_home("two"), config(two)) as gateway,
        OpenAI(base_url=f"{gateway.url}/v1", api_key=token("two"), max_retries=0) as client,
    ):
        for number in range(6):
            ask(client, number, stream=number % 2 == 1)
        assert (asked(a), asked(b)) == (3, 3)
        a.fault("429", "50")
        for number in range(10, 16):
            ask(client, number, stream=number % 2 == 1)
        assert (asked(a), asked(b)) == (4, 9)
        client.embeddings.create(model="text-embedding-3-small", input="one")
        # A target of its own, with a count of its own: it is cooled by its own refusal.
        a.clear_faults()
        # The key of b is changed at both ends; a is still left alone.
        said = reload(gateway, config(two, "sk-other", "sk-wrong"))
        assert said["reload"] == "done"
        with pytest.raises(Exception, match="refused the gateway's key"):
            ask(client, 20)
        assert reload(gateway, config(two))["reload"] == "done"
        ask(client, 21)
        ledger = gateway.rows("select sum(amount_nanos) from ledger where stage = 'final'")
        assert ledger == [(charged(two),)]


def test_the_doctor_asks_each(two: Two, fresh_home: Callable[[str], Path]) -> None:
    with Penstock(fresh_home("asked"), config(two, "sk-wrong")) as gateway:
        done = gateway.tried("doctor", "--json")
    found = {one["check"]: one["good"] for one in json.loads(done.stdout)["checks"]}
    assert found["provider openai, deployment a"] is False
    assert found["provider openai, deployment b"] is True
    assert "sk-wrong" not in done.stdout + done.stderr


def test_a_tenants_own_key_goes_instead_of_ours(
    two: Two, fresh_home: Callable[[str], Path]
) -> None:
    """Our deployment is a; b, at the provider's own address, knows the tenant's key alone."""
    a, b = two
    text = OWN.format(secret=SECRET, a=a.url, b=b.url)
    with Penstock(fresh_home("own"), text) as gateway:
        admin = {"authorization": f"Bearer {token('root', scope='admin')}"}
        told = {"tenant": "acme", "provider": "openai", "key": B}
        kept = httpx.put(f"{gateway.url}/admin/tenant-keys", json=told, headers=admin)
        assert kept.json()["last4"] == B[-4:]
        for tenant, number in (("acme", 1), ("globex", 2), ("acme", 3)):
            key = token("x", tenant=tenant)
            with OpenAI(base_url=f"{gateway.url}/v1", api_key=key, max_retries=0) as client:
                ask(client, number, stream=number == 3)
        assert (asked(a), asked(b)) == (1, 2)
        ledger = gateway.rows(
            "select tenant, sum(amount_nanos) from ledger where stage = 'final' group by tenant order by tenant"
        )
        assert ledger[0] == ("acme", 0)
        assert ledger[1] == ("globex", sum(row["charged_nanos"] for row in a.meter()["rows"]))
        assert B[-4:] in gateway.run("tenant-keys", "list")
        files = [path for path in gateway.data.rglob("*") if path.is_file()]
        assert B.encode() not in b"".join(path.read_bytes() for path in files)
        out = gateway.stop()
    assert B not in out + "".join(gateway.said)
