"""Schemathesis over the OpenAPI document: no 5xx, and nothing that the document does not say.

Each generated request goes to three gateways in turn: one without limits, one whose caller is about to run into the
default limits, and, without a credential, the first again.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import not_a_server_error
from schemathesis.config import SchemathesisConfig
from schemathesis.specs.openapi import checks

from penstock.gateway.routes import BELOW, ROUTES, Endpoint
from tests.path.served import served
from tests.path.targets import PLAIN, UNLIMITED, upstream
from tests.path.world import World

NUMBERS = count()
LEFT = 2
"""Requests that each caller has left of the default limits."""
ENOUGH = 20
"""Requests of one operation to the limited gateway, and without a credential."""
LIMITS = {"chat": 100, "embed": 100, "documents": 100, "rag": 50, "other": 200}
CHECKS = [
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
    checks.unsupported_method,
    checks.allow_header_conformance,
]


def config() -> SchemathesisConfig:
    """Deterministic; dates that are valid one by one may still name a span that is refused, a month none that has begun, a text no provider that takes keys,
    a form a file without text or share it, and an id no document."""
    spans = {
        "include-path-regex": "/(usage|savings|logins|tenant-keys|overview|series|top|requests|keys|monthly|{table})$"
    }
    documents = {"include-path-regex": "/api/rag/(upload|search|query)$"}
    unread = {"positive_data_acceptance": {"expected-statuses": ["2xx", "403", "404", "422"]}}
    also = {"positive_data_acceptance": {"expected-statuses": ["2xx", "400"]}}
    return SchemathesisConfig.from_dict(
        {
            "generation": {"with-security-parameters": False, "deterministic": True},
            "phases": {"stateful": {"enabled": False}},
            "operations": [spans | {"checks": also}, documents | {"checks": unread}],
        }
    )


OPEN = World(upstream, more=PLAIN + UNLIMITED, env={})
ROOT = OPEN.token("root", role="admin", tier="huge")
LIMITED = World(upstream, more=PLAIN, env={})
LIMITED_APP = served(LIMITED.gateway)
API = schemathesis.openapi.from_asgi("/openapi.json", served(OPEN.gateway), config=config())


class Spent:
    """Callers of the limited gateway, one an operation, each with little left; remembers what they were answered."""

    def __init__(self) -> None:
        self._tokens: dict[str, str] = {}
        self.seen: dict[str, list[int]] = {}

    def token(self, label: str) -> str:
        if label not in self._tokens:
            self._tokens[label] = LIMITED.token(label, role="admin")
            asyncio.run(self._spend(label))
        return self._tokens[label]

    async def _spend(self, label: str) -> None:
        method, _, path = label.partition(" ")
        limit = endpoint(label).limit
        for _ in range(LIMITS[limit] - LEFT if limit else 0):
            response = await LIMITED.ask(path, b"", method=method, token=self._tokens[label])
            assert response.status in (200, 400, 404)


def endpoint(label: str) -> Endpoint:
    """What an operation does, by `METHOD path`."""
    method, _, path = label.partition(" ")
    if path in ROUTES:
        return ROUTES[path][method]
    return next(ways for start, ways in BELOW.items() if path.startswith(start))[method]


@pytest.fixture(scope="module")
def spent() -> Iterator[Spent]:
    callers = Spent()
    yield callers
    for label, statuses in callers.seen.items():
        assert (429 in statuses) == bool(endpoint(label).limit), label


def plain(value: Any) -> Any:
    """JSON with whole numbers written as such: JSON Schema takes 1.0 for an integer, the decoders do not."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, list):
        return [plain(one) for one in value]
    if isinstance(value, dict):
        return {name: plain(one) for name, one in value.items()}
    return value


def aimed(case: Any) -> None:
    """Gives most bodies a model that exists, since a made-up one is answered 404 and no more, and good keys their own name,
    since one that names two bodies is refused."""
    key = (case.headers or {}).get("idempotency-key")
    if isinstance(key, str) and re.fullmatch("[!-~]{1,255}", key):
        case.headers["idempotency-key"] = f"{next(NUMBERS)}-{key}"[:255]
    if not isinstance(case.body, dict | list):
        return
    case.body = plain(case.body)
    model = case.body.get("model") if isinstance(case.body, dict) else None
    if isinstance(model, str) and 0 < len(model) <= 256 and len(model) % 4:
        case.body["model"] = "embed" if "embed" in case.path else "auto"


@API.parametrize()
@settings(
    max_examples=6,
    deadline=None,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_every_reply_is_as_documented(case: Any, spent: Spent) -> None:
    aimed(case)
    label = case.operation.label
    seen = spent.seen.setdefault(label, [])
    more = len(seen) < ENOUGH
    # Its probes with bad credentials follow each good reply; a few of those will do.
    skipped = [] if more else [checks.ignored_auth]
    case.call_and_validate(headers=bearer(ROOT), excluded_checks=skipped)
    if more:
        anonymous = case.call_and_validate(checks=CHECKS)
        if endpoint(label).auth != "none":
            assert anonymous.status_code in (400, 401, 405)
        limited = case.call_and_validate(
            headers=bearer(spent.token(label)), checks=CHECKS, app=LIMITED_APP
        )
        seen.append(limited.status_code)
    assert OPEN.reports == LIMITED.reports == []


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}
