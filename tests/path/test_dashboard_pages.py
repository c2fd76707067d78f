"""The dashboard's files: what is served below `/dashboard`, how it may be kept, and what keeps other pages out."""

from __future__ import annotations

import gzip
from dataclasses import replace
from pathlib import Path

import pytest

from penstock.platforms import assets
from penstock.wire.http import Response
from tests.path.dashboard import Browser, code, framed
from tests.path.world import World, read

PAGE = b"<!doctype html><title>Penstock</title><script type=module src=/dashboard/assets/app-1a.js></script>"
SCRIPT = b"export const all = 1;\n" * 200
ICON = b"\x89PNG..."


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A gateway whose dashboard is three files."""
    (tmp_path / "assets").mkdir()
    for name, data in (("index.html", PAGE), ("assets/app-1a.js", SCRIPT), ("icon.png", ICON)):
        (tmp_path / name).write_bytes(data)
    return with_files(tmp_path)


def with_files(folder: Path, more: str = "") -> World:
    made = World(more=more)
    made.gateway.platform = replace(made.platform, assets=assets.read(folder))
    return made


async def get(world: World, path: str, *headers: tuple[str, str], method: str = "GET") -> Response:
    return await world.ask(path, method=method, token=None, headers=headers)


@pytest.mark.parametrize(
    "path",
    ["/dashboard", "/dashboard/", "/dashboard/requests", "/dashboard/requests/req_1", "/dashboard/é", "/dashboard//",
     "/dashboard/usage/"],
)  # fmt: skip
async def test_every_view_is_the_one_page(world: World, path: str) -> None:
    response = await get(world, path)
    assert response.status == 200
    assert framed(response)
    assert response.header("content-type") == "text/html; charset=utf-8"
    assert response.header("cache-control") == "no-cache"
    assert await read(response) == PAGE


FIRST = "</dashboard/session>; rel=preload; as=fetch; crossorigin"
FIGURES = (
    "</admin/reports/overview?from=2026-12-17&to=2027-01-15>; rel=preload; as=fetch; crossorigin"
)


@pytest.mark.parametrize(
    ("path", "query", "told"),
    [("", "", [FIRST, FIGURES]), ("/", "", [FIRST, FIGURES]), ("", "range=7d", [FIRST]), ("/keys", "", [FIRST])],
)  # fmt: skip
async def test_a_page_names_what_it_will_ask_for_first(
    world: World, path: str, query: str, told: list[str]
) -> None:
    browser = Browser(world)
    await browser.sign_in()
    page = await browser.get(f"/dashboard{path}", query)
    assert [value for name, value in page.headers if name == "link"] == told
    script = await browser.get("/dashboard/assets/app-1a.js")
    assert script.header("link") is None


async def test_whoever_is_not_signed_in_is_sent_for_nothing(world: World) -> None:
    assert (await get(world, "/dashboard")).header("link") is None
    browser = Browser(world)
    await browser.sign_in()
    foreign = ("sec-fetch-site", "same-site")
    assert (await browser.get("/dashboard", site=foreign)).header("link") is None


async def test_whoever_signed_out_is_not_left_with_the_links_of_before(world: World) -> None:
    """A browser keeps of a page what a 304 does not name anew."""
    browser = Browser(world)
    await browser.sign_in()
    known = ("if-none-match", (await browser.get("/dashboard")).header("etag") or "")
    again = await browser.get("/dashboard", headers=[known])
    assert (again.status, again.header("link")) == (304, FIRST)
    assert framed(again)
    gone = await get(world, "/dashboard", known)
    assert (gone.status, gone.header("link"), await read(gone)) == (200, None, PAGE)


async def test_hashed_files_are_kept_for_good_and_packed_for_who_takes_that(world: World) -> None:
    path = "/dashboard/assets/app-1a.js"
    plain, packed = await get(world, path), await get(world, path, ("accept-encoding", "br, gzip"))
    for response in (plain, packed):
        assert framed(response)
        assert response.header("cache-control") == "public, max-age=31536000, immutable"
        assert response.header("content-type") == "text/javascript; charset=utf-8"
        assert response.header("vary") == "accept-encoding"
    assert plain.header("content-encoding") is None
    assert packed.header("content-encoding") == "gzip"
    assert await read(plain) == gzip.decompress(await read(packed)) == SCRIPT
    refused = await get(world, path, ("accept-encoding", "gzip;q=0, identity"))
    assert refused.header("content-encoding") is None


async def test_what_the_asker_has_is_not_sent_again(world: World) -> None:
    for path in ("/dashboard/assets/app-1a.js", "/dashboard/icon.png"):
        tag = (await get(world, path)).header("etag") or ""
        for known in (tag, f"W/{tag}", f'"other", {tag}'):
            again = await get(world, path, ("if-none-match", known))
            assert (again.status, await read(again), again.header("etag")) == (304, b"", tag)
            assert framed(again)
        assert (await get(world, path, ("if-none-match", '"other"'))).status == 200
    packed = await get(world, "/dashboard/assets/app-1a.js", ("accept-encoding", "gzip"))
    assert packed.header("etag") != tag


@pytest.mark.parametrize(
    "path",
    ["/dashboard/assets/", "/dashboard/assets", "/dashboard/assets/none.js", "/dashboard/assets/app", "/dashboard/x.js",
     "/dashboard/../pyproject.toml", "/dashboard/assets/../index.html", "/dashboard/assets/..", "/dashboard/./index.html",
     "/dashboard/assets/%2e%2e/index.html", "/dashboard/assets//etc/passwd.txt", "/dashboard//etc/passwd.x",
     "/dashboard/assets/a\\b.js", "/dashboard/assets/a\0.js", "/dashboard/.env", "/dashboard/assets/" + "a" * 200 + ".js",
     "/dashboard/a/b/c/d/e/f.js", "/dashboard/é.js", "/dashboard/https://evil.test/a.js", "/dashboard/session.js"],
)  # fmt: skip
async def test_no_other_file_is_there(world: World, path: str) -> None:
    response = await get(world, path)
    if path == "/dashboard/assets":  # a view of that name, as far as anybody knows
        assert await read(response) == PAGE
        return
    assert framed(response)
    assert await code(response) == (404, "not_found")


async def test_dashboards_of_other_names_are_not_ours(world: World) -> None:
    for path in ("/dashboards", "/dashboardx/y", "/Dashboard"):
        assert (await get(world, path)).status == 404


async def test_only_get_and_head_read_files(world: World) -> None:
    response = await get(world, "/dashboard/requests", method="POST")
    assert framed(response)
    assert response.header("allow") == "GET, HEAD"
    assert await code(response) == (405, "method_not_allowed")
    assert (await get(world, "/dashboard", method="HEAD")).status == 200


async def test_where_it_was_not_built_the_page_says_how() -> None:
    response = await get(World(), "/dashboard/usage")
    assert response.status == 200
    assert framed(response)
    text = await read(response)
    assert b"make ui" in text
    assert b"<script" not in text
    assert b"style" not in text
    assert (await get(World(), "/dashboard/assets/app-1a.js")).status == 404


async def test_an_operator_may_do_without(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_bytes(PAGE)
    world = with_files(tmp_path, "[server]\ndashboard = false\n")
    for path, method in (
        ("/dashboard", "GET"),
        ("/dashboard/session", "POST"),
        ("/dashboard/session", "GET"),
    ):
        response = await get(world, path, method=method)
        assert await code(response) == (404, "not_found")


async def test_a_session_of_before_ends_where_the_dashboard_goes() -> None:
    world = World(more="[server]\ndashboard = false\n")
    cookie = ("cookie", "penstock_session=" + "A" * 43)
    assert await code(await get(world, "/admin/requests", cookie)) == (401, "missing_credential")


def test_a_folder_without_its_page_is_no_dashboard(tmp_path: Path) -> None:
    assert assets.read(tmp_path) is None
    assert assets.read(tmp_path / "absent") is None
