"""The dashboard on a Worker: its files from ASSETS, and a session that every isolate knows, until it is over."""

from __future__ import annotations

import time
from collections.abc import Iterator

import httpx
import pytest

from penstock.auth.mint import mint
from tests.edge.worker import SECRET, Worker

SETTINGS = {"providers": {"sandbox": {"kind": "sandbox"}}}
PAGE = "<!doctype html><title>Penstock</title>"
ASSETS = {"/index.html": PAGE, "/assets/app-1.js": "export {}"}
SAME = {"sec-fetch-site": "same-origin"}


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    with Worker(SETTINGS) as served:
        yield served


def framed(response: httpx.Response) -> bool:
    policy = response.headers.get("content-security-policy", "")
    return "frame-ancestors 'none'" in policy and response.headers["x-frame-options"] == "DENY"


def test_its_files_are_the_assets_under_our_own_headers(worker: Worker) -> None:
    worker.again(SETTINGS, assets=ASSETS)
    for path in ("/dashboard", "/dashboard/usage"):
        page = httpx.get(worker.url + path, timeout=30.0)
        assert (page.status_code, page.text, framed(page)) == (200, PAGE, True)
        assert page.headers["cache-control"] == "no-cache"
        assert "set-cookie" not in page.headers
    known = {
        "if-none-match": page.headers["etag"],
        "cookie": f"penstock_session={'A' * 43}",
    }
    assert httpx.get(f"{worker.url}/dashboard", headers=known, timeout=30.0).status_code == 304
    script = httpx.get(f"{worker.url}/dashboard/assets/app-1.js", timeout=30.0)
    assert (script.text, framed(script)) == ("export {}", True)
    assert "immutable" in script.headers["cache-control"]
    absent = httpx.get(f"{worker.url}/dashboard/assets/none.js", timeout=30.0)
    assert (absent.status_code, framed(absent)) == (404, True)


def test_without_assets_the_page_says_how(worker: Worker) -> None:
    worker.again(SETTINGS)
    page = httpx.get(f"{worker.url}/dashboard", timeout=30.0)
    assert (page.status_code, framed(page)) == (200, True)
    assert "make ui" in page.text


def test_every_isolate_knows_a_session_until_it_is_over(worker: Worker) -> None:
    worker.again(SETTINGS)
    token = mint({"sub": "root", "role": "admin"}, SECRET, now=time.time())
    with httpx.Client(base_url=worker.url, headers=SAME, timeout=30.0) as browser:
        began = browser.post("/dashboard/session", json={"credential": token})
        assert began.status_code == 200
        csrf = {"x-csrf-token": began.json()["csrf"]}
        worker.again(SETTINGS)
        assert browser.get("/dashboard/session").json() == began.json()
        for path in (
            "/admin/requests",
            "/admin/keys",
            "/admin/documents",
            "/admin/routing",
            "/admin/limits",
        ):
            told = browser.get(path)
            assert told.status_code == 200, (path, told.text)
        assert browser.post("/admin/keys", json={"name": "n"}).status_code == 403
        made = browser.post("/admin/keys", json={"name": "n"}, headers=csrf).json()
        assert made["key"].startswith("pk-")
        worker.again(SETTINGS)
        assert browser.delete(f"/admin/keys/{made['id']}", headers=csrf).status_code == 204
        cookie = browser.cookies["penstock_session"]
        assert browser.delete("/dashboard/session", headers=csrf).status_code == 204
        worker.again(SETTINGS)
        browser.cookies.set("penstock_session", cookie)
        assert browser.get("/admin/requests").status_code == 401
