"""What a signed-in browser is told is kept by no cache on its way, and read as nothing but what it says it is."""

from __future__ import annotations

import pytest

from penstock.gateway.routes import ROUTES
from tests.path.dashboard import JSON, code, signed_in
from tests.path.world import read

TOLD = sorted(path for path in ROUTES if path.startswith("/admin/") and "GET" in ROUTES[path])


@pytest.mark.parametrize(
    "path", [*TOLD, "/admin/export/ledger", "/metrics", "/v1/usage", "/api/usage"]
)
async def test_what_a_session_is_told_is_kept_by_nobody(path: str) -> None:
    browser = await signed_in()
    response = await browser.get(path)
    assert response.header("cache-control") == "no-store"
    assert response.status == 200
    await read(response)


async def test_what_a_session_changes_is_kept_by_nobody_either() -> None:
    browser = await signed_in()
    own = {"tenant": "acme", "provider": "dear", "key": "sk-acme-own-key-of-some-length"}
    for method, path, query, data in (
        ("DELETE", "/admin/cache", "kind=chat", None),
        ("PUT", "/admin/tenant-keys", "", own),
        ("DELETE", "/admin/tenant-keys", "tenant=acme&provider=dear", None),
        ("POST", "/admin/keys", "", {"name": "n"}),
    ):
        response = await browser.ask(path, data, method=method, query=query, headers=[JSON])
        told = await read(response)
        assert (response.status < 300, response.header("cache-control")) == (True, "no-store"), told


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("/admin/documents", "tenant=a%00"),
        ("/admin/keys", "tenant=%00"),
        ("/admin/reports/overview", "tenant=%00"),
        ("/admin/reports/top", "of=user&tenant=acme&user=%00"),
        ("/admin/tenant-keys", "tenant=%00"),
    ],
)
async def test_what_no_table_of_postgresql_can_hold_is_told_so(path: str, query: str) -> None:
    browser = await signed_in()
    assert await code(await browser.get(path, query)) == (400, "invalid_field")
